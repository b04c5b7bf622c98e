"""Sends the windows of one slice: each delivery in its slot or, without a pace, as many as the concurrency limit allows."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from clay_push_service import metrics
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.claim import Claimed
from clay_push_service.destinations.slot_gate import Slot
from clay_push_service.sending.build_payloads import Ready
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.in_flight import InFlight
from clay_push_service.sending.open_job import OpenJob

WINDOW = timedelta(milliseconds=200)
WINDOW_LEADS = 100
"""Only the next window is marked `sending`, at most one window ahead: a crash makes no more than that uncertain."""
CANCEL_CHECK_SECONDS = 0.5

CANCELLED = Statement("SELECT 1 FROM clay.push_jobs WHERE id = :job_id AND cancel_requested_at IS NOT NULL", int)


class Planned(NamedTuple):
    """A delivery and its slot; None: the destination has no pace."""

    ready: Ready
    slot: Slot | None


@dataclass(frozen=True, slots=True)
class Window:
    """Deliveries that are marked `sending`. `marked_at`: on `time.monotonic()`, no later than the start of their lease."""

    planned: list[Planned]
    marked_at: float


class Sender:
    """`unsent`: claimed deliveries; each leaves it at the moment it becomes a POST. `window_leads`: limit of the next window."""

    def __init__(self, context: SendingContext, job: OpenJob, in_flight: InFlight, unsent: dict[UUID, Claimed]) -> None:
        self._context = context
        self._job = job
        self._in_flight = in_flight
        self._unsent = unsent
        self.window_leads = min(context.config.in_flight_per_destination, WINDOW_LEADS)

    @property
    def must_stop(self) -> bool:
        return self._in_flight.halted or self._context.stopping.is_set()

    async def send(self, window: Window) -> None:
        """Return when all POSTs have started or the slice ends, without waiting for responses."""
        send_until = window.marked_at + self._context.config.send_within_seconds
        limit = self._context.concurrency_limit(self._job)
        if window.planned and window.planned[0].slot is None and limit is not None:
            await self._send_unpaced(window, send_until, limit)
        else:
            await self._send_paced(window, send_until, limit)

    async def _send_unpaced(self, window: Window, send_until: float, limit: asyncio.Semaphore) -> None:
        """Send as many at a time as the limit allows. Returns when all have started; responses may take long."""
        started, remaining = time.monotonic(), deque(window.planned)
        all_taken = asyncio.Event()

        def take() -> Ready | None:
            ready = remaining.popleft().ready if remaining and self._may_send(send_until) else None
            if ready is not None:
                self._unsent.pop(ready.claimed.delivery_id)
            if ready is None or not remaining:
                all_taken.set()
            return ready

        self._in_flight.distribute(take, min(self._context.config.in_flight_per_destination, len(remaining)), limit)
        while not all_taken.is_set():
            await self._wait_or_check_cancelled(all_taken.wait())
            if self.must_stop:
                return
        if len(window.planned) < self.window_leads:
            return  # the rest of a batch: too few to measure the receiver's speed
        # As many deliveries as start within a window's time, so that few are uncertain after a crash.
        fitting = int(len(window.planned) * WINDOW.total_seconds() / max(time.monotonic() - started, 0.001))
        # At most doubled: the first deliveries find the limit free, so they do not measure the receiver's speed.
        fitting = min(fitting, 2 * len(window.planned))
        self.window_leads = min(max(fitting, self._context.config.in_flight_per_destination), WINDOW_LEADS)

    async def _send_paced(self, window: Window, send_until: float, limit: asyncio.Semaphore | None) -> None:
        """Send each in its slot (see `SlotGate`). `limit` is not None if only a 429 has given the destination a pace."""
        for ready, slot in window.planned:
            if slot is not None:
                waited_from = time.monotonic()
                await sleep_until(self._context.clock.at(slot.at))
                metrics.PACE_WAITED.inc(max(time.monotonic() - waited_from, 0.0))
            while limit is not None and not await self._wait_or_check_cancelled(limit.acquire()):
                if self.must_stop:
                    return
            # No await from here on: the acquired limit is either used by the POST or released.
            if not self._may_send(send_until):
                if limit is not None:
                    limit.release()
                return
            self._unsent.pop(ready.claimed.delivery_id)
            self._in_flight.start(ready, limit, slot, send_until)

    def _may_send(self, send_until: float) -> bool:
        # Late after a freeze of this process or a long wait for the limit: the lease might end before the response.
        if time.monotonic() > send_until:
            self._in_flight.halt()
        return not self.must_stop

    async def _wait_or_check_cancelled(self, waiting: Coroutine[None, None, bool]) -> bool:
        """Wait for a short time. Returns False on timeout, after halting if the push job is cancelled: a receiver may stall."""
        try:
            async with asyncio.timeout(CANCEL_CHECK_SECONDS):
                return await waiting
        except TimeoutError:
            async with self._context.database.driver() as connection:
                if await CANCELLED.rows(connection, {"job_id": self._job.id}):
                    self._in_flight.halt()
            return False


async def sleep_until(moment: float) -> None:
    """`moment`: on `time.monotonic()`."""
    seconds = moment - time.monotonic()
    if seconds > 0:
        await asyncio.sleep(seconds)
