"""PostgreSQL crashes, is unavailable, does not respond, or loses the response to a COMMIT. Workers recover without help."""

import asyncio
from pathlib import Path

import pytest

from tests.harness.databases import TestServer
from tests.harness.fault_run import FaultRun, run_with_faults
from tests.support.proxy import Cut

LEADS = 400


async def test_a_push_completes_although_postgresql_crashes_twice(
    database_url: str, tmp_path: Path, postgres: TestServer
) -> None:
    server = postgres.embedded
    if server is None:
        pytest.skip("needs a PostgreSQL that it may stop")
    async with run_with_faults(database_url, tmp_path, leads=LEADS, workers=2, delay_seconds=0.05) as run:
        accepted = await run.installation.push()
        for part in (60, 120):
            await run.receiver.until(part, 30.0)
            await asyncio.to_thread(server.stop, "immediate")
            await asyncio.to_thread(server.start_again)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost("PostgreSQL crashes twice", accepted.job_id, "unknown")
        assert line.doubled == 0
        assert run.workers.ended == [], "a restart of the database must not end a worker"


async def _away(run: FaultRun, postgres: TestServer, seconds: float, report: str) -> None:
    server = postgres.embedded
    assert server is not None
    accepted = await run.installation.push()
    await run.receiver.until(60, 30.0)
    await asyncio.to_thread(server.stop, "fast")
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start_again)
    run.start_recovery_timer()
    await run.wait_until_finished(accepted.job_id, 90.0)
    line = await run.assert_nothing_lost(report, accepted.job_id, "unknown")
    assert line.doubled == 0
    assert 0 not in run.workers.ended, "a worker must not exit with 0 without a stop signal"


async def test_a_push_completes_after_a_short_database_outage(
    database_url: str, tmp_path: Path, postgres: TestServer
) -> None:
    if postgres.embedded is None:
        pytest.skip("needs a PostgreSQL that it may stop")
    async with run_with_faults(database_url, tmp_path, leads=LEADS, delay_seconds=0.05) as run:
        await _away(run, postgres, 5.0, "PostgreSQL gone for 5 s")
        assert run.workers.ended == []


@pytest.mark.faults
@pytest.mark.timeout(400)
async def test_a_push_completes_after_a_database_outage_of_two_minutes(
    database_url: str, tmp_path: Path, postgres: TestServer
) -> None:
    if postgres.embedded is None:
        pytest.skip("needs a PostgreSQL that it may stop")
    async with run_with_faults(database_url, tmp_path, leads=LEADS, workers=2, delay_seconds=0.05) as run:
        await _away(run, postgres, 120.0, "PostgreSQL gone for 2 minutes")
        assert set(run.workers.ended) == {70}, "the watchdog must end the workers"


async def test_a_push_completes_after_all_connections_are_reset(database_url: str, tmp_path: Path) -> None:
    async with run_with_faults(database_url, tmp_path, leads=LEADS, delay_seconds=0.05) as run:
        accepted = await run.installation.push()
        for part in (50, 100, 150):
            await run.receiver.until(part, 30.0)
            assert run.proxy.reset_all() > 0
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost("all connections reset, three times", accepted.job_id)
        assert (line.uncertain, line.doubled) == (0, 0), (
            "the process is alive and has Clay's responses, so no lead may be unknown"
        )
        assert run.workers.ended == []


async def test_push_jobs_are_found_by_polling_when_listen_connections_are_lost(
    database_url: str, tmp_path: Path
) -> None:
    """No notification of a new push job arrives, so polling finds the next job."""
    async with run_with_faults(database_url, tmp_path, leads=LEADS, delay_seconds=0.005) as run:
        first = await run.installation.push(run.installation.lead_ids[:50])
        await run.wait_until_finished(first.job_id, 30.0)
        assert run.proxy.reset_listeners() > 0
        second = await run.installation.push()
        run.start_recovery_timer()
        await run.wait_until_finished(second.job_id, 30.0)
        assert set(run.receiver.leads.values()) == {1}
        await run.assert_nothing_lost("LISTEN lost", second.job_id)
        assert run.workers.ended == []


@pytest.mark.parametrize("delivered", [False, True], ids=["not delivered", "answer lost"])
async def test_results_are_recorded_once_when_their_first_write_fails(
    database_url: str, tmp_path: Path, delivered: bool
) -> None:
    async with run_with_faults(database_url, tmp_path, leads=200) as run:
        cut = Cut(b"COMMIT", after=b"AS result (id, kind", delivered=delivered)
        run.proxy.cuts.append(cut)
        accepted = await run.installation.push()
        await run.wait_until_finished(accepted.job_id, 30.0)
        report = "its answer lost" if delivered else "not delivered"
        line = await run.assert_nothing_lost(f"the commit of results fails, {report}", accepted.job_id)
        assert cut.done == 1
        assert (line.uncertain, line.doubled) == (0, 0)
        assert len(run.receiver.posts) == 200


async def test_a_queue_job_that_cannot_be_finished_changes_no_delivery(database_url: str, tmp_path: Path) -> None:
    """procrastinate then leaves the queue job in state `doing` for ever."""
    async with run_with_faults(database_url, tmp_path, leads=200, workers=1) as run:
        cut = Cut(b"procrastinate_finish_job", times=2)
        run.proxy.cuts.append(cut)
        accepted = await run.installation.push(run.installation.lead_ids[:100])
        await run.wait_until_finished(accepted.job_id, 30.0)
        again = await run.installation.push()
        run.start_recovery_timer()
        await run.wait_until_finished(again.job_id, 30.0)
        await run.assert_nothing_lost("the queue's completion write fails twice", again.job_id)
        assert cut.done == 2
        assert set(run.receiver.leads.values()) == {1}


async def test_a_silent_partition_ends_the_worker_and_the_next_worker_continues(
    database_url: str, tmp_path: Path
) -> None:
    async with run_with_faults(database_url, tmp_path, leads=LEADS, delay_seconds=0.05, watchdog_seconds=3.0) as run:
        accepted = await run.installation.push()
        await run.receiver.until(60, 30.0)
        run.proxy.partition()
        async with asyncio.timeout(30):
            while not run.workers.ended:  # noqa: ASYNC110 - a test may poll
                await asyncio.sleep(0.05)
        assert run.workers.ended == [70]
        run.proxy.heal()
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost("silent partition", accepted.job_id, "unknown")
        assert line.doubled == 0
