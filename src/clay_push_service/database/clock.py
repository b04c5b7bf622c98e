"""Clock of the database, mapped to the monotonic clock of this process; the only source of "now" in a process.

If the local clock differs from the database's by more than WRONG_SECONDS, the process uses the database's and logs it once.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.database.statement import Statement

KEEP_SECONDS = 60.0
DRIFT_SECONDS = 0.01
"""Two clocks drift apart by less than this within KEEP_SECONDS (100 parts in a million make 6 ms)."""
WRONG_SECONDS = 5.0
"""Clocks synchronized by NTP differ by milliseconds. Five seconds are irrelevant for a token or a Retry-After date."""
NOW = Statement("SELECT clock_timestamp()", datetime)

log = logs.get(__name__)


class DatabaseClock:
    """Uses the reading with the shortest round trip of the last minute: a slow reading would shift every slot."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        """`wall`: the local clock, in seconds since 1970."""
        self._wall = wall
        self._offset = 0.0
        self._round_trip = float("inf")
        self._read_at = float("-inf")
        self._slept = 0.0
        self._is_reported = False

    def learn(self, now: datetime, sent_at: float, received_at: float) -> None:
        """Use a reading: `now` is the database's time, taken between `sent_at` and `received_at` of `time.monotonic()`."""
        round_trip = received_at - sent_at
        # If this reading contradicts the stored offset, a clock was set or this machine was suspended.
        error = self._round_trip / 2 + DRIFT_SECONDS
        wrong = not sent_at - error <= self.at(now) <= received_at + error
        if wrong or round_trip <= self._round_trip or received_at - self._read_at > KEEP_SECONDS:
            self._offset = (sent_at + received_at) / 2 - now.timestamp()
            self._round_trip = round_trip
            self._read_at = received_at
            self._slept = _slept_seconds()
        self._report()

    def at(self, moment: datetime) -> float:
        """Return the moment as a value of `time.monotonic()`."""
        return moment.timestamp() + self._offset

    def now(self) -> datetime:
        """See `timestamp`."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def timestamp(self) -> float:
        """Return seconds since 1970 of the local clock, or of the database's if the local clock is wrong."""
        own = self._wall()
        offset = self._wall_offset(own)
        return own - offset if offset is not None and self._is_wrong(offset) else own

    @property
    def wall_offset_seconds(self) -> float | None:
        """The local clock minus the database's; None before the first reading."""
        return self._wall_offset(self._wall())

    def _wall_offset(self, own: float) -> float | None:
        if self._round_trip == float("inf"):
            return None
        # The monotonic clock stands still while a machine is suspended, the database's does not.
        slept = _slept_seconds() - self._slept
        return own - (time.monotonic() + slept - self._offset)

    def _is_wrong(self, offset: float) -> bool:
        return abs(offset) - self._round_trip / 2 > WRONG_SECONDS

    def _report(self) -> None:
        offset = self.wall_offset_seconds
        is_wrong = offset is not None and self._is_wrong(offset)
        if is_wrong == self._is_reported:
            return
        self._is_reported = is_wrong
        if is_wrong:
            log.warning("clock.wrong", offset_seconds=round(offset or 0.0, 1), used="the database's")
        else:
            log.info("clock.right")


def _slept_seconds() -> float:
    """Return how long this machine has been suspended since boot, plus a constant; 0 if unknown."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


async def read_clock(connection: AsyncConnection, clock: DatabaseClock) -> None:
    """Read the database's time in one round trip and update `clock`."""
    sent_at = time.monotonic()
    now = await NOW.one(connection)
    clock.learn(now, sent_at, time.monotonic())
