"""Keeps one POST in its slot of the pace: checks the time when the connection is ready, and again right before the first byte.

A POST that is late by more than half its interval could coincide with the POST of another worker. It leaves its slot unused and
reserves another one, for any cause of the delay: a stopped process, a slow connection or a slow database.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from clay_push_service import metrics
from clay_push_service.database.clock import DatabaseClock

LATE_SHARE = 0.98
"""The smallest distance of two POSTs of one process, as a share of their interval, also if the first was late."""
LEAST_TOLERANCE = timedelta(milliseconds=50)
"""Half of the shortest interval of a public webhook. A sandbox may have shorter intervals, which an event loop cannot meet exactly."""


@dataclass(frozen=True, slots=True)
class Slot:
    """`at`: the moment on the database's clock; `interval`: the delay between two slots when it was reserved."""

    at: datetime
    interval: timedelta

    @property
    def tolerance(self) -> timedelta:
        return max(self.interval / 2, LEAST_TOLERANCE)


class SlotGate:
    """The gate of one POST. `renew` reserves another slot, or returns None if the POST has to wait longer."""

    def __init__(
        self,
        slot: Slot,
        clock: DatabaseClock,
        last_sent: MutableMapping[UUID, float],
        workspace_id: UUID,
        renew: Callable[[], Awaitable[Slot | None]],
    ) -> None:
        """`last_sent`: when this process sent the workspace's last POST, on `time.monotonic()`."""
        self._slot = slot
        self._clock = clock
        self._last_sent = last_sent
        self._workspace_id = workspace_id
        self._renew = renew
        self.late_seconds: float | None = None
        """Between the slot and the first byte; None: no byte was sent."""
        self.lost = False
        """No slot was available soon, so the POST was not sent."""

    async def wait(self) -> bool:
        """Return at the time of the slot or of a later one. False: no slot is available soon."""
        while True:
            spaced = self._last_sent[self._workspace_id] + self._slot.interval.total_seconds() * LATE_SHARE
            now = time.monotonic()
            seconds = max(self._clock.at(self._slot.at), spaced) - now
            if seconds > 0:
                await asyncio.sleep(seconds)
            elif self._is_late(now):
                metrics.SLOTS_LATE.inc()
                renewed = await self._renew()
                if renewed is None:
                    self.lost = True
                    return False
                self._slot = renewed
            else:
                return True

    def opens(self) -> bool:
        """Call right before the first byte. False: the process was delayed after `wait`, so the POST must not be sent."""
        now = time.monotonic()
        if self._is_late(now):
            return False
        self._last_sent[self._workspace_id] = now
        self.late_seconds = now - self._clock.at(self._slot.at)
        return True

    def _is_late(self, now: float) -> bool:
        return now - self._clock.at(self._slot.at) > self._slot.tolerance.total_seconds()
