"""A worker that stops during a POST records the status that it has read, or that it sent nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clay_push_service.clay import connection
from clay_push_service.deliveries.claim import Claimed, claim, release
from clay_push_service.destinations.slots import throttle
from clay_push_service.sending import attempt as attempt_module
from clay_push_service.sending import drainer as drainer_module
from clay_push_service.sending import slice as slice_module
from clay_push_service.sending.drainer import Drainer
from tests.harness.installation import Installation, install_with_drainer
from tests.support.receiver import Receiver, Stall
from tests.support.status_reading import watch_status_reading

BEGUN = {
    b"HTTP/1.1 200 OK\r\n": ("success", None, 1),
    b"HTTP/1.1 401 No\r\ncontent-le": ("failed", "unauthorized", 1),
    b"HTTP/1.1 422 No\r\ncontent-length: 9\r\n\r\nno": ("failed", "rejected", 1),
    b"HTTP/1.1 503 No\r\n": ("pending", "server_error", 1),
    b"HTTP/1.1 429 No\r\nretry-after: 60\r\n": ("pending", None, 0),
}
"""The bytes of a response that has begun, and the expected status, cause and attempts of the delivery."""


@asynccontextmanager
async def begun(
    database_url: str, clay: Receiver, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> AsyncIterator[tuple[Installation, Drainer, UUID]]:
    """Drain a push of one lead. When the block ends, the worker stops without a grace period."""
    monkeypatch.setattr(connection, "REST_SECONDS", 60)
    monkeypatch.setattr(drainer_module, "LAST_WRITE_SECONDS", 60)
    long_timeouts = {"request_timeout_seconds": 60.0, "connect_timeout_seconds": 60.0, "lease_seconds": 150.0} | changes
    async with install_with_drainer(database_url, clay, leads=2, **long_timeouts) as (w, drainer, _):
        accepted = await w.push(w.lead_ids[:1])
        task = asyncio.create_task(drainer.drain(accepted.job_id))
        async with asyncio.timeout(60):
            yield w, drainer, accepted.job_id
            await drainer.stop(0.0)
            await task


@pytest.mark.parametrize("response", BEGUN, ids=lambda each: each[9:12].decode())
async def test_a_stopping_worker_records_a_status_that_was_read(
    database_url: str, monkeypatch: pytest.MonkeyPatch, response: bytes
) -> None:
    clay = Receiver(answer=lambda _number, _body: response)
    status_is_read = watch_status_reading(monkeypatch)
    async with begun(database_url, clay, monkeypatch) as (w, drainer, job_id):
        await status_is_read.wait()
        await drainer.stop(0.0)
        [row] = await w.deliveries(job_id)
        assert (row.status, row.cause, row.attempts) == BEGUN[response]


async def test_a_stopping_worker_writes_the_pause_that_a_429_requests(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is written by its own task, which may end after the results are written."""

    async def later(*values: Any) -> None:
        await asyncio.sleep(0.5)
        await throttle(*values)

    monkeypatch.setattr(attempt_module, "throttle", later)
    clay = Receiver(answer=lambda _number, _body: b"HTTP/1.1 429 No\r\nretry-after: 600\r\n")
    status_is_read = watch_status_reading(monkeypatch)
    async with begun(database_url, clay, monkeypatch) as (w, drainer, _):
        await status_is_read.wait()
        await drainer.stop(0.0)
        [row] = await w.fetch("SELECT next_slot_at > now() + interval '5 minutes' AS paused FROM clay.workspaces")
        assert row.paused


async def test_lead_without_a_status_is_unknown_when_the_worker_stops(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clay = Receiver(answer=lambda _number, _body: Stall())
    async with begun(database_url, clay, monkeypatch) as (w, drainer, job_id):
        await clay.until(1, 60)
        await drainer.stop(0.0)
        [row] = await w.deliveries(job_id)
        assert (row.status, row.cause, row.attempts) == ("failed", "unknown", 1)


async def test_lead_without_a_connection_waits_again_when_the_worker_stops(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte of the request was sent, so the next worker may send it."""
    dialling = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        dialling.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr("aiohappyeyeballs.start_connection", never)
        async with begun(database_url, Receiver(), patched) as (w, drainer, job_id):
            await dialling.wait()
            await drainer.stop(0.0)
            [row] = await w.deliveries(job_id)
            assert (row.status, row.state, row.attempts, row.uncertain_attempts) == ("pending", "waiting", 0, 0)


async def test_lead_claimed_while_the_worker_stops_waits_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim statement that runs when the worker stops returns later, and its slice releases the lead."""
    begun_to_claim, claimed, may_return = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def claim_when_stopping(*values: Any, **named: Any) -> list[Claimed]:
        begun_to_claim.set()
        await drainer.context.stopping.wait()  # the slice has just checked whether it must stop
        claims = await claim(*values, **named)
        claimed.set()
        await may_return.wait()
        return claims

    monkeypatch.setattr(slice_module, "claim", claim_when_stopping)
    async with begun(database_url, Receiver(), monkeypatch) as (w, drainer, job_id):
        await begun_to_claim.wait()
        stopping = asyncio.create_task(drainer.stop(0.0))
        await claimed.wait()
        await asyncio.wait([stopping], timeout=0.5)
        [row] = await w.deliveries(job_id)
        assert row.state == "claimed"
        may_return.set()
        await stopping
        [row] = await w.deliveries(job_id)
        assert (row.status, row.state, row.attempts) == ("pending", "waiting", 0)


async def test_claims_that_are_added_during_a_release_are_released_too(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slice ends without a database while the sweep and a stop release the claims of an earlier slice."""
    releasing, may_release = asyncio.Event(), asyncio.Event()

    async def release_later(*values: Any) -> None:
        releasing.set()
        await may_release.wait()
        await release(*values)

    monkeypatch.setattr(drainer_module, "release", release_later)
    async with install_with_drainer(database_url, Receiver(), leads=2) as (w, drainer, _):
        accepted = await w.push(w.lead_ids)
        claims: list[Claimed] = []
        for _ in w.lead_ids:
            async with w.database.driver() as driver:
                claims += await claim(driver, accepted.job_id, uuid4(), 1, timedelta(minutes=1), suspects=False)
        first, second = claims
        drainer.context.unreleased_claims[first.token] = [first.delivery_id]
        tasks = [asyncio.create_task(drainer.release_claims()) for _ in range(2)]
        await releasing.wait()
        drainer.context.unreleased_claims[second.token] = [second.delivery_id]
        may_release.set()
        await asyncio.gather(*tasks)
        assert [row.state for row in await w.deliveries(accepted.job_id)] == ["waiting", "waiting"]
