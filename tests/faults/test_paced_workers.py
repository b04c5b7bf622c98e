"""Kills, freezes or replaces workers of paced workspaces. Few leads become uncertain, and the pace is kept."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from clay_push_service.deliveries.sweep import LOST_CLAIMS_TO_POISON, sweep
from tests.harness.fault_run import FaultRun, run_with_faults

PER_SECOND = 10


def most_in_a_second(times: Sequence[float]) -> int:
    times, first, most = sorted(times), 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


async def until_pids_differ(run: FaultRun, pid: int) -> None:
    async with asyncio.timeout(30):
        while pid in {process.pid for process in run.workers.processes}:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.02)


async def test_a_killed_worker_leaves_few_uncertain_leads_and_another_one_sends_at_the_pace(
    database_url: str, tmp_path: Path
) -> None:
    async with run_with_faults(
        database_url, tmp_path, leads=120, workers=2, rate_limit_ms=100, delay_seconds=0.015
    ) as run:
        accepted = await run.installation.push()
        for sent in (15, 30):
            await run.receiver.until(len(run.receiver.posts) + sent, 60.0)
            [row] = await run.installation.fetch(
                "SELECT pid FROM clay.workers JOIN clay.workspaces ON served_by = workers.id WHERE served_until > now()"
            )
            os.kill(row.pid, signal.SIGKILL)
            await until_pids_differ(run, row.pid)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 90.0)
        line = await run.assert_nothing_lost(
            "2 kill -9 of the worker that serves a paced workspace", accepted.job_id, "unknown"
        )
        assert line.doubled == 0
        assert most_in_a_second([post.at for post in run.receiver.posts]) <= PER_SECOND + 1


async def test_a_frozen_worker_loses_its_workspace_and_does_not_exceed_the_pace_when_it_resumes(
    database_url: str, tmp_path: Path
) -> None:
    async with run_with_faults(
        database_url, tmp_path, leads=150, workers=1, rate_limit_ms=100, delay_seconds=0.015, lease_seconds=30.0
    ) as run:
        accepted = await run.installation.push()
        await run.receiver.until(15, 30.0)
        frozen = run.workers.processes[0].pid
        os.kill(frozen, signal.SIGSTOP)
        await run.workers.keep_running(1)  # another worker adopts the workspace
        sent = len(run.receiver.posts)
        await run.receiver.until(sent + 10, 30.0)
        os.kill(frozen, signal.SIGCONT)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 90.0)
        line = await run.assert_nothing_lost(
            "a frozen worker that served a paced workspace", accepted.job_id, "unknown"
        )
        assert line.doubled == 0
        assert most_in_a_second([post.at for post in run.receiver.posts]) <= PER_SECOND + 1


@pytest.mark.parametrize("point", ["after_claim", "marked_sending", "answered", "recorded"])
async def test_no_lead_is_lost_or_sent_twice_when_a_paced_worker_is_killed_at_any_point(
    database_url: str, tmp_path: Path, point: str
) -> None:
    """When the lease ends, another worker adopts the workspace and the killed worker's claims."""
    async with run_with_faults(
        database_url,
        tmp_path,
        leads=30,
        workers=0,
        rate_limit_ms=50,
        command=("tests.faults.crash_at", point, "0"),
        lease_seconds=60.0,
    ) as run:
        accepted = await run.installation.push()
        process = await run.workers.start_one()
        assert await run.workers.wait_for_exit(process, 60) == -signal.SIGKILL
        marked = await run.installation.fetch("SELECT id FROM clay.clay_push_log WHERE state = 'sending'")
        run.start_recovery_timer()
        async with run.installation.drainer():
            async with asyncio.timeout(60):
                while set(await run.statuses()) & {"waiting", "claimed"}:  # noqa: ASYNC110 - rows in the database
                    await asyncio.sleep(0.1)
            await run.installation.fetch(
                "UPDATE clay.clay_push_log SET lease_until = now() - interval '1 second' WHERE id = ANY(:ids) AND state = 'sending'",
                ids=[row.id for row in marked],
            )
            async with run.installation.database.transaction() as connection:
                await sweep(connection)
            await run.wait_until_finished(accepted.job_id, 30.0)
        line = await run.assert_nothing_lost(f"a paced worker killed at {point}", accepted.job_id, "unknown")
        assert line.doubled == 0
        assert line.uncertain == len(marked), "only marked leads may be uncertain, not claimed ones"


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_only_the_lead_that_crashes_each_worker_becomes_poison(database_url: str, tmp_path: Path) -> None:
    async with run_with_faults(database_url, tmp_path, leads=40, workers=0, rate_limit_ms=50) as run:
        victim = run.installation.lead_ids[20]
        run.workers.command = ("tests.faults.crash_at", "poison", str(victim))
        accepted = await run.installation.push()
        await run.workers.keep_running(1)
        await run.wait_until_finished(accepted.job_id, 120.0)
        await run.assert_nothing_lost("1 poison of a paced push", accepted.job_id, "poison", "unknown")
        assert run.workers.ended == [-9] * LOST_CLAIMS_TO_POISON
        rows = {row.contributor_id: row for row in await run.installation.deliveries(accepted.job_id)}
        assert rows.pop(victim).cause == "poison"
        assert {row.cause for row in rows.values()} <= {None, "unknown"}
