"""Several sweeps at the same time, each with connections of its own, over many due times."""

import asyncio
from datetime import timedelta

from clay_push_service.database.database import Database
from clay_push_service.deliveries.invariants import verify
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.schedules.sweep import ScheduleSweep
from tests.harness.installation import install
from tests.schedules.planned import plan

WORKERS = 8
WEBHOOK = "https://api.clay.com/v3/sources/webhook/a"
LEADS = 5
# Due once a year: of a due time in the past no other one follows.
YEARLY = """UPDATE clay.schedules SET kind = 'cron', spec = '{"cron": "0 0 1 7 *"}'"""
NEXT_DUE = """
UPDATE clay.schedules SET next_due_at = date_trunc('hour', now()) - interval '1 day' + CAST(:round AS integer) * interval '1 hour',
    next_run_at = now() - interval '1 second', catch_up_seconds = 604800
"""
RUNS = """
SELECT count(*) AS runs, count(DISTINCT (schedule_id, due_at)) AS times, count(*) FILTER (WHERE outcome = 'queued') AS queued
FROM clay.schedule_runs
"""
QUEUED = """
SELECT count(*) AS deliveries, count(DISTINCT contributor_id) AS leads FROM clay.clay_push_log WHERE state <> 'done'
"""


async def sweep_concurrently(database_url: str, *, schedules: int, rounds: int) -> None:
    """Eight sweeps start this number of schedules in each round. Checks one run for each due time, and each lead queued once."""
    async with install(database_url, leads=LEADS) as made:
        await made.configure(WEBHOOK)
        for _ in range(schedules):
            await plan(made, max_leads=1)
        await made.fetch(YEARLY.replace(":", "\\:"))
        databases = [Database.of(made.settings, f"worker-{index}") for index in range(WORKERS)]
        sweeps = [ScheduleSweep(each, HostTableCache(made.settings.host_schema), made.settings) for each in databases]
        for number in range(rounds):
            await made.fetch(NEXT_DUE, round=number)
            counts = await asyncio.gather(*(each.run_pass() for each in sweeps))
            assert sum(counts) == schedules
        for database in databases:
            await database.close()
        [found] = await made.fetch(RUNS)
        assert (found.runs, found.times, found.queued) == (schedules * rounds, schedules * rounds, LEADS)
        [queued] = await made.fetch(QUEUED)
        assert (queued.deliveries, queued.leads) == (LEADS, LEADS)
        async with made.owner.transaction() as connection:
            assert await verify(connection, timedelta(minutes=1)) == []
