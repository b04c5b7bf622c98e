"""Turns moments of the database's clock into moments of this process's event loop, as precisely as a round trip allows."""

import time
from datetime import datetime

KEEP_SECONDS = 60.0
DRIFT_SECONDS = 0.01
"""Two clocks drift apart by less than this within KEEP_SECONDS (100 parts in a million make 6 ms)."""


class DatabaseClock:
    """Trusts the reading with the shortest round trip of the last minute: a slow answer would move every slot with it."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._round_trip = float("inf")
        self._read_at = float("-inf")

    def learn(self, now: datetime, asked_at: float, answered_at: float) -> None:
        """`now` is the database's, read between `asked_at` and `answered_at` of `time.monotonic()`."""
        round_trip = answered_at - asked_at
        # Outside of what this reading allows, the offset that is kept is wrong: a clock was set, or this machine was suspended.
        error = self._round_trip / 2 + DRIFT_SECONDS
        wrong = not asked_at - error <= self.at(now) <= answered_at + error
        if wrong or round_trip <= self._round_trip or answered_at - self._read_at > KEEP_SECONDS:
            self._offset = (asked_at + answered_at) / 2 - now.timestamp()
            self._round_trip = round_trip
            self._read_at = answered_at

    def at(self, moment: datetime) -> float:
        """The moment on `time.monotonic()`."""
        return moment.timestamp() + self._offset

    def seconds_until(self, moment: datetime) -> float:
        return self.at(moment) - time.monotonic()
