"""What the database tells at a scrape, as Prometheus text, looked at no more often than every few seconds.

Apart from the process's own metrics, because only the web process asks: a worker would serve zeros under the same names.
When the database does not answer only that is said: a stale or made-up number would keep an alert quiet.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from clay_push_service.ops.health import Vitals

FRESH_SECONDS = 5.0
"""Two Prometheus servers and a person must not make the database count the queue three times."""

CLOSED_REASONS = ("unauthorized", "quota_exhausted", "webhook_gone", "blocked", "secret_unreadable")
"""Always there, if only as 0: an alert must tell "none" from "nobody looks"."""


class Scrape:
    """One a web process."""

    def __init__(self) -> None:
        self._text = b""
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    async def text(self, look: Callable[[], Awaitable[Vitals | None]]) -> bytes:
        async with self._looking:
            if time.monotonic() - self._looked_at >= FRESH_SECONDS:
                self._text = render(await look())
                self._looked_at = time.monotonic()
            return self._text


def render(seen: Vitals | None) -> bytes:
    """None: the database did not answer."""
    registry = CollectorRegistry()
    Gauge("clay_push_database_up", "Whether the database answered this scrape", registry=registry).set(seen is not None)
    if seen is None:
        return generate_latest(registry)
    queue = Gauge(
        "clay_push_queue_leads", "Leads without an outcome; `due` could be sent now", ["state"], registry=registry
    )
    queue.labels(state="pending").set(seen.pending)
    queue.labels(state="due").set(seen.due)
    single = (
        ("clay_push_live_jobs", "Push jobs that have not ended", seen.live_jobs),
        ("clay_push_oldest_due_seconds", "Since the oldest sendable lead was due", seen.oldest_due_seconds or 0.0),
        ("clay_push_idle_due_seconds", "Sendable leads without any worker on their push job", seen.idle_seconds or 0.0),
        ("clay_push_live_workers", "Workers with a fresh heartbeat", seen.live_workers),
        ("clay_push_database_seconds", "One round trip to the database", seen.latency_ms / 1000),
        ("clay_push_quota_fullest_ratio", "Used share of the fullest webhook in use", seen.quota.fullest),
    )
    for name, said, value in single:
        Gauge(name, said, registry=registry).set(value)
    destinations = Gauge("clay_push_destinations", "Destinations that are not open", ["state"], registry=registry)
    destinations.labels(state="waiting").set(seen.waiting)
    destinations.labels(state="closed").set(seen.closed)
    closed = Gauge(
        "clay_push_closed_destinations", "Destinations that are closed, by reason", ["reason"], registry=registry
    )
    for reason in CLOSED_REASONS:
        closed.labels(reason=reason)
    for state in seen.states:
        if state.state == "closed":
            closed.labels(reason=state.reason or "none").set(state.count)
    quota = Gauge(
        "clay_push_quota_destinations",
        "Webhooks that have used so much of their submissions",
        ["over"],
        registry=registry,
    )
    quota.labels(over="0.8").set(seen.quota.over_80)
    quota.labels(over="0.95").set(seen.quota.over_95)
    ended = Gauge(
        "clay_push_finished_last_hour", "Deliveries that ended in the last hour", ["status", "cause"], registry=registry
    )
    for each in seen.last_hour:
        ended.labels(status=each.status, cause="none" if each.cause == each.status else each.cause).set(each.count)
    return generate_latest(registry)
