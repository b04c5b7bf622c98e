"""The POSTs of one slice: started, judged, recorded; and what their answers say to the slice: go on, halt, resume when.

They outlive their slice: the drainer keeps them until each has its answer, or the worker ends.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

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
from clay_push_service.sending.open_job import OpenJob

if TYPE_CHECKING:
    from clay_push_service.sending.drainer import Drainer

PATIENCE_SECONDS = 2.0
"""A slot further away than this is waited for in the queue, not in the worker."""

log = logs.get(__name__)


class Posts:
    """`halted`: send no more, or not for `resume_seconds`, which holds for all leads of the destination."""

    def __init__(self, drainer: "Drainer", job: OpenJob) -> None:
        self._drainer = drainer
        self._job = job
        self._in_flight: set[asyncio.Task[None]] = set()
        self._streaks = Streaks()
        self.halted = False
        self.resume_seconds = 0.0

    @property
    def says_closed_or_waiting(self) -> bool:
        """What these answers alone make of the destination; the record of all of them is what counts."""
        return self._streaks.closes or self._streaks.waits

    def halt(self, resume_seconds: float = 0.0) -> None:
        """The slice ends. What is left is for the next one, `resume_seconds` from now."""
        self.halted = True
        self.resume_seconds = max(self.resume_seconds, resume_seconds)

    def start(self, ready: Ready, room: asyncio.Semaphore | None, slot: Slot | None, send_until: float) -> None:
        """Send one lead that is marked `sending`. `room`: a place in flight that it holds until its answer.

        `send_until`: of `time.monotonic()`; after it no other slot is reserved, or the lease might end before the answer.
        """
        self._keep(self._one(ready, room, slot, send_until))

    def share_out(self, take: Callable[[], Ready | None], senders: int, room: asyncio.Semaphore) -> None:
        """Send what `take` hands out (marked `sending`, None at its end), each sender one lead after another.

        A task a lead, each started by somebody who had waited for its place, took a tenth of the worker.
        """
        for _ in range(senders):
            self._keep(self._one_after_another(take, room))

    def _keep(self, sending: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(sending)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        self._drainer.keep(task)

    async def answered(self) -> None:
        """Wait until every POST has its answer."""
        if self._in_flight:
            await asyncio.wait(self._in_flight)

    async def _one(self, ready: Ready, room: asyncio.Semaphore | None, slot: Slot | None, send_until: float) -> None:
        gate = None
        if slot is not None:
            org_id, clock, last_sent = self._job.org_id, self._drainer.clock, self._drainer.last_sent
            gate = SlotGate(slot, clock, last_sent, org_id, partial(self._another_slot, send_until))
        try:
            await self._post(ready, gate)
        finally:
            if room is not None:
                room.release()

    async def _one_after_another(self, take: Callable[[], Ready | None], room: asyncio.Semaphore) -> None:
        while True:
            async with room:  # for each lead anew: another slice of the same destination has its turn in between
                ready = take()
                if ready is None:
                    return
                await self._post(ready)

    async def _another_slot(self, send_until: float) -> Slot | None:
        """For a lead whose slot was late. None: the slice has ended, or the next slot is too far away."""
        while not self.halted and not self._drainer.stopping.is_set() and time.monotonic() < send_until:
            try:
                reservation, now = await self._drainer.reserve(self._job.org_id, 1)
            except UNAVAILABLE as error:
                log.warning("slot.not_reserved", job_id=str(self._job.id), **failure(error))
                return None
            if reservation.slots or reservation.unpaced:
                return Slot(reservation.slots[0] if reservation.slots else now, reservation.interval)
            wait_seconds = reservation.wait.total_seconds()
            if wait_seconds > PATIENCE_SECONDS:
                return None
            await asyncio.sleep(min(wait_seconds + 0.002, 0.25))
        return None

    async def _post(self, ready: Ready, gate: SlotGate | None = None) -> None:
        self._drainer.posts_in_flight += 1
        attempt = Attempt()
        try:
            await self._drainer.client.post(self._job.target, ready.payload.body, gate, attempt)
        except Exception as error:
            # The client answers with values, so an exception is a bug. Only a status counts then; everything else ends
            # the delivery as `unknown`, because a bug that every attempt meets would hold the job for ever.
            log.exception("delivery.broke", delivery_id=str(ready.claimed.delivery_id), **failure(error))
            if not isinstance(attempt.response, Responded):
                attempt.response = NoResponse(NoResponseKind.TIMEOUT)
        finally:
            self._drainer.posts_in_flight -= 1
            self._record(ready, attempt.response, gate)

    def _record(self, ready: Ready, response: Response, gate: SlotGate | None) -> None:
        outcome = outcome_of(response, ready.claimed.attempts + 1, self._drainer.clock.now())
        if self._job.probe and outcome.counts_toward is Streak.OUTAGE:
            outcome = replace(outcome, verdict=Verdict.WAIT, retry_after_seconds=None, uses_attempt=False)
        delay = 0.0
        if outcome.verdict is Verdict.RETRY:
            delay = backoff_seconds(
                ready.claimed.attempts + 1, self._drainer.config.retry_delays, self._drainer.random.random()
            )
        self._drainer.recorder.add(
            Result(
                ready.claimed.delivery_id, self._job.id, self._job.version_id, ready.claimed.token, outcome, delay,
                attempts=ready.claimed.attempts, duration_ms=response.duration_ms, payload_hash=ready.payload.hash,
                late_seconds=None if gate is None else gate.late_seconds,
            )
        )  # fmt: skip
        self._streaks = self._streaks.after(outcome)
        if self.says_closed_or_waiting:
            self.halted = True
        if outcome.verdict is Verdict.WAIT and outcome.retry_after_seconds is not None:
            self.halt(outcome.retry_after_seconds)
            if outcome.status is not None:
                metrics.THROTTLED.inc()
                self._drainer.keep(asyncio.create_task(self._throttle(outcome)))

    def record_unsendable(self, unsendable: Unsendable) -> None:
        """It never came to a POST."""
        outcome = Outcome(Verdict.FAILED, unsendable.cause, uses_attempt=False)
        self._drainer.recorder.add(
            Result(
                unsendable.claimed.delivery_id, self._job.id, self._job.version_id, unsendable.claimed.token, outcome,
                attempts=unsendable.claimed.attempts, detail=unsendable.detail, sent=False,
            )
        )  # fmt: skip

    async def _throttle(self, outcome: Outcome) -> None:
        try:
            async with self._drainer.database.transaction() as connection:
                await throttle(connection, self._job.org_id, outcome.retry_after_seconds or 1.0)
        except Exception as error:  # noqa: BLE001 - the next 429 says it again
            log.warning("pace.not_moved", org_id=str(self._job.org_id), **failure(error))
