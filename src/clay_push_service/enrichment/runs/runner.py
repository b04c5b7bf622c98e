"""Advances an organization's enrichment at each wake-up: starts runs and polls them; and the worker's shutdown."""

import asyncio
import contextlib
from uuid import UUID

from clay_push_service import logs, queue
from clay_push_service.database.failed_statement import failure
from clay_push_service.enrichment.runs.adopt import adopt_reported
from clay_push_service.enrichment.runs.context import EnrichmentContext
from clay_push_service.enrichment.runs.poll import poll_next
from clay_push_service.enrichment.runs.start import start_next
from clay_push_service.enrichment.runs.sweep import sweep

MAX_STEPS = 10
"""Starts and polls per wake-up, so that other organizations get their turn."""
BUSY_SECONDS = 1.0
"""Delay of a wake-up for an organization that this process already advances, or while it stops."""
FAILED_SECONDS = 5.0

log = logs.get(__name__)


class EnrichmentRunner:
    """One per worker process."""

    def __init__(self, context: EnrichmentContext) -> None:
        self.context = context
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    async def advance(self, org_id: UUID) -> None:
        """Handles a queue job; raises no expected error. A request in flight continues after a cancellation of the handler."""
        if self.context.stopping.is_set() or org_id in self._tasks:
            await self._wake(org_id, BUSY_SECONDS)
            return
        task = asyncio.create_task(self._advance(org_id))
        self._tasks[org_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(org_id, None))
        await asyncio.shield(task)

    async def run(self) -> None:
        """Sweeps until cancelled."""
        while True:
            try:
                await sweep(self.context.database)
            except Exception as error:  # noqa: BLE001 - the next sweep repeats it
                log.warning("enrichment.sweep_failed", **failure(error))
            await asyncio.sleep(self.context.settings.sweep_seconds)

    async def stop(self, grace_seconds: float) -> None:
        """Starts nothing new, and waits for requests in flight. A start without a response by then becomes held."""
        self.context.stopping.set()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=grace_seconds)
        for task in list(self._tasks.values()):
            task.cancel()

    async def _advance(self, org_id: UUID) -> None:
        try:
            seconds = await self._steps(org_id)
        except Exception as error:
            log.exception("enrichment.advance_failed", org_id=str(org_id), **failure(error))
            seconds = FAILED_SECONDS
        if seconds is not None:
            await self._wake(org_id, seconds)

    async def _steps(self, org_id: UUID) -> float | None:
        """Returns the delay of the next wake-up; None: nothing is queued or running."""
        for _ in range(MAX_STEPS):
            if self.context.stopping.is_set():
                return BUSY_SECONDS
            await adopt_reported(self.context, org_id)
            delays = await self._start_and_poll(org_id)
            if not delays:
                return None
            if min(delays) > 0:
                return min(delays)
        return 0.0

    async def _start_and_poll(self, org_id: UUID) -> list[float]:
        """Starts and polls concurrently, so that results are read while a start waits for its response. Both end, also if one fails."""
        found = await asyncio.gather(
            start_next(self.context, org_id), poll_next(self.context, org_id), return_exceptions=True
        )
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return [each for each in found if isinstance(each, float)]

    async def _wake(self, org_id: UUID, seconds: float) -> None:
        with contextlib.suppress(Exception):  # the sweep queues a lost wake-up again
            async with self.context.database.transaction() as connection:
                await queue.wake_enrichment(connection, org_id, delay_seconds=seconds)
