"""The requests of one slice that are in flight: sends each POST, records its outcome, and halts the slice when it must.

In-flight requests may finish after their slice ends: the context tracks them until their response, or the worker's end.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial

from clay_push_service import logs, metrics
from clay_push_service.clay.outcome import Outcome, Streak, Streaks, Verdict, backoff_seconds, outcome_of
from clay_push_service.clay.response import NoResponse, NoResponseKind, Responded, Response
from clay_push_service.clay.webhook_client import Attempt
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.deliveries.results import Result
from clay_push_service.destinations.slot_gate import Slot, SlotGate
from clay_push_service.destinations.slots import throttle
from clay_push_service.sending.build_payloads import Ready, Unsendable
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.open_job import OpenJob

LONGEST_WAIT_SECONDS = 2.0
"""A slice waits this long for a slot; for a later slot the push job waits in the queue."""

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

    def start(self, ready: Ready, limit: asyncio.Semaphore | None, slot: Slot | None, send_until: float) -> None:
        """Send one delivery that is marked `sending`. `limit`: acquired by the caller, released after the response.

        `send_until`: on `time.monotonic()`; no other slot is reserved after it, or the lease might end before the response.
        """
        self._track(self._send(ready, limit, slot, send_until))

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

    async def _send(self, ready: Ready, limit: asyncio.Semaphore | None, slot: Slot | None, send_until: float) -> None:
        gate = None
        if slot is not None:
            renew = partial(self._reserve_another_slot, send_until)
            gate = SlotGate(slot, self._context.clock, self._context.last_sent, self._job.workspace.id, renew)
        try:
            await self._post(ready, gate)
        finally:
            if limit is not None:
                limit.release()

    async def _send_each(self, take: Callable[[], Ready | None], limit: asyncio.Semaphore) -> None:
        while True:
            # Acquired for each delivery, so that another slice of the same destination can send in between.
            async with limit:
                ready = take()
                if ready is None:
                    return
                await self._post(ready)

    async def _reserve_another_slot(self, send_until: float) -> Slot | None:
        """For a delivery whose slot has passed. None: the slice has ended, or the next slot is too late."""
        while not self.halted and not self._context.stopping.is_set() and time.monotonic() < send_until:
            try:
                reservation, now = await self._context.reserve(self._job.workspace, 1)
            except UNAVAILABLE as error:
                log.warning("slot.not_reserved", job_id=str(self._job.id), **failure(error))
                return None
            if reservation.slots or reservation.unpaced:
                return Slot(reservation.slots[0] if reservation.slots else now, reservation.interval)
            wait_seconds = reservation.wait.total_seconds()
            if wait_seconds > LONGEST_WAIT_SECONDS:
                return None
            await asyncio.sleep(min(wait_seconds + 0.002, 0.25))
        return None

    async def _post(self, ready: Ready, gate: SlotGate | None = None) -> None:
        self._context.posts_in_flight += 1
        attempt = Attempt()
        try:
            await self._context.client.post(self._job.target, ready.payload.body, gate, attempt)
        except Exception as error:
            # The client returns failures as values, so an exception is a bug. A status that was read counts; without
            # one the delivery ends as `unknown`: retries would meet the same bug and the push job would never end.
            log.exception("delivery.unexpected_error", delivery_id=str(ready.claimed.delivery_id), **failure(error))
            if not isinstance(attempt.response, Responded):
                attempt.response = NoResponse(NoResponseKind.TIMEOUT)
        finally:
            self._context.posts_in_flight -= 1
            self._record(ready, attempt.response, gate)

    def _record(self, ready: Ready, response: Response, gate: SlotGate | None) -> None:
        outcome = outcome_of(response, ready.claimed.attempts + 1, self._context.clock.now())
        if self._job.probe and outcome.counts_toward is Streak.OUTAGE:
            outcome = replace(outcome, verdict=Verdict.WAIT, retry_after_seconds=None, uses_attempt=False)
        delay = 0.0
        if outcome.verdict is Verdict.RETRY:
            delay = backoff_seconds(
                ready.claimed.attempts + 1, self._context.config.retry_delays, self._context.random.random()
            )
        self._context.result_writer.add(
            Result(
                ready.claimed.delivery_id, self._job.id, self._job.version_id, ready.claimed.token, outcome, delay,
                attempts=ready.claimed.attempts, duration_ms=response.duration_ms, payload_hash=ready.payload.hash,
                late_seconds=None if gate is None else gate.late_seconds,
            )
        )  # fmt: skip
        self._streaks = self._streaks.after(outcome)
        if self.destination_failed:
            self.halted = True
        if outcome.verdict is Verdict.WAIT and outcome.retry_after_seconds is not None:
            self.halt(outcome.retry_after_seconds)
            if outcome.status is not None:
                metrics.THROTTLED.inc()
                self._context.track(asyncio.create_task(self._throttle(outcome, response.duration_ms)))

    def record_unsendable(self, unsendable: Unsendable) -> None:
        """Record a delivery that fails before any POST."""
        outcome = Outcome(Verdict.FAILED, unsendable.cause, uses_attempt=False)
        self._context.result_writer.add(
            Result(
                unsendable.claimed.delivery_id, self._job.id, self._job.version_id, unsendable.claimed.token, outcome,
                attempts=unsendable.claimed.attempts, detail=unsendable.detail, sent=False,
            )
        )  # fmt: skip

    async def _throttle(self, outcome: Outcome, answered_in_ms: int) -> None:
        try:
            async with self._context.database.transaction() as connection:
                seconds = outcome.retry_after_seconds or 1.0
                await throttle(connection, self._job.workspace, seconds, answered_in_ms)
        except Exception as error:  # noqa: BLE001 - the next 429 throttles
            log.warning("pace.not_throttled", org_id=str(self._job.org_id), **failure(error))
