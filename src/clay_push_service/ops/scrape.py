"""Exports the state of the queue as Prometheus text, read from the database at most every few seconds.

Separate from the metrics of the process, because only web processes read it: a worker would serve zeros under the same names.
While the database does not respond, only `clay_push_database_up` is exported: a stale or invented number would silence an alert.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from clay_push_service.ops.health import Vitals
from clay_push_service.ops.pace import REASONS

FRESH_SECONDS = 5.0
"""Several scrapers at the same time cost one read of the queue."""

CLOSED_REASONS = ("unauthorized", "quota_exhausted", "webhook_gone", "blocked", "secret_unreadable")
"""Always exported, with 0 where none is closed: an alert must distinguish zero from missing."""


class Scrape:
    """The cached text of one web process."""

    def __init__(self) -> None:
        self._text = b""
        self._read_at = float("-inf")
        self._lock = asyncio.Lock()

    async def text(self, read: Callable[[], Awaitable[Vitals | None]]) -> bytes:
        async with self._lock:
            if time.monotonic() - self._read_at >= FRESH_SECONDS:
                self._text = render(await read())
                self._read_at = time.monotonic()
            return self._text


def render(seen: Vitals | None) -> bytes:
    """`seen` None: the database does not respond."""
    registry = CollectorRegistry()
    Gauge("clay_push_database_up", "1 if the database responded to this scrape, else 0", registry=registry).set(
        seen is not None
    )
    if seen is None:
        return generate_latest(registry)
    queue = Gauge(
        "clay_push_queue_leads",
        "Leads without an outcome (`pending`); `due`: those that can be sent now",
        ["state"],
        registry=registry,
    )
    queue.labels(state="pending").set(seen.pending)
    queue.labels(state="due").set(seen.due)
    single = (
        ("clay_push_live_jobs", "Push jobs that have not finished", seen.live_jobs),
        (
            "clay_push_oldest_due_seconds",
            "Seconds since the oldest sendable lead became due",
            seen.oldest_due_seconds or 0.0,
        ),
        (
            "clay_push_idle_due_seconds",
            "Seconds that sendable leads have been due without a slice on their push job",
            seen.idle_seconds or 0.0,
        ),
        ("clay_push_live_workers", "Workers with a heartbeat in the last 30 s", seen.live_workers),
        ("clay_push_database_seconds", "Seconds of one round trip to the database", seen.latency_ms / 1000),
        ("clay_push_quota_fullest_ratio", "Used share (0 to 1) of the fullest webhook in use", seen.quota.fullest),
    )
    for name, text, value in single:
        Gauge(name, text, registry=registry).set(value)
    waiting = Gauge(
        "clay_push_waiting_leads",
        "Leads without an outcome, by the reason that they wait for",
        ["reason"],
        registry=registry,
    )
    for reason in REASONS:
        waiting.labels(reason=reason)
    for why in seen.pace.waiting:
        waiting.labels(reason=why.reason).set(why.leads)
    destinations = Gauge("clay_push_destinations", "Destinations that are not open", ["state"], registry=registry)
    destinations.labels(state="waiting").set(seen.waiting)
    destinations.labels(state="closed").set(seen.closed)
    Gauge("clay_push_suspect_destinations", "Destinations whose results have stopped", registry=registry).set(
        seen.suspect
    )
    closed = Gauge("clay_push_closed_destinations", "Closed destinations, by reason", ["reason"], registry=registry)
    for reason in CLOSED_REASONS:
        closed.labels(reason=reason)
    for state in seen.states:
        if state.state == "closed":
            closed.labels(reason=state.reason or "none").set(state.count)
    quota = Gauge(
        "clay_push_quota_destinations",
        "Webhooks in use above this share of their lifetime submissions",
        ["over"],
        registry=registry,
    )
    quota.labels(over="0.8").set(seen.quota.over_80)
    quota.labels(over="0.95").set(seen.quota.over_95)
    ended = Gauge(
        "clay_push_finished_last_hour",
        "Deliveries that finished in the last hour",
        ["status", "cause"],
        registry=registry,
    )
    for each in seen.last_hour:
        ended.labels(status=each.status, cause="none" if each.cause == each.status else each.cause).set(each.count)
    return generate_latest(registry)
