"""Workers that are frozen, blocked, stopped or without a destination: how they end, and how their leads end."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from clay_push_service.destination_settings.config_change import ConfigChange
from clay_push_service.destination_settings.configure import configure
from clay_push_service.destination_settings.remove import remove_destination
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.resolve import default_resolver
from tests.harness.fault_run import FaultRun, run_with_faults
from tests.harness.installation import address_of
from tests.support.receiver import OK, Receiver, Stall, receiving


async def test_a_frozen_worker_that_resumes_after_its_lease_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async with run_with_faults(database_url, tmp_path, leads=300, delay_seconds=0.05) as run:
        accepted = await run.installation.push()
        await run.receiver.until(40, 30.0)
        frozen = run.workers.processes[0].pid
        os.kill(frozen, signal.SIGSTOP)
        await run.workers.keep_running(1)  # another worker continues
        await asyncio.sleep(3.5)
        sent = len(run.receiver.posts)
        await run.receiver.until(sent + 10, 30.0)
        os.kill(frozen, signal.SIGCONT)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost("a worker frozen past its lease", accepted.job_id, "unknown")
        assert line.doubled == 0
        async with asyncio.timeout(60):
            while "claims.lost" not in run.workers.log.read_text():  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.05)


LONG = pytest.mark.faults


@pytest.mark.parametrize("limit", [2.0, pytest.param(30.0, marks=LONG)])
@pytest.mark.parametrize(("how", "code"), [("blocked", 70), ("holding_the_lock", 1)])
async def test_the_watchdog_ends_a_process_whose_event_loop_is_blocked(
    database_url: str, tmp_path: Path, how: str, code: int, limit: float
) -> None:
    command = ("tests.faults.crash_at", how, "0")
    async with run_with_faults(
        database_url, tmp_path, leads=50, workers=0, command=command, watchdog_seconds=limit, lease_seconds=60.0
    ) as run:
        await run.installation.push()
        process = await run.workers.start_one()
        await run.wait_until_claimed(20.0)
        started = time.monotonic()
        assert await run.workers.wait_for_exit(process, 2 * limit + 15) == code
        assert limit - 1.5 < time.monotonic() - started < 1.5 * limit + 5
        report = run.workers.log.read_text()
        assert "build_payloads" in report.partition("most recent call first")[2], "the log must contain the stack"


@pytest.mark.parametrize("grace", [3.0, pytest.param(20.0, marks=LONG)])
async def test_sigterm_ends_a_worker_within_its_grace_period_while_the_receiver_stalls(
    database_url: str, tmp_path: Path, grace: float
) -> None:
    """Unsent leads wait again, and leads without a response at the end of the grace period become unknown. A grace of 20 s ends within 25 s."""
    async with run_with_faults(
        database_url, tmp_path, leads=100, answer=lambda _number, _body: Stall(), workers=0,
        request_timeout_seconds=30.0, lease_seconds=75.0, shutdown_grace_seconds=grace,
    ) as run:  # fmt: skip
        accepted = await run.installation.push()
        process = await run.workers.start_one()
        await run.receiver.until(8, 20.0)
        process.terminate()
        started = time.monotonic()
        assert await run.workers.wait_for_exit(process, 30) == 0
        assert grace - 0.5 < time.monotonic() - started < grace + 4.5
        found = await run.statuses()
        assert found == {"unknown": 8, "waiting": 92}
        run.receiver.behaviour = lambda _number, _body: OK
        await run.workers.keep_running(1)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 30.0)
        line = await run.assert_nothing_lost("SIGTERM while the receiver stalls", accepted.job_id, "unknown")
        assert line.uncertain == 8


@pytest.mark.faults
async def test_sigterm_ends_a_worker_in_time_while_the_database_does_not_respond(
    database_url: str, tmp_path: Path
) -> None:
    async with run_with_faults(
        database_url, tmp_path, leads=200, workers=0, shutdown_grace_seconds=2.0, delay_seconds=0.05
    ) as run:
        accepted = await run.installation.push()
        process = await run.workers.start_one()
        await run.receiver.until(20, 20.0)
        run.proxy.partition()
        process.terminate()
        started = time.monotonic()
        await run.workers.wait_for_exit(process, 20)
        assert time.monotonic() - started < 2.0 + 4.5 + 1.5
        found = await run.statuses()
        assert found["sending"] < 100, "few leads may be marked ahead for a slow receiver"
        run.proxy.heal()
        await run.workers.keep_running(1)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 60.0)
        line = await run.assert_nothing_lost("SIGTERM while the database is silent", accepted.job_id, "unknown")
        assert line.doubled == 0


async def change(run: FaultRun, **changes: Any) -> None:
    """Change the settings as the config endpoint does."""
    w, resolver = run.installation, default_resolver()
    policy = Policy.of(w.settings)
    await configure(
        w.database, w.secret_box, policy, resolver, w.org_id, "user:test", ConfigChange(rate_limit_ms=0, **changes)
    )
    await resolver.close()


def with_token(clay: Receiver, token: str) -> int:
    return sum(f"x-clay-webhook-auth: {token}".encode() in head for head in clay.headers)


@pytest.mark.faults
async def test_a_push_job_keeps_its_webhook_when_the_webhook_changes(database_url: str, tmp_path: Path) -> None:
    """A push job keeps the webhook and the token that it was accepted with. The next job uses the new ones."""
    async with receiving(Receiver()) as new, run_with_faults(
        database_url, tmp_path, leads=1100, workers=2, other_hosts=(address_of(new),)
    ) as run:  # fmt: skip
        old, leads = run.receiver, run.installation.lead_ids
        await change(run, webhook_url=f"{old.url}-old", webhook_token="old-token")
        accepted = await run.installation.push(leads[:1000])
        await old.until(50, 30.0)
        await change(run, webhook_url=new.url, webhook_token="new-token")
        assert len(old.posts) < 900, "the push ended before the change"
        later = await run.installation.push(leads)
        for job in (accepted, later):
            await run.wait_until_finished(job.job_id, 60.0)
        assert (with_token(old, "old-token"), len(old.posts)) == (1000, 1000)
        assert (with_token(new, "new-token"), len(new.posts)) == (100, 100)
        assert set((old.leads + new.leads).values()) == {1}
        again = await run.installation.push(leads[:600], again=True)
        await new.until(150, 30.0)
        await change(run, webhook_token="third-token")
        assert len(new.posts) < 650, "the push ended before the change"
        await run.wait_until_finished(again.job_id, 60.0)
        last = await run.installation.push(leads[:1], again=True)
        await run.wait_until_finished(last.job_id, 30.0)
        assert (with_token(new, "new-token"), with_token(new, "third-token")) == (700, 1)
        await run.assert_nothing_lost("the webhook changes under 1,000 queued leads", accepted.job_id)


async def test_queued_leads_fail_when_the_webhook_is_removed(database_url: str, tmp_path: Path) -> None:
    async with run_with_faults(database_url, tmp_path, leads=1000) as run:
        accepted = await run.installation.push()
        await run.receiver.until(50, 30.0)
        async with run.installation.database.transaction() as connection:
            ended = await remove_destination(connection, run.installation.org_id, "user:test")
        sent = len(run.receiver.posts)
        run.start_recovery_timer()
        await run.wait_until_finished(accepted.job_id, 30.0)
        line = await run.assert_nothing_lost(
            "the webhook is removed under 1,000 queued leads", accepted.job_id, "destination_removed"
        )
        assert ended is not None
        assert ended > 500
        assert (line.uncertain, line.doubled) == (0, 0)
        assert len(run.receiver.posts) <= sent + 150, "only leads that were already marked may still be sent"
        found = await run.statuses()
        assert found["destination_removed"] == ended
