"""Schedules with many workers and with workers that are killed at the due time: one run for each due time."""

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clay_push_service.deliveries.invariants import verify
from tests.harness.fault_run import FaultRun, run_with_faults
from tests.schedules.concurrent_sweeps import NEXT_DUE, YEARLY, sweep_concurrently
from tests.schedules.planned import plan

pytestmark = pytest.mark.faults
SCHEDULES, ROUNDS, KILLS, WORKERS = 15, 2, 2, 2


@pytest.mark.timeout(400)
async def test_eight_workers_and_a_thousand_due_times_make_a_thousand_runs(database_url: str) -> None:
    await sweep_concurrently(database_url, schedules=50, rounds=20)


@pytest.mark.timeout(400)
async def test_workers_killed_at_the_due_time_leave_one_run_for_each(database_url: str, tmp_path: Path) -> None:
    chance = random.Random(17)
    async with run_with_faults(database_url, tmp_path, leads=100, workers=0, sweep_seconds=0.2) as run:
        made = run.installation
        for _ in range(SCHEDULES):
            await plan(made, max_leads=1)
        await made.fetch(YEARLY.replace(":", "\\:"))
        await run.workers.keep_running(WORKERS)
        killed = 0
        for number in range(ROUNDS):
            await made.fetch(NEXT_DUE, round=number)
            for _ in range(KILLS):
                await _until(run, "SELECT 1 FROM clay.schedule_runs HAVING count(*) >= :number OR NOT EXISTS"
                             " (SELECT 1 FROM clay.schedules WHERE next_run_at <= now())",
                             number=number * SCHEDULES + chance.randrange(1, SCHEDULES))  # fmt: skip
                killed += sum(run.workers.kill(index) for index in reversed(range(WORKERS)))
            await _until(
                run, "SELECT 1 FROM clay.schedule_runs HAVING count(*) >= :number", number=(number + 1) * SCHEDULES
            )
        await _until(
            run, "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM clay.push_jobs WHERE status IN ('pending', 'running'))"
        )
        [found] = await made.fetch(
            "SELECT count(*) AS runs, count(DISTINCT (schedule_id, due_at)) AS times,"
            " coalesce(sum(lead_count), 0) AS leads, coalesce(sum(cardinality(job_ids)), 0) AS jobs FROM clay.schedule_runs"
        )
        assert killed >= ROUNDS
        assert (found.runs, found.times) == (SCHEDULES * ROUNDS, SCHEDULES * ROUNDS)
        [jobs] = await made.fetch("SELECT count(*) AS jobs, count(DISTINCT delivery.contributor_id) AS leads FROM clay.push_jobs"
                                  " JOIN clay.clay_push_log AS delivery ON delivery.job_id = push_jobs.id")  # fmt: skip
        assert (jobs.jobs, jobs.leads) == (found.jobs, found.leads), "each queued lead has one delivery"
        async with made.owner.transaction() as connection:
            assert await verify(connection, timedelta(minutes=1)) == []


async def _until(run: FaultRun, query: str, **values: Any) -> None:
    async with asyncio.timeout(120):
        while not await run.installation.fetch(query, **values):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.02)
