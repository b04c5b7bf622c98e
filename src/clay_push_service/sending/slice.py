"""One slice of a push job without a pace: claims deliveries and builds their payloads in batches, for about a second.

`slice_sends` sends the batches. A slice continues while no other push job waits for a worker. It ends before its last
responses arrive. Push jobs with a pace are sent by the pacer.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

from clay_push_service import logs, metrics
from clay_push_service.clay.cause import Cause
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.deliveries.claim import Claimed, claim, release
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.sending.attempt import record_unsendable
from clay_push_service.sending.build_payloads import Ready, build_payloads
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.open_job import OpenJob
from clay_push_service.sending.prefetch import prefetch
from clay_push_service.sending.slice_sends import CANCELLED, SliceSends

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
        self._sends = SliceSends(context, job, self._unsent)

    async def run(self) -> bool:
        """Returns whether the workspace has a pace now, after a 429: then the pacer sends the rest."""
        batches = self._batches()
        try:
            await self._sends.send_batches(batches if self._job.probe else prefetch(batches))
        finally:
            await self._release_unsent()
        if self._sends.destination_failed:
            await self._context.result_writer.flush()  # the next slice must find the destination closed or waiting
        return self._sends.has_pace

    async def wake_next(self) -> None:
        """Queue the next slice, after `run`. A result that makes a delivery wait queues one as well."""
        if self._job.probe:
            self._context.track(asyncio.create_task(self._wake_after_probe()))
        else:
            await self._context.wake_next_slice(self._job, self._sends.resume_seconds)
        metrics.SLICES.labels(end="halted" if self._sends.resume_seconds else "done").inc()

    async def _wake_after_probe(self) -> None:
        """Queue the next slice when the probe's response is recorded: if it opens the destination, sending resumes immediately."""
        try:
            await self._sends.wait_until_recorded()
            await self._context.wake_next_slice(self._job, self._sends.resume_seconds)
        except Exception as error:  # noqa: BLE001 - the sweep queues it instead
            log.warning("slice.next_not_queued", job_id=str(self._job.id), **failure(error))

    async def _batches(self) -> AsyncGenerator[list[Ready], None]:
        """Claim and build. Deliveries that lost a claim come last and one at a time: one of them may have killed a worker."""
        suspects = False
        wanted = FIRST_BATCH
        while await self._sends.may_continue():
            if suspects:
                # What is in flight or unrecorded would be `unknown` if the next delivery kills this process.
                await self._sends.wait_until_recorded()
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
            [(claimed, self._job.mapping_version_id) for claimed in claims],
            self._context.clock,
            self._context.mappings,
        ):
            if isinstance(built, Ready):
                ready.append(built)
            else:
                self._unsent.pop(built.claimed.delivery_id, None)
                record_unsendable(self._context, self._job.id, self._job.version_id, built)
        return ready

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
