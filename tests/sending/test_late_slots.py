"""Late slots: the first byte of a delayed POST is sent at most half an interval after its slot."""

import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import structlog
from prometheus_client import REGISTRY

from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.destination_settings.connection_test.send_row import try_webhook
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.slot_gate import Slot, SlotGate
from clay_push_service.destinations.stored_destination import read_destination
from tests.harness.api import FixedResolver
from tests.harness.installation import Installation, install, install_with_drainer
from tests.support.receiver import OK, Receiver, receiving

FROZEN_SECONDS = 1.2


@pytest.fixture
def attempts(caplog: pytest.LogCaptureFixture) -> Iterator[Sequence[MutableMapping[str, Any]]]:
    """The log line of each attempt; successes are logged at DEBUG."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        yield lines


def lateness(lines: Sequence[MutableMapping[str, Any]]) -> list[float]:
    """Returns the lateness in ms of each POST of which a byte was sent."""
    sent = [
        line for line in lines if line["event"] == "delivery.attempted" and line["clay_response_status"] is not None
    ]
    assert all(line["late_ms"] is not None for line in sent), "every POST of a paced job had a slot"
    return [line["late_ms"] for line in sent]


async def test_a_frozen_process_reserves_new_slots_for_those_that_passed(
    database_url: str, attempts: Sequence[MutableMapping[str, Any]]
) -> None:
    """The event loop is blocked for 1.2 s, as by SIGSTOP. A dozen slots pass, and other workers do not notice."""

    def freezes(number: int, _body: bytes) -> bytes:
        if number == 3:
            time.sleep(FROZEN_SECONDS)
        return OK

    async with install_with_drainer(
        database_url, Receiver(answer=freezes), leads=25, rate_limit_ms=100, lease_seconds=60.0
    ) as (
        w,
        drainer,
        clay,
    ):
        accepted = await w.push()
        await w.drain_all(drainer, 60.0)
        assert (await w.job(accepted.job_id)).success_count == 25
    assert set(clay.leads.values()) == {1}
    late = lateness(attempts)
    assert len(late) == 25
    assert max(late) <= 50


def late_slots() -> float:
    return REGISTRY.get_sample_value("clay_push_slots_late_total") or 0.0


@asynccontextmanager
async def slow_to_connect(
    database_url: str, seconds: float, rate_limit_ms: int
) -> AsyncIterator[tuple[Installation, ClayClient, Receiver, FixedResolver]]:
    """A client whose connects take this many seconds, because the resolver of host names is slow."""
    async with receiving() as clay:
        hosts = (f"localhost:{httpx.URL(clay.url).port}",)
        long_timeouts: dict[str, Any] = {
            "lease_seconds": 60.0,
            "connect_timeout_seconds": 10.0,
            "request_timeout_seconds": 20.0,
        }
        async with install(database_url, leads=5, allowed_webhook_hosts=hosts, **long_timeouts) as w:
            await w.configure(clay.url.replace("127.0.0.1", "localhost"), rate_limit_ms=rate_limit_ms)
            resolver = FixedResolver({"localhost": ["127.0.0.1"]})
            resolver.delay_seconds = seconds
            client = ClayClient.create(w.settings, resolver=resolver)
            try:
                yield w, client, clay, resolver
            finally:
                await client.close()


@pytest.mark.parametrize("rate_limit_ms", [200, 2000], ids=["reused", "held"])
async def test_a_slot_that_passed_during_the_connect_is_replaced_for_the_same_connection(
    database_url: str, attempts: Sequence[MutableMapping[str, Any]], rate_limit_ms: int
) -> None:
    """At an interval of 2 s, every POST needs a new connection. The connection is kept and used in the new slot."""
    late_before = late_slots()
    seconds = rate_limit_ms / 1000 * 0.7
    async with slow_to_connect(database_url, seconds, rate_limit_ms) as (w, client, clay, _), w.drainer() as drainer:
        drainer.context.client = client
        accepted = await w.push(w.lead_ids[:3])
        await w.drain_all(drainer, 60.0)
        assert (await w.job(accepted.job_id)).success_count == 3
    assert set(clay.leads.values()) == {1}
    assert late_slots() > late_before
    assert max(lateness(attempts)) <= rate_limit_ms / 2


async def test_a_webhook_test_is_sent_in_its_slot(database_url: str) -> None:
    late_before = late_slots()
    async with slow_to_connect(database_url, 0.3, 200) as (w, client, clay, _):
        async with w.database.transaction() as connection:
            stored = await read_destination(connection, w.secret_box, w.org_id)
        assert stored is not None
        assert stored.webhook is not None
        policy = Policy.of(w.settings)
        finding = await try_webhook(w.database, client, policy, w.org_id, "user:test", stored.webhook, DatabaseClock())
        assert finding.success
        assert len(clay.posts) == 1
    assert late_slots() == late_before + 1


async def test_a_lead_without_another_slot_waits_again_and_is_neither_unknown_nor_lost(
    database_url: str, attempts: Sequence[MutableMapping[str, Any]]
) -> None:
    """Clay requests a pause during the connect, so the next slot is too late for the worker to wait."""
    async with slow_to_connect(database_url, 0.3, 200) as (w, client, clay, resolver), w.drainer() as drainer:
        drainer.context.client = client
        accepted = await w.push(w.lead_ids[:1])
        await w.fetch("DELETE FROM clay.procrastinate_jobs")
        resolve_host = resolver.resolve

        async def resolve(host: str, port: int = 0, family: int = 0) -> Any:
            await w.fetch("UPDATE clay.workspaces SET next_slot_at = now() + interval '1 hour'")
            return await resolve_host(host, port, family)

        resolver.resolve = resolve  # type: ignore[method-assign]
        await drainer.drain(accepted.job_id)
        await drainer.context.result_writer.flush()
        while not [line for line in attempts if line["event"] == "delivery.attempted"]:
            await drainer.context.result_writer.flush()
            await w.fetch("SELECT pg_sleep(0.01)")
        [row] = await w.deliveries(accepted.job_id)
        assert (row.state, row.status, row.attempts, row.lost_claims) == ("waiting", "pending", 0, 0)
        assert clay.posts == []
        assert await w.fetch("SELECT 1 FROM clay.procrastinate_jobs WHERE status = 'todo'"), (
            "a wake-up starts another slice"
        )


ORG = uuid4()


def gate_at(seconds: float, interval_ms: int, renewed: list[Slot | None], last_sent: float = float("-inf")) -> SlotGate:
    """A gate whose slot is `seconds` from now. The database's clock equals this machine's. `last_sent` is monotonic time."""
    clock, now = DatabaseClock(), time.monotonic()
    moment = datetime.now(UTC)
    clock.learn(moment, now, now)
    sent: defaultdict[UUID, float] = defaultdict(lambda: last_sent)

    async def renew() -> Slot | None:
        return renewed.pop(0)

    interval = timedelta(milliseconds=interval_ms)
    return SlotGate(Slot(moment + timedelta(seconds=seconds), interval), clock, sent, ORG, renew)


@pytest.mark.parametrize(("seconds", "interval_ms"), [(-0.051, 100), (-5.0, 100), (-0.6, 1000), (-0.06, 10)])
async def test_a_slot_late_by_more_than_half_its_interval_sends_nothing(seconds: float, interval_ms: int) -> None:
    gate = gate_at(seconds, interval_ms, [None])
    assert not gate.opens()
    assert not await gate.wait()
    assert (gate.lost, gate.late_seconds) == (True, None)


async def test_a_slot_late_by_less_than_half_its_interval_is_used() -> None:
    gate = gate_at(-5.0, 60_000, [])
    assert await gate.wait()
    assert gate.opens()
    assert gate.late_seconds is not None
    assert gate.late_seconds >= 5.0


async def test_posts_of_one_process_keep_their_distance_although_the_first_was_late() -> None:
    last_sent = time.monotonic() - 58.7
    gate = gate_at(-10.0, 60_000, [], last_sent=last_sent)
    assert await gate.wait()
    assert time.monotonic() - last_sent >= 58.79, (
        "the POST must leave at least 98 % of the interval after the previous one"
    )


def test_a_clock_jump_is_detected_at_the_next_reading() -> None:
    """After a suspension, the machine's own clock has not advanced, and the database's clock has advanced ten seconds."""
    clock, moment = DatabaseClock(), datetime.now(UTC)
    clock.learn(moment, 100.0, 100.002)
    later = moment + timedelta(seconds=11)
    clock.learn(later, 101.0, 101.2)
    assert 101.0 <= clock.at(later) <= 101.2
    steady = later + timedelta(seconds=1)
    clock.learn(steady, 102.05, 102.35)
    assert clock.at(steady) == pytest.approx(102.1, abs=0.001), (
        "a slower reading that is consistent must not change the clock"
    )
