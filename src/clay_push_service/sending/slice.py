"""One slice of a push job without a pace: claims deliveries, builds payloads, marks `sending` and sends, for about a second.

A slice continues while no other push job waits for a worker. It ends before its last responses arrive. Push jobs with a
pace are sent by the pacer.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID, uuid4

from clay_push_service import logs, metrics
from clay_push_service.clay.cause import Cause
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.deliveries.claim import Claimed, claim, mark_sending, release
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.sending.attempt import record_unsendable
from clay_push_service.sending.build_payloads import Ready, build_payloads
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.in_flight import InFlight
from clay_push_service.sending.open_job import OpenJob
from clay_push_service.sending.prefetch import prefetch
from clay_push_service.sending.windows import CANCELLED, Sender, Window

SLICE_SECONDS = 1.0
LONGEST_SLICE_SECONDS = 30.0
"""Limit of a slice that continues because no other job waits: a queue job that runs for minutes looks stuck."""
BATCH = 500
"""Deliveries claimed and built at a time: 14 ms for their payloads."""
FIRST_BATCH = 100
"""Built soon, so that sending starts while the next batch is built; each batch doubles, up to BATCH."""

log = logs.get(__name__)


class Slice:
    """Runs once: `run`, then `wake_next`."""

    def __init__(self, context: SendingContext, job: OpenJob) -> None:
        self._context = context
        self._job = job
        self._unsent: dict[UUID, Claimed] = {}  # by delivery: claimed, and not yet a POST
        self._in_flight = InFlight(context, job)
        self._sender = Sender(context, job, self._in_flight, self._unsent)
        self.is_paced = False
        """The workspace has a pace now, after a 429: the pacer sends the rest."""
        self._started = self._checked = time.monotonic()
        # A delivery claimed at the start may wait for its slot until the end, and its response must arrive in its lease.
        self._longest_seconds = min(LONGEST_SLICE_SECONDS, context.config.send_within_seconds)

    async def run(self) -> None:
        try:
            await self._send_windows()
        finally:
            await self._release_unsent()
        if self._in_flight.destination_failed:
            await self._context.result_writer.flush()  # the next slice must find the destination closed or waiting

    async def wake_next(self) -> None:
        """Queue the next slice, after `run`. A result that makes a delivery wait queues one as well."""
        if self._job.probe:
            self._context.track(asyncio.create_task(self._wake_after_probe()))
        else:
            await self._context.wake_next_slice(self._job, self._in_flight.resume_seconds)
        metrics.SLICES.labels(end="halted" if self._in_flight.resume_seconds else "done").inc()

    async def _send_windows(self) -> None:
        async with aclosing(prefetch(self._windows())) as windows:
            try:
                async for window in windows:
                    await self._sender.send(window)
            finally:
                # The prefetched iterator may wait until deliveries are sent; after an error they are not.
                self._in_flight.halt()

    async def _windows(self) -> AsyncGenerator[Window, None]:
        """The windows of all batches in one sequence: the next is marked while the last is sent, between batches too."""
        batches = self._batches()
        if not self._job.probe:
            batches = prefetch(batches)
        async with aclosing(batches):
            try:
                async for batch in batches:
                    async with aclosing(self._windows_of_batch(batch)) as windows:
                        async for window in windows:
                            yield window
            except BaseException:
                # Closed or failed: the batches must not wait for deliveries that are never sent. Not at the regular end,
                # when the last window is still being sent.
                self._in_flight.halt()
                raise

    async def _wake_after_probe(self) -> None:
        """Queue the next slice when the probe's response is recorded: if it opens the destination, sending resumes immediately."""
        try:
            await self._in_flight.wait()
            await self._context.result_writer.flush()
            await self._context.wake_next_slice(self._job, self._in_flight.resume_seconds)
        except Exception as error:  # noqa: BLE001 - the sweep queues it instead
            log.warning("slice.next_not_queued", job_id=str(self._job.id), **failure(error))

    async def _halt_if_others_wait(self) -> None:
        """Checked once a second: end the slice if another push job waits, or at the slice's limit."""
        now = time.monotonic()
        if now - self._checked >= SLICE_SECONDS:
            self._checked = now
            if now - self._started >= self._longest_seconds or await self._context.other_jobs_are_waiting(self._job.id):
                self._in_flight.halt()

    async def _batches(self) -> AsyncGenerator[list[Ready], None]:
        """Claim and build. Deliveries that lost a claim come last and one at a time: one of them may have killed a worker."""
        suspects = False
        wanted = FIRST_BATCH
        while not self._sender.must_stop:
            if suspects:
                await self._wait_until_all_recorded()
            async with self._context.database.driver() as connection:
                claims = await claim(
                    connection, self._job.id, uuid4(), 1 if suspects or self._job.probe else wanted,
                    self._context.config.lease, suspects=suspects,
                )  # fmt: skip
            if not claims:
                if suspects:
                    return
                suspects = True
                continue
            ready = await self._build_payloads(claims)
            wanted = min(wanted * 2, BATCH)
            if ready:
                yield ready
                if self._job.probe:
                    return
            await self._halt_if_others_wait()

    async def _build_payloads(self, claims: list[Claimed]) -> list[Ready]:
        """Return the deliveries that can be sent; record the cause for the others."""
        for claimed in claims:
            self._unsent[claimed.delivery_id] = claimed
        ready = []
        for built in await build_payloads(
            self._context.host,
            self._context.database,
            self._job.org_id,
            self._job.project_id,
            claims,
            self._context.clock,
        ):
            if isinstance(built, Ready):
                ready.append(built)
            else:
                self._unsent.pop(built.claimed.delivery_id, None)
                record_unsendable(self._context, self._job.id, self._job.version_id, built)
        return ready

    async def _wait_until_all_recorded(self) -> None:
        """Wait until nothing is in flight or unrecorded: it would be `unknown` if the next delivery kills this process."""
        while self._unsent and not self._sender.must_stop:  # noqa: ASYNC110 - rare: after a worker died with a claim
            await asyncio.sleep(0.005)
        await self._in_flight.wait()
        await self._context.result_writer.flush()

    async def _windows_of_batch(self, batch: list[Ready]) -> AsyncGenerator[Window, None]:
        """Mark each window shortly before it is sent. Ends the slice if the workspace has a pace now, after a 429."""
        rest = deque(batch)
        while rest and not self._sender.must_stop:
            reservation, _ = await self._context.reserve(self._job.workspace, 0)
            if not reservation.unpaced:
                self.is_paced = True
                self._in_flight.halt()
                return
            while rest and not self._sender.must_stop:
                count = min(self._sender.window_leads, len(rest))
                window = await self._mark([rest.popleft() for _ in range(count)])
                if window.batch:  # else all of them ended since the claim
                    yield window
                await self._halt_if_others_wait()

    async def _mark(self, batch: list[Ready]) -> Window:
        """Mark deliveries of one claim as `sending`; those whose claim was lost are dropped."""
        marked_at = time.monotonic()
        ids = [ready.claimed.delivery_id for ready in batch]
        async with self._context.database.driver() as connection:
            marked = await mark_sending(connection, batch[0].claimed.token, ids, self._context.config.lease)
        if len(marked) < len(ids):
            for lost in set(ids) - marked:
                self._unsent.pop(lost, None)
            batch = [ready for ready in batch if ready.claimed.delivery_id in marked]
        return Window(batch, marked_at)

    async def _release_unsent(self) -> None:
        """Release what was claimed and not sent; if the push job is cancelled, end it."""
        unsent: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for claimed in self._unsent.values():
            unsent[claimed.token].append(claimed.delivery_id)
        self._unsent.clear()
        try:
            while unsent:
                token, delivery_ids = next(iter(unsent.items()))
                async with self._context.database.driver() as connection:
                    await release(connection, token, delivery_ids)
                del unsent[token]
        except UNAVAILABLE:
            self._context.unreleased_claims.update(unsent)
            raise
        async with self._context.database.transaction() as connection:
            if await CANCELLED.rows(connection, {"job_id": self._job.id}):
                await end_queued(connection, [self._job.id], Cause.CANCELLED)
