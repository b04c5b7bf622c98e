"""Kills a process at each point of a push. Claimed leads wait again, `sending` ones become unknown, and no lead is sent twice."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clay_push_service.deliveries.sweep import sweep
from tests.harness.fault_run import FaultRun, run_with_faults
from tests.harness.supervisor import WORKER
from tests.support.receiver import Behaviour, Stall

LEADS = 60
CRASH_AT = "tests.faults.crash_at"


@asynccontextmanager
async def run_without_workers(database_url: str, directory: Path, *arguments: str) -> AsyncIterator[FaultRun]:
    """Run without workers; a test starts them. Leases are longer than a test."""
    async with run_with_faults(
        database_url,
        directory,
        leads=LEADS,
        workers=0,
        command=(CRASH_AT, *arguments),
        lease_seconds=60.0,
        delay_seconds=0.01,
    ) as run:
        yield run


async def run_until_killed(run: FaultRun) -> None:
    process = await run.workers.start_one()
    assert await run.workers.wait_for_exit(process, 20) == -signal.SIGKILL


async def recover(run: FaultRun) -> None:
    """Expire all leases, and let another worker in this process continue."""
    run.start_recovery_timer()
    await run.installation.fetch(
        "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second' WHERE lease_until > now()"
    )
    async with run.installation.database.transaction() as connection:
        await sweep(connection)
    async with run.installation.drainer() as drainer:
        await run.installation.drain_all(drainer)


async def states(run: FaultRun) -> Counter[str]:
    rows = await run.installation.fetch("SELECT state FROM clay.clay_push_log")
    return Counter(row.state for row in rows)


async def test_a_push_killed_before_its_commit_leaves_no_rows(database_url: str, tmp_path: Path) -> None:
    async with run_with_faults(database_url, tmp_path, leads=LEADS, workers=0) as run:
        w = run.installation
        run.workers.command = (CRASH_AT, "not_committed", str(w.org_id), str(w.project_id))
        await run_until_killed(run)
        for table in ("push_jobs", "clay_push_log", "procrastinate_jobs"):
            assert await w.fetch(f"SELECT 1 FROM clay.{table}") == [], table
        accepted = await w.push()
        await recover(run)
        await run.assert_nothing_lost("killed before the commit of a push", accepted.job_id)


async def test_a_push_killed_after_its_commit_is_sent_without_its_notification(
    database_url: str, tmp_path: Path
) -> None:
    """No worker listens when NOTIFY is sent. The wake-up is a row that is committed with the deliveries."""
    async with run_with_faults(database_url, tmp_path, leads=LEADS, workers=0) as run:
        w = run.installation
        run.workers.command = (CRASH_AT, "committed", str(w.org_id), str(w.project_id))
        await run_until_killed(run)
        [job] = await w.fetch("SELECT id, lead_count FROM clay.push_jobs")
        assert job.lead_count == LEADS
        await recover(run)
        await run.assert_nothing_lost("killed after the commit of a push", job.id)
        assert len(run.receiver.posts) == LEADS


async def test_leads_claimed_by_a_killed_worker_wait_again(database_url: str, tmp_path: Path) -> None:
    async with run_without_workers(database_url, tmp_path, "after_claim", "0") as run:
        accepted = await run.installation.push()
        await run_until_killed(run)
        assert await states(run) == {"claimed": LEADS}
        await recover(run)
        line = await run.assert_nothing_lost("killed after a claim", accepted.job_id)
        assert (line.uncertain, len(run.receiver.posts)) == (0, LEADS)


async def test_after_a_kill_before_the_first_byte_marked_leads_are_unknown_and_others_wait_again(
    database_url: str, tmp_path: Path
) -> None:
    async with run_without_workers(database_url, tmp_path, "marked_sending", "0") as run:
        accepted = await run.installation.push()
        await run_until_killed(run)
        found = await states(run)
        assert found["claimed"] >= LEADS // 2, "at most two windows may be marked, not a whole batch"
        assert found["sending"] > 0
        assert run.receiver.posts == []
        await recover(run)
        line = await run.assert_nothing_lost(
            "killed with `sending` marked, before the bytes", accepted.job_id, "unknown"
        )
        assert line.uncertain == found["sending"]
        assert len(run.receiver.posts) == LEADS - found["sending"]


async def test_leads_in_flight_at_a_kill_are_unknown_and_not_sent_again(database_url: str, tmp_path: Path) -> None:
    async with run_without_workers(database_url, tmp_path) as run:
        run.workers.command = ("clay_push_service.cli", "worker")

        def kill_at_the_fifth(number: int, _body: bytes) -> Behaviour:
            if number == 4:
                os.kill(run.workers.processes[0].pid, signal.SIGKILL)
            return Stall()

        run.receiver.behaviour = kill_at_the_fifth
        accepted = await run.installation.push()
        await run_until_killed(run)
        run.receiver.behaviour = lambda _number, _body: b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        await asyncio.sleep(0.05)
        in_flight = {post.lead_id for post in run.receiver.posts}
        assert len(in_flight) >= 5
        await recover(run)
        line = await run.assert_nothing_lost("killed in flight", accepted.job_id, "unknown")
        assert line.doubled == 0
        rows = await run.installation.deliveries(accepted.job_id)
        assert in_flight <= {str(row.contributor_id) for row in rows if row.cause == "unknown"}


@pytest.mark.parametrize("number", [0, 20])
async def test_a_lead_is_unknown_after_a_kill_between_its_response_and_its_recording(
    database_url: str, tmp_path: Path, number: int
) -> None:
    async with run_without_workers(database_url, tmp_path, "answered", str(number)) as run:
        accepted = await run.installation.push()
        await run_until_killed(run)
        posted = len(run.receiver.posts)
        assert posted > number
        await recover(run)
        line = await run.assert_nothing_lost(
            f"killed after {number + 1} answers, unrecorded", accepted.job_id, "unknown"
        )
        assert (line.doubled, len(run.receiver.posts)) == (0, len(set(run.receiver.leads)))


async def test_recorded_results_remain_after_a_kill(database_url: str, tmp_path: Path) -> None:
    async with run_without_workers(database_url, tmp_path, "recorded", "0") as run:
        accepted = await run.installation.push()
        await run_until_killed(run)
        before = await run.installation.fetch("SELECT id FROM clay.clay_push_log WHERE status = 'success'")
        assert before
        await recover(run)
        line = await run.assert_nothing_lost("killed after recording", accepted.job_id, "unknown")
        assert line.doubled == 0
        after = await run.installation.fetch("SELECT id FROM clay.clay_push_log WHERE status = 'success'")
        assert {row.id for row in before} <= {row.id for row in after}
        assert (await run.installation.job(accepted.job_id)).success_count == len(after)


@pytest.mark.faults
@pytest.mark.parametrize(
    "point",
    ["committed", "after_claim 0", "marked_sending 0", "marked_sending 20", "answered 0", "answered 20", "recorded 0"],
)
async def test_an_ordinary_worker_finishes_the_work_of_a_killed_process(
    database_url: str, tmp_path: Path, point: str
) -> None:
    """Nothing is done by hand: the lease expires, the sweep returns the leads, and they are sent."""
    async with run_with_faults(database_url, tmp_path, leads=LEADS, workers=0, delay_seconds=0.01) as run:
        w = run.installation
        if point == "committed":
            run.workers.command = (CRASH_AT, point, str(w.org_id), str(w.project_id))
        else:
            run.workers.command = (CRASH_AT, *point.split())
            await w.push()
        await run_until_killed(run)
        run.workers.command = WORKER
        run.start_recovery_timer()
        await run.workers.keep_running(1)
        [job] = await w.fetch("SELECT id, lead_count FROM clay.push_jobs")
        await run.wait_until_finished(job.id, 30.0)
        may_fail = () if point in {"committed", "after_claim 0"} else ("unknown",)
        line = await run.assert_nothing_lost(f"{point}, another worker with a lease of 3 s", job.id, *may_fail)
        assert (job.lead_count, line.doubled) == (LEADS, 0)
        assert run.workers.ended == [-signal.SIGKILL], "the second worker must not exit"
