"""A slice that fails ends and releases its claims. It sends no lead whose lease may end before the response."""

import asyncio
from typing import Any

import pytest

from clay_push_service.clay.cause import Cause
from clay_push_service.deliveries.claim import mark_sending, release
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.sending import slice as slice_module
from clay_push_service.sending import slice_sends
from tests.harness.installation import install_with_drainer
from tests.support.receiver import OK, Receiver, Stall, status


async def test_a_slice_that_cannot_mark_ends_and_the_next_one_continues(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prefetched step waits until leads are sent. The failed slice sends no more, so the step must end with it."""
    failures = [OSError("the database is away")]

    async def failing(*values: Any) -> Any:
        if failures:
            raise failures.pop()
        return await mark_sending(*values)

    monkeypatch.setattr(slice_sends, "mark_sending", failing)
    monkeypatch.setattr("clay_push_service.sending.drainer.FAILED_SECONDS", 0.0)
    async with install_with_drainer(database_url, leads=30) as (w, drainer, clay):
        accepted = await w.push()
        async with asyncio.timeout(60):
            await drainer.drain(accepted.job_id)
        await w.drain_all(drainer)
        assert (await w.job(accepted.job_id)).success_count == 30
        assert set(clay.leads.values()) == {1}


async def test_claims_that_cannot_be_released_are_released_later_and_not_counted_as_lost(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError("away"), OSError("away")]

    async def away(*values: Any) -> Any:
        if failures:
            raise failures.pop()
        return await release(*values)

    async def never(*_: Any) -> Any:
        raise OSError("away")

    async with install_with_drainer(database_url, leads=30) as (w, drainer, _clay):
        accepted = await w.push()
        with monkeypatch.context() as patched:
            patched.setattr(slice_sends, "mark_sending", never)
            patched.setattr(slice_module, "release", away)
            await drainer.drain(accepted.job_id)
        assert {row.state for row in await w.deliveries(accepted.job_id)} == {"claimed"}
        await drainer.release_claims()
        rows = await w.deliveries(accepted.job_id)
        assert {(row.state, row.lost_claims) for row in rows} == {("waiting", 0)}


async def test_leads_marked_too_long_ago_are_released_and_not_sent(database_url: str) -> None:
    """Four stalled POSTs fill the concurrency limit. A lead that waits for the limit is not sent once its lease has nearly ended."""
    clay = Receiver(answer=lambda number, _body: Stall() if number < 4 else OK)
    async with install_with_drainer(
        database_url, clay, leads=12, in_flight_per_destination=4, request_timeout_seconds=4.0, lease_seconds=10.0
    ) as (w, drainer, clay):
        accepted = await w.push()
        task = asyncio.create_task(w.drain_all(drainer))
        while not task.done():
            await asyncio.sleep(0.1)
            async with w.database.transaction() as connection:
                swept = await sweep(connection)
            assert swept.unknown == 0, "a POST must end before its lease"
        await task
        job = await w.job(accepted.job_id)
        assert (job.success_count, job.unknown_count) == (8, 4)
        assert set(clay.leads.values()) == {1}


async def test_a_live_worker_lets_no_lease_expire_at_a_slow_pace(database_url: str) -> None:
    """A worker claims a hundred leads without a pace. Then a 429 sets an interval of 100 ms, so the leads wait longer than a lease."""
    clay = Receiver(answer=lambda number, _body: status(429, headers="Retry-After: 1\r\n") if number == 0 else OK)
    async with install_with_drainer(database_url, clay, leads=90, request_timeout_seconds=1.0, lease_seconds=5.0) as (
        w,
        drainer,
        clay,
    ):
        accepted = await w.push()
        task = asyncio.create_task(w.drain_all(drainer))
        while not task.done():
            await asyncio.sleep(0.1)
            async with w.database.transaction() as connection:
                swept = await sweep(connection)
            assert swept.returned == 0
        await task
        assert (await w.job(accepted.job_id)).success_count == 90


async def test_a_slice_ends_if_all_its_leads_end_between_claim_and_mark(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure, an exclusion or a closed destination ends claimed leads without cancelling the push job."""
    async with install_with_drainer(database_url, leads=3) as (w, drainer, clay):
        accepted = await w.push()

        async def mark_after_their_end(*values: Any) -> Any:
            async with w.database.transaction() as connection:
                await end_queued(connection, [accepted.job_id], Cause.ERASED)
            return await mark_sending(*values)

        monkeypatch.setattr(slice_sends, "mark_sending", mark_after_their_end)
        async with asyncio.timeout(30):
            await drainer.drain(accepted.job_id)
        assert (await w.job(accepted.job_id)).failed_count == 3
        assert clay.posts == []
