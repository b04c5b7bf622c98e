"""Kills workers at random during pushes. No lead is lost, only leads of uncertain outcome are sent twice, and no manual repair is needed."""

import asyncio
import random
from pathlib import Path

import pytest

from clay_push_service.deliveries.sweep import LOST_CLAIMS_TO_POISON
from clay_push_service.sending.slice import FIRST_BATCH
from clay_push_service.sending.slice_sends import WINDOW_LEADS
from tests.harness.databases import TestServer
from tests.harness.fault_run import FaultRun, faulty, run_with_faults


async def kill_at_random(run: FaultRun, kills: int, chance: random.Random, *, apart: int) -> None:
    """Kill the worker that has run longest, each time after some more POSTs, so that each kill interrupts work."""
    for _ in range(kills):
        wanted = len(run.receiver.posts) + chance.randint(1, apart)
        await run.receiver.until(wanted, 60.0)
        await asyncio.sleep(chance.random() * 0.1)
        while not run.workers.kill():  # noqa: ASYNC110 - a test may poll
            await asyncio.sleep(0.05)


async def test_no_lead_is_lost_or_sent_twice_when_a_worker_is_killed_ten_times(
    database_url: str, tmp_path: Path
) -> None:
    async with run_with_faults(database_url, tmp_path, leads=300, workers=2) as run:
        accepted = await run.installation.push()
        await kill_at_random(run, 10, random.Random(11), apart=10)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost("10 kill -9 at random", accepted.job_id, "unknown")
        assert line.doubled == 0
        assert run.workers.ended.count(-9) == 10
        statuses = await run.statuses()
        assert statuses["poison"] == 0, "no lead may become poison, because none caused a kill"


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_no_lead_is_lost_with_25_kills_2_database_crashes_and_a_fifth_of_all_posts_failing(
    database_url: str, tmp_path: Path, postgres: TestServer
) -> None:
    server = postgres.embedded
    if server is None:
        pytest.skip("needs a PostgreSQL that it may stop")
    async with run_with_faults(database_url, tmp_path, leads=2000, workers=2, answer=faulty(0.2)) as run:
        accepted = await run.installation.push()
        chance = random.Random(12)
        for part in (9, 8, 8):
            await kill_at_random(run, part, chance, apart=60)
            if part == 8:
                await asyncio.to_thread(server.stop, "immediate")
                await asyncio.to_thread(server.start_again)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 300.0)
        await run.assert_nothing_lost(
            "25 kill -9, 2 PostgreSQL crashes, 20 % faults", accepted.job_id, "unknown", "server_error"
        )
        assert run.workers.ended.count(-9) == 25
        assert 0 not in run.workers.ended


@pytest.mark.faults
@pytest.mark.parametrize(("leads", "place"), [(60, 30), (700, 650)])
async def test_a_lead_that_crashes_its_worker_becomes_poison_and_other_leads_are_sent(
    database_url: str, tmp_path: Path, leads: int, place: int
) -> None:
    """The lead crashes one worker as part of a batch and three more when it is tried alone, then no further worker.

    Leads that are in flight at the first crash become unknown, because their responses were not recorded. When the lead is
    tried alone, no other lead is in flight.
    """
    async with run_with_faults(database_url, tmp_path, leads=leads, workers=0) as run:
        victim = run.installation.lead_ids[place]
        run.workers.command = ("tests.faults.crash_at", "poison", str(victim))
        accepted = await run.installation.push()
        await run.workers.keep_running(1)
        await run.wait_until_finished(accepted.job_id, 60.0)
        await run.assert_nothing_lost(f"1 poison among {leads}", accepted.job_id, "poison", "unknown")
        assert run.workers.ended == [-9] * LOST_CLAIMS_TO_POISON
        rows = {row.contributor_id: row for row in await run.installation.deliveries(accepted.job_id)}
        assert rows.pop(victim).cause == "poison"
        assert {row.cause for row in rows.values()} <= {None, "unknown"}
        assert sum(row.cause == "unknown" for row in rows.values()) <= (0 if leads <= FIRST_BATCH else 2 * WINDOW_LEADS)
        assert set(run.receiver.leads.values()) == {1}
        assert str(victim) not in run.receiver.leads
        assert {row.lost_claims for row in rows.values() if row.status == "success"} == {0}, (
            "a success must reset lost_claims"
        )


@pytest.mark.parametrize("pushes", [20])
async def test_identical_concurrent_pushes_send_each_lead_once(database_url: str, tmp_path: Path, pushes: int) -> None:
    async with run_with_faults(database_url, tmp_path, leads=100, workers=2, delay_seconds=0.005) as run:
        accepted = await asyncio.gather(*(run.installation.push() for _ in range(pushes)))
        for each in accepted:
            await run.wait_until_finished(each.job_id, 30.0)
        assert set(run.receiver.leads.values()) == {1}
        assert len(run.receiver.posts) == 100
        assert sum(each.lead_count - each.skipped_count for each in accepted) == 100
