"""Calculates slots of the pace: a token bucket of capacity one (GCRA), kept as the next free slot. Pure; times are the database's.

Capacity one: no burst follows a pause. Clay drops requests above 10 per second (its documentation, webhook limits).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

HORIZON = timedelta(milliseconds=500)
"""How far ahead slots are reserved: longer than a database round trip, and short enough to react to a 429 at once."""
NEWCOMER_HORIZON = timedelta(seconds=1)
"""The first slot of a push job may lie further ahead, so that jobs that reserve continuously cannot starve it."""
RECOVERY = timedelta(minutes=5)
"""After a 429 the pace returns to its set value linearly over this time."""
LEAST_RATE_LIMIT_MS = 100
"""The shortest delay that a public webhook may have: Clay takes 10 requests/s in a workspace (its documentation)."""
UNPACED_AFTER_429_MS = float(LEAST_RATE_LIMIT_MS)
"""The delay after a 429 of a destination without a pace."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate_limit_ms`: the set delay between POSTs; `throttled_ms`: the delay after the 429 at `throttled_at`."""

    rate_limit_ms: float
    next_slot_at: datetime
    throttled_ms: float | None = None
    throttled_at: datetime | None = None

    def interval(self, now: datetime) -> timedelta:
        """The delay between two POSTs at this moment."""
        if self.throttled_ms is None or self.throttled_at is None:
            return timedelta(milliseconds=self.rate_limit_ms)
        left = 1.0 - min(max((now - self.throttled_at) / RECOVERY, 0.0), 1.0)
        return timedelta(milliseconds=self.rate_limit_ms + max(self.throttled_ms - self.rate_limit_ms, 0.0) * left)

    def throttle(self, now: datetime, retry_after_seconds: float) -> "Pace":
        """Clay answered 429: no slot before `retry_after_seconds` (already clamped), and half the pace.

        429 responses to POSTs that were in flight together halve the pace once, not once each.
        """
        resume = max(self.next_slot_at, now + timedelta(seconds=retry_after_seconds))
        if self.throttled_at is not None and now - self.throttled_at < timedelta(seconds=1):
            return replace(self, next_slot_at=resume)
        current_ms = self.interval(now) / timedelta(milliseconds=1)
        return replace(
            self,
            next_slot_at=resume,
            throttled_ms=min(current_ms * 2, 60_000.0) if current_ms > 0 else UNPACED_AFTER_429_MS,
            throttled_at=now,
        )


@dataclass(frozen=True, slots=True)
class Reservation:
    """`slots`: the times to POST at; without any, `wait` is the time until the next attempt to reserve. `unpaced`: no limit applies."""

    slots: tuple[datetime, ...]
    wait: timedelta
    next_slot_at: datetime
    unpaced: bool = False
    interval: timedelta = timedelta(0)
    """Between two slots."""


def reserve(pace: Pace, now: datetime, wanted: int, *, newcomer: bool = False) -> Reservation:
    """Reserve up to `wanted` of the next slots within the horizon."""
    interval = pace.interval(now)
    first = max(pace.next_slot_at, now)
    if interval <= timedelta(0) and pace.next_slot_at <= now:
        return Reservation((), timedelta(0), pace.next_slot_at, unpaced=True)
    horizon = now + (NEWCOMER_HORIZON if newcomer else HORIZON)
    if first > horizon or wanted < 1:
        return Reservation((), max(first - horizon, timedelta(0)), pace.next_slot_at)
    if interval <= timedelta(0):  # a Retry-After without a pace: one slot at its end; later POSTs are unpaced
        return Reservation((first,), timedelta(0), first)
    granted = 1 if newcomer else min(wanted, int((horizon - first) / interval) + 1)
    slots = tuple(first + interval * index for index in range(granted))
    return Reservation(slots, timedelta(0), first + interval * granted, interval=interval)
