"""The requests of one slice that are in flight: sends each POST, records its outcome, and halts the slice when it must.

In-flight requests may finish after their slice ends: the context tracks them until their response, or the worker's end.
"""

import asyncio
from collections.abc import Callable, Coroutine

from clay_push_service import logs
from clay_push_service.clay.outcome import Outcome, Streaks, Verdict
from clay_push_service.sending.attempt import attempt
from clay_push_service.sending.build_payloads import Ready
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.open_job import OpenJob

log = logs.get(__name__)


class InFlight:
    """`halted`: the slice sends no more. `resume_seconds`: the whole destination must pause for this long."""

    def __init__(self, context: SendingContext, job: OpenJob) -> None:
        self._context = context
        self._job = job
        self._tasks: set[asyncio.Task[None]] = set()
        self._streaks = Streaks()
        self.halted = False
        self.resume_seconds = 0.0

    @property
    def destination_failed(self) -> bool:
        """Whether this slice's own responses close the destination or make it wait; the recorded ones decide."""
        return self._streaks.closes or self._streaks.waits

    def halt(self, resume_seconds: float = 0.0) -> None:
        """End the slice. The next one sends the remaining deliveries, `resume_seconds` from now."""
        self.halted = True
        self.resume_seconds = max(self.resume_seconds, resume_seconds)

    def distribute(self, take: Callable[[], Ready | None], senders: int, limit: asyncio.Semaphore) -> None:
        """Start `senders` tasks that send what `take` returns (marked `sending`; None ends them), one after another.

        One task per delivery, started after a wait for the limit, cost a tenth of the worker's speed.
        """
        for _ in range(senders):
            self._track(self._send_each(take, limit))

    def _track(self, sending: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(sending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._context.track(task)

    async def wait(self) -> None:
        """Wait until every POST has its response."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _send_each(self, take: Callable[[], Ready | None], limit: asyncio.Semaphore) -> None:
        while True:
            # Acquired for each delivery, so that another slice of the same destination can send in between.
            async with limit:
                ready = take()
                if ready is None:
                    return
                await self._post(ready)

    async def _post(self, ready: Ready) -> None:
        await attempt(self._context, self._job, ready, self._react)

    def _react(self, outcome: Outcome) -> None:
        self._streaks = self._streaks.after(outcome)
        if self.destination_failed:
            self.halted = True
        if outcome.verdict is Verdict.WAIT and outcome.retry_after_seconds is not None:
            self.halt(outcome.retry_after_seconds)
