"""Marks and sends the leads of served workspaces, each in its slot, and reacts to the responses.

Leads that are claimed or marked and certainly not sent are given back: their claims are released in the next tick.
"""

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from uuid import UUID

from clay_push_service import logs, metrics, queue
from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import Outcome, Verdict
from clay_push_service.database.failed_statement import failure
from clay_push_service.deliveries.claim import Claimed
from clay_push_service.deliveries.claim_turns import mark_turns, release_turns
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.destinations.slot_gate import Slot, SlotGate
from clay_push_service.sending.attempt import attempt
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.pace_share import PaceShare
from clay_push_service.sending.served import PacedLead, PlannedSend, ServedJob, ServedWorkspace

CONNECT_AHEAD_SECONDS = 0.03
"""A lead gets its connection this long before its slot."""
log = logs.get(__name__)


class PacedSends:
    """One per pacer."""

    def __init__(self, context: SendingContext) -> None:
        self._context = context
        self._to_release: list[Claimed] = []
        self._to_wake: dict[UUID, float] = {}
        """Push jobs to wake, each with the earliest moment of its wake-up."""
        self._is_releasing = False
        self.share = PaceShare()
        metrics.PACE_SHARE.set_function(lambda: self.share.share(time.monotonic()))
        self.unsent = 0
        """Leads that are marked, or being marked, and whose POST has not begun."""
        self.releases = 0
        """Number of releases of claims: leads released after a claim began are not found by that claim."""

    @property
    def has_unreleased(self) -> bool:
        """Whether claims wait for their release. Until then, a claim without due leads does not show that none are left."""
        return bool(self._to_release) or self._is_releasing

    def queue_release(self, claims: Iterable[Claimed]) -> None:
        self._to_release += claims

    def wake_when_released(self, job_id: UUID, not_before: float = 0.0) -> None:
        """Wake a push job whose workspace this process no longer serves: without a wake-up no worker claims its leads."""
        self._to_wake[job_id] = not_before

    async def release_queued(self) -> None:
        claims, self._to_release = self._to_release, []
        if not claims:
            return
        to_wake, self._to_wake = self._to_wake, {}
        self._is_releasing = True
        try:
            async with self._context.database.driver() as connection:
                cancelled = await release_turns(connection, claims)
        except BaseException:
            self._to_release += claims
            self._to_wake |= to_wake
            raise
        finally:
            self._is_releasing = False
            self.releases += 1
        if cancelled:
            async with self._context.database.transaction() as transaction:
                await end_queued(transaction, cancelled, Cause.CANCELLED)
        for job_id, moment in to_wake.items():
            await self.wake(job_id, moment - time.monotonic())

    async def mark(self, workspaces: Iterable[ServedWorkspace], ahead_seconds: float) -> None:
        """Mark the leads whose slots come soon, in one statement, and start to send each in its slot."""
        now, clock = time.monotonic(), self._context.clock
        planned = self._plan(workspaces, now, ahead_seconds)
        if not planned:
            return
        claims = [each.lead.ready.claimed for _, each in planned]
        for served, _ in planned:
            served.unsent += 1
        self.unsent += len(planned)
        marked: set[UUID] = set()
        try:
            async with self._context.database.driver() as connection:
                marked = await mark_turns(connection, claims, self._context.config.lease)
        except BaseException:
            self.queue_release(claims)  # also those that are marked by a commit whose response was lost
            raise
        finally:
            for served, (lead, _) in planned:
                if lead.ready.claimed.delivery_id not in marked:
                    self._count_begun(served)
        send_until = now + self._context.config.send_within_seconds
        loop, marked_at = asyncio.get_running_loop(), time.monotonic()
        for served, (lead, slot) in planned:
            if lead.ready.claimed.delivery_id in marked:
                seconds = clock.at(slot.at) - CONNECT_AHEAD_SECONDS - marked_at
                loop.call_later(max(seconds, 0.0), self._begin, served, lead, slot, send_until)

    def _plan(
        self, workspaces: Iterable[ServedWorkspace], now: float, ahead_seconds: float
    ) -> list[tuple[ServedWorkspace, PlannedSend]]:
        """Give the slots that come soon to leads, and count the slots that passed."""
        planned: list[tuple[ServedWorkspace, PlannedSend]] = []
        missed = 0
        for served in workspaces:
            planned += [(served, each) for each in served.plan(now, now + ahead_seconds, self._context.clock.at)]
            missed += served.missed
            served.missed = 0
        if missed:
            metrics.SLOTS_MISSED.inc(missed)
        if planned or missed:
            self.share.add(now, len(planned), missed)
        return planned

    def _begin(self, served: ServedWorkspace, lead: PacedLead, slot: Slot, send_until: float) -> None:
        """Start the POST of a marked lead a moment before its slot, or give the lead back."""
        self._count_begun(served)
        moment, now = self._context.clock.at(slot.at), time.monotonic()
        if self._context.stopping.is_set() or moment < served.paused_until or now > send_until:
            self.queue_release([lead.ready.claimed])
            if served.is_dropped:
                self.wake_when_released(lead.job.id, served.paused_until)
            return
        renew = partial(self._another_slot, served, send_until)
        gate = SlotGate(slot, self._context.clock, self._context.last_sent, served.key.id, renew)
        react = partial(self._react, served, lead.job)
        self._context.track(asyncio.create_task(attempt(self._context, lead.job, lead.ready, react, gate)))

    def _count_begun(self, served: ServedWorkspace) -> None:
        served.unsent -= 1
        self.unsent -= 1

    async def _another_slot(self, served: ServedWorkspace, send_until: float) -> Slot | None:
        """Return another slot for a marked lead whose slot has passed, or None if the next slot is too late.

        The pacer reserves it with the slots of all other leads: one statement for each would delay those, too.
        """
        if self._context.stopping.is_set() or served.is_dropped or time.monotonic() < served.paused_until:
            return None
        waiting: asyncio.Future[Slot | None] = asyncio.get_running_loop().create_future()
        served.late.append(waiting)
        self.share.add(time.monotonic(), 0, 1)
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + send_until - time.monotonic()):
                return await waiting
        except TimeoutError:
            return None

    def _react(self, served: ServedWorkspace, job: ServedJob, outcome: Outcome) -> None:
        if served.count(job.version_id, outcome):
            self.queue_release(lead.ready.claimed for lead in served.remove_version(job.version_id))
            self._context.track(asyncio.create_task(self._resume_when_recorded(served, job)))
        pause_seconds = outcome.retry_after_seconds if outcome.verdict is Verdict.WAIT else None
        if pause_seconds is not None:
            served.pause(time.monotonic() + pause_seconds, self._context.clock.at)
        if job.probe:
            self._context.track(asyncio.create_task(self._wake_when_recorded(job.id, pause_seconds or 0.0)))

    async def _resume_when_recorded(self, served: ServedWorkspace, job: ServedJob) -> None:
        """Once the responses are recorded, the version's state in the database decides which leads are claimed."""
        await self._context.result_writer.flush()
        served.resume(job.version_id)
        await self.wake(job.id, 0.0)

    async def _wake_when_recorded(self, job_id: UUID, delay_seconds: float) -> None:
        """If the probe opens the destination, sending resumes immediately."""
        await self._context.result_writer.flush()
        await self.wake(job_id, delay_seconds)

    async def wake(self, job_id: UUID, delay_seconds: float) -> None:
        try:
            async with self._context.database.transaction() as connection:
                await queue.wake(connection, job_id, delay_seconds=delay_seconds)
        except Exception as error:  # noqa: BLE001 - the sweep wakes it instead
            log.warning("push_job.not_woken", job_id=str(job_id), **failure(error))
