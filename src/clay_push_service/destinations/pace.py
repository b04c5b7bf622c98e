"""Calculates slots of the pace: a token bucket of capacity one (GCRA), kept as the next free slot. Pure; times are the database's.

Because the capacity is one, no burst follows a pause. Clay drops requests above 10 per second (its documentation, webhook limits).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from clay_push_service.destinations.rate_controller import RateController

HORIZON = timedelta(milliseconds=500)
"""How far ahead slots are reserved: longer than a database round trip, and short enough to react to a 429 at once."""
FIRST_SLOT_HORIZON = timedelta(seconds=1)
"""The first slot of a push job may lie further ahead, so that jobs that reserve continuously cannot starve it."""
SERVED_HORIZON = timedelta(milliseconds=1000)
"""The same for a worker that serves the workspace alone: it drops its slots after a 429, so it may reserve several at once."""
SERVED_EARLIEST = timedelta(milliseconds=120)
"""An earlier slot would pass while its lead is marked."""
LEAST_RATE_LIMIT_MS = 100
"""The shortest delay that a public webhook may have: Clay takes 10 requests/s in a workspace (its documentation)."""
DEFAULT_RATE_LIMIT_MS = 200
"""The delay between two leads of a new destination (the feature document, section 6)."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate_limit_ms`: the set delay between POSTs. The last three values: the state of the `RateController`."""

    rate_limit_ms: float
    next_slot_at: datetime
    throttled_ms: float | None = None
    throttled_at: datetime | None = None
    recovery_ms: float | None = None

    @property
    def _controller(self) -> RateController:
        return RateController(self.rate_limit_ms, self.throttled_ms, self.throttled_at, self.recovery_ms)

    def interval(self, now: datetime) -> timedelta:
        """The delay between two POSTs at this moment."""
        return timedelta(milliseconds=self._controller.interval_ms(now))

    def throttle(self, now: datetime, retry_after_seconds: float, sent_at: datetime) -> "Pace":
        """Clay answered 429 to the POST of `sent_at`: no slot before `retry_after_seconds` (already clamped), and a lower rate."""
        slower = self._controller.after_429(now, retry_after_seconds, sent_at)
        return Pace(
            self.rate_limit_ms,
            max(self.next_slot_at, now + timedelta(seconds=retry_after_seconds)),
            slower.throttled_ms,
            slower.throttled_at,
            slower.recovery_ms,
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


def reserve(
    pace: Pace,
    now: datetime,
    wanted: int,
    *,
    is_first_slot: bool = False,
    earliest: timedelta = timedelta(0),
    within: timedelta = HORIZON,
) -> Reservation:
    """Reserves up to `wanted` of the next slots, none before `earliest` from now and none after `within`.

    `is_first_slot`: the first slot of a push job or a test. It is one slot, which may be later than `within`.
    """
    interval = pace.interval(now)
    first = max(pace.next_slot_at, now + earliest)
    if interval <= timedelta(0) and pace.next_slot_at <= now:
        return Reservation((), timedelta(0), pace.next_slot_at, unpaced=True)
    horizon = now + (FIRST_SLOT_HORIZON if is_first_slot else within)
    if first > horizon or wanted < 1:
        return Reservation((), max(first - horizon, timedelta(0)), pace.next_slot_at)
    if interval <= timedelta(0):  # a Retry-After without a pace: one slot at its end; later POSTs are unpaced
        return Reservation((first,), timedelta(0), first)
    granted = 1 if is_first_slot else min(wanted, int((horizon - first) / interval) + 1)
    slots = tuple(first + interval * index for index in range(granted))
    return Reservation(slots, timedelta(0), first + interval * granted, interval=interval)
