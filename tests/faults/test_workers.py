"""Workers that are frozen, blocked, told to stop, or have nowhere to go: how they end, and what becomes of their leads."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from clay_push_service.push_jobs.remove_destination import remove_destination
from tests.faults.field import broken_ground
from tests.support.receiver import OK, Receiver, Stall, receiving


async def test_a_frozen_worker_wakes_after_its_lease_and_changes_nothing(database_url: str, tmp_path: Path) -> None:
    async with broken_ground(database_url, tmp_path, leads=300, delay_seconds=0.05) as field:
        accepted = await field.world.push()
        await field.clay.until(40, 30.0)
        frozen = field.workers.processes[0].pid
        os.kill(frozen, signal.SIGSTOP)
        await field.workers.keep(1)  # another one goes on
        await asyncio.sleep(3.5)
        sent = len(field.clay.posts)
        await field.clay.until(sent + 10, 30.0)
        os.kill(frozen, signal.SIGCONT)
        field.fault_over()
        await field.ended(accepted.job_id, 60.0)
        line = await field.account("a worker frozen past its lease", accepted.job_id)
        assert line.doubled == 0


async def test_a_blocked_event_loop_ends_the_process(database_url: str, tmp_path: Path) -> None:
    command = ("tests.faults.dying", "blocked", "0")
    async with broken_ground(
        database_url, tmp_path, leads=50, workers=0, command=command, watchdog_seconds=2.0, lease_seconds=60.0
    ) as field:
        await field.world.push()
        process = await field.workers.start_one()
        started = time.monotonic()
        assert await field.workers.end_of(process, 20) == 70
        assert time.monotonic() - started < 15


async def test_sigterm_ends_within_25_seconds_while_the_receiver_stalls(database_url: str, tmp_path: Path) -> None:
    """Unsent leads wait again; what has no answer when the grace is over is unknown. Here with a grace of 3 s."""
    async with broken_ground(
        database_url, tmp_path, leads=100, answer=lambda _number, _body: Stall(), workers=0,
        request_timeout_seconds=20.0, lease_seconds=60.0, shutdown_grace_seconds=3.0,
    ) as field:  # fmt: skip
        accepted = await field.world.push()
        process = await field.workers.start_one()
        await field.clay.until(8, 20.0)
        process.terminate()
        started = time.monotonic()
        assert await field.workers.end_of(process, 25) == 0
        assert 2.5 < time.monotonic() - started < 3.0 + 4.5
        found = await field.statuses()
        assert found == {"unknown": 8, "waiting": 92}
        field.clay.behaving = lambda _number, _body: OK
        await field.workers.keep(1)
        field.fault_over()
        await field.ended(accepted.job_id, 30.0)
        line = await field.account("SIGTERM while the receiver stalls", accepted.job_id)
        assert line.uncertain == 8


@pytest.mark.faults
async def test_sigterm_ends_in_time_while_the_database_is_silent(database_url: str, tmp_path: Path) -> None:
    async with broken_ground(
        database_url, tmp_path, leads=200, workers=0, shutdown_grace_seconds=2.0, delay_seconds=0.05
    ) as field:
        accepted = await field.world.push()
        process = await field.workers.start_one()
        await field.clay.until(20, 20.0)
        field.proxy.partition()
        process.terminate()
        started = time.monotonic()
        await field.workers.end_of(process, 20)
        assert time.monotonic() - started < 2.0 + 4.5 + 1.5
        found = await field.statuses()
        assert found["sending"] < 100, "little is marked ahead of a slow receiver"
        field.proxy.heal()
        await field.workers.keep(1)
        field.fault_over()
        await field.ended(accepted.job_id, 60.0)
        line = await field.account("SIGTERM while the database is silent", accepted.job_id)
        assert line.doubled == 0


@pytest.mark.faults
async def test_the_webhook_is_changed_while_leads_are_queued(database_url: str, tmp_path: Path) -> None:
    """A push job keeps the webhook it began with; the next one takes the new."""
    async with broken_ground(database_url, tmp_path, leads=300) as field, receiving(Receiver()) as other:
        accepted = await field.world.push(field.world.lead_ids[:200])
        await field.clay.until(20, 30.0)
        await field.world.configure(field.clay.url + "-new")
        later = await field.world.push(field.world.lead_ids)
        await field.ended(accepted.job_id, 30.0)
        await field.ended(later.job_id, 30.0)
        await field.account("the webhook changes under 200 queued leads", accepted.job_id)
        assert set(field.clay.leads.values()) == {1}
        assert sum(b"test-new " in head for head in field.clay.headers) == 100
        assert other.posts == []


async def test_the_webhook_is_removed_while_a_thousand_leads_are_queued(database_url: str, tmp_path: Path) -> None:
    async with broken_ground(database_url, tmp_path, leads=1000) as field:
        accepted = await field.world.push()
        await field.clay.until(50, 30.0)
        async with field.world.database.transaction() as connection:
            ended = await remove_destination(connection, field.world.org_id, "user:test")
        sent = len(field.clay.posts)
        field.fault_over()
        await field.ended(accepted.job_id, 30.0)
        line = await field.account("the webhook is removed under 1,000 queued leads", accepted.job_id)
        assert ended is not None
        assert ended > 500
        assert (line.uncertain, line.doubled) == (0, 0)
        assert len(field.clay.posts) <= sent + 150, "only what was marked already is still sent"
        found = await field.statuses()
        assert found["destination_removed"] == ended
