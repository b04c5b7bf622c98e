"""Sends the windows of one slice, as many deliveries at the same time as the concurrency limit allows."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.claim import Claimed
from clay_push_service.sending.build_payloads import Ready
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.in_flight import InFlight
from clay_push_service.sending.open_job import OpenJob

WINDOW = timedelta(milliseconds=200)
WINDOW_LEADS = 100
"""Only the next window is marked `sending`, at most one window ahead: a crash makes no more than that uncertain."""
CANCEL_CHECK_SECONDS = 0.5

CANCELLED = Statement("SELECT 1 FROM clay.push_jobs WHERE id = :job_id AND cancel_requested_at IS NOT NULL", int)


@dataclass(frozen=True, slots=True)
class Window:
    """Deliveries that are marked `sending`. `marked_at`: on `time.monotonic()`, no later than the start of their lease."""

    batch: list[Ready]
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
        started, remaining = time.monotonic(), deque(window.batch)
        all_taken = asyncio.Event()

        def take() -> Ready | None:
            ready = remaining.popleft() if remaining and self._may_send(send_until) else None
            if ready is not None:
                self._unsent.pop(ready.claimed.delivery_id)
            if ready is None or not remaining:
                all_taken.set()
            return ready

        limit = self._context.concurrency_limit(self._job.destination_id)
        self._in_flight.distribute(take, min(self._context.config.in_flight_per_destination, len(remaining)), limit)
        while not all_taken.is_set():
            await self._wait_or_check_cancelled(all_taken.wait())
            if self.must_stop:
                return
        if len(window.batch) < self.window_leads:
            return  # the rest of a batch: too few to measure the receiver's speed
        # As many deliveries as start within a window's time, so that few are uncertain after a crash.
        fitting = int(len(window.batch) * WINDOW.total_seconds() / max(time.monotonic() - started, 0.001))
        # At most doubled: the first deliveries find the limit free, so they do not measure the receiver's speed.
        fitting = min(fitting, 2 * len(window.batch))
        self.window_leads = min(max(fitting, self._context.config.in_flight_per_destination), WINDOW_LEADS)

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
