"""Sends the batches of one slice: marks them in windows, sends each window concurrently, and halts the slice when it must.

In-flight requests may finish after their slice ends: the context tracks them until their response, or the worker's end.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from clay_push_service.clay.outcome import Outcome, Streaks, Verdict
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.claim import Claimed, mark_sending
from clay_push_service.sending.attempt import attempt
from clay_push_service.sending.build_payloads import Ready
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.open_job import OpenJob
from clay_push_service.sending.prefetch import prefetch

SLICE_SECONDS = 1.0
LONGEST_SLICE_SECONDS = 30.0
"""Limit of a slice that continues because no other job waits: a queue job that runs for minutes looks stuck."""
WINDOW = timedelta(milliseconds=200)
WINDOW_LEADS = 100
"""Only the next window is marked `sending`, at most one window ahead: a crash makes no more than that uncertain."""
CANCEL_CHECK_SECONDS = 0.5

CANCELLED = Statement("SELECT 1 FROM clay.push_jobs WHERE id = :job_id AND cancel_requested_at IS NOT NULL", int)


@dataclass(frozen=True, slots=True)
class _Window:
    """Deliveries that are marked `sending`. `marked_at`: on `time.monotonic()`, no later than the start of their lease."""

    batch: list[Ready]
    marked_at: float


class SliceSends:
    """`unsent`: the slice's claimed deliveries; each leaves it at the moment it becomes a POST, or if its claim was lost."""

    def __init__(self, context: SendingContext, job: OpenJob, unsent: dict[UUID, Claimed]) -> None:
        self._context = context
        self._job = job
        self._unsent = unsent
        self._tasks: set[asyncio.Task[None]] = set()
        self._streaks = Streaks()
        self._halted = False
        self.resume_seconds = 0.0
        """The whole destination must pause for this long."""
        self.destination_failed = False
        """This slice's own responses close the destination or make it wait; the recorded ones decide."""
        self.has_pace = False
        """The workspace has a pace now, after a 429: the pacer sends the rest."""
        self._window_leads = min(context.config.in_flight_per_destination, WINDOW_LEADS)
        self._started = self._checked = time.monotonic()
        # A delivery claimed at the start may wait for its slot until the end, and its response must arrive in its lease.
        self._longest_seconds = min(LONGEST_SLICE_SECONDS, context.config.send_within_seconds)

    async def send_batches(self, batches: AsyncGenerator[list[Ready], None]) -> None:
        """Return when all POSTs have started or the slice halts, without waiting for responses. Closes `batches`."""
        async with aclosing(prefetch(self._windows(batches))) as windows:
            try:
                async for window in windows:
                    await self._send(window)
            finally:
                # The prefetched iterator may wait until deliveries are sent; after an error they are not.
                self._halt()

    async def may_continue(self) -> bool:
        """Whether the slice may claim more; it may not once it has halted or the worker stops."""
        await self._halt_if_others_wait()
        return not self._must_stop

    async def wait_until_recorded(self) -> None:
        """Wait until nothing is claimed, in flight or unrecorded, or until the slice must end and its POSTs are recorded."""
        while self._unsent and not self._must_stop:  # noqa: ASYNC110 - rare: after a worker died with a claim
            await asyncio.sleep(0.005)
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._context.result_writer.flush()

    async def _halt_if_others_wait(self) -> None:
        """Checked once a second: end the slice if another push job waits, or at the slice's limit."""
        now = time.monotonic()
        if now - self._checked >= SLICE_SECONDS:
            self._checked = now
            if now - self._started >= self._longest_seconds or await self._context.other_jobs_are_waiting(self._job.id):
                self._halt()

    @property
    def _must_stop(self) -> bool:
        return self._halted or self._context.stopping.is_set()

    async def _windows(self, batches: AsyncGenerator[list[Ready], None]) -> AsyncGenerator[_Window, None]:
        """The windows of all batches in one sequence: the next is marked while the last is sent, between batches too."""
        async with aclosing(batches):
            try:
                async for batch in batches:
                    async with aclosing(self._windows_of_batch(batch)) as windows:
                        async for window in windows:
                            yield window
            except BaseException:
                # Closed or failed: the batches must not wait for deliveries that are never sent. Not at the regular end,
                # when the last window is still being sent.
                self._halt()
                raise

    async def _windows_of_batch(self, batch: list[Ready]) -> AsyncGenerator[_Window, None]:
        """Mark each window shortly before it is sent. Halts the slice if the workspace has a pace now."""
        rest = deque(batch)
        if not self._must_stop and await self._context.has_pace(self._job.workspace):
            self.has_pace = True
            self._halt()
        while rest and not self._must_stop:
            count = min(self._window_leads, len(rest))
            window = await self._mark([rest.popleft() for _ in range(count)])
            if window.batch:  # else all of them ended since the claim
                yield window
            await self._halt_if_others_wait()

    async def _mark(self, batch: list[Ready]) -> _Window:
        """Mark deliveries of one claim as `sending`; those whose claim was lost are dropped."""
        marked_at = time.monotonic()
        ids = [ready.claimed.delivery_id for ready in batch]
        async with self._context.database.driver() as connection:
            marked = await mark_sending(connection, batch[0].claimed.token, ids, self._context.config.lease)
        if len(marked) < len(ids):
            for lost in set(ids) - marked:
                self._unsent.pop(lost, None)
            batch = [ready for ready in batch if ready.claimed.delivery_id in marked]
        return _Window(batch, marked_at)

    async def _send(self, window: _Window) -> None:
        """Return when all POSTs have started or the slice halts."""
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

        async def send_each() -> None:
            while True:
                # Acquired for each delivery, so that another slice of the same destination can send in between.
                async with limit:
                    ready = take()
                    if ready is None:
                        return
                    await attempt(self._context, self._job, ready, self._react)

        # One task per delivery, started after a wait for the limit, cost a tenth of the worker's speed.
        for _ in range(min(self._context.config.in_flight_per_destination, len(remaining))):
            self._track(send_each())
        while not all_taken.is_set():
            await self._wait_or_check_cancelled(all_taken.wait())
            if self._must_stop:
                return
        self._adjust_window(len(window.batch), time.monotonic() - started)

    def _adjust_window(self, sent: int, seconds: float) -> None:
        """As many deliveries as start within a window's time, so that few are uncertain after a crash."""
        if sent < self._window_leads:
            return  # the rest of a batch: too few to measure the receiver's speed
        fitting = int(sent * WINDOW.total_seconds() / max(seconds, 0.001))
        # At most doubled: the first deliveries find the limit free, so they do not measure the receiver's speed.
        fitting = min(fitting, 2 * sent)
        self._window_leads = min(max(fitting, self._context.config.in_flight_per_destination), WINDOW_LEADS)

    def _may_send(self, send_until: float) -> bool:
        # Late after a freeze of this process or a long wait for the limit: the lease might end before the response.
        if time.monotonic() > send_until:
            self._halt()
        return not self._must_stop

    async def _wait_or_check_cancelled(self, waiting: Coroutine[None, None, bool]) -> None:
        """Wait for a short time. On timeout, halt if the push job is cancelled: a receiver may stall."""
        try:
            async with asyncio.timeout(CANCEL_CHECK_SECONDS):
                await waiting
        except TimeoutError:
            async with self._context.database.driver() as connection:
                if await CANCELLED.rows(connection, {"job_id": self._job.id}):
                    self._halt()

    def _track(self, sending: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(sending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._context.track(task)

    def _react(self, outcome: Outcome) -> None:
        self._streaks = self._streaks.after(outcome)
        self.destination_failed = self._streaks.closes or self._streaks.waits
        if self.destination_failed:
            self._halt()
        if outcome.verdict is Verdict.WAIT and outcome.retry_after_seconds is not None:
            self._halt(outcome.retry_after_seconds)

    def _halt(self, resume_seconds: float = 0.0) -> None:
        """End the slice. The next one sends the remaining deliveries, `resume_seconds` from now."""
        self._halted = True
        self.resume_seconds = max(self.resume_seconds, resume_seconds)
