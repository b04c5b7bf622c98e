"""One slice of a push job: claim, build, reserve slots, mark, send; ends after about a second if anybody else waits.

It ends before its last answers are there: they belong to the drainer then, so Clay's latency never becomes the pace.
"""

import asyncio
import math
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from clay_push_service import logs, metrics
from clay_push_service.clay.cause import Cause
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.deliveries.claim import Claimed, claim, mark_sending, release
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.destinations.pace import Reservation
from clay_push_service.destinations.slot_gate import Slot
from clay_push_service.sending.build_payloads import Ready, prepare
from clay_push_service.sending.in_flight import PATIENCE_SECONDS, Posts
from clay_push_service.sending.open_job import OpenJob
from clay_push_service.sending.pacing import CANCELLED, WINDOW, WINDOW_LEADS, Planned, Sender, Window, sleep_until
from clay_push_service.sending.prefetch import one_ahead

if TYPE_CHECKING:
    from clay_push_service.sending.drainer import Drainer

SLICE_SECONDS = 1.0
SLICE_AT_MOST_SECONDS = 30.0
"""While nobody else waits a slice goes on, but not for ever: a queue job that runs for minutes looks stuck."""
BATCH = 500
"""Leads claimed and built at once where there is no pace: 14 ms for their payloads."""
FIRST_BATCH = 100
"""Soon built, so that something is sent while the next is being built; each is twice the one before, up to BATCH."""
MARK_AHEAD_SECONDS = 0.05
"""Marking takes a few milliseconds, and a slot must not be missed over it."""

log = logs.get(__name__)


class Slice:
    """Everything of one push job that one worker does in about a second."""

    def __init__(self, drainer: "Drainer", job: OpenJob) -> None:
        self._drainer = drainer
        self._job = job
        self._held: dict[UUID, Claimed] = {}  # by delivery: claimed, and not yet handed to a POST
        self._posts = Posts(drainer, job)
        self._sender = Sender(drainer, job, self._posts, self._held)
        self._newcomer = job.newcomer
        self._started = self._looked = time.monotonic()
        # What is claimed at its beginning may wait for a slot until its end, and must be sent and answered in its lease.
        self._at_most_seconds = min(SLICE_AT_MOST_SECONDS, drainer.config.send_within_seconds)

    async def run(self) -> None:
        try:
            await self._feed()
        finally:
            await self._give_back()
        if self._posts.says_closed_or_waiting:
            await self._drainer.recorder.flush()  # the next slice must find the destination closed or waiting

    async def hand_over(self) -> None:
        """After `run`: wake the next slice. For what is still to be answered its record does."""
        if self._job.probe:
            self._drainer.keep(asyncio.create_task(self._after_probe()))
        else:
            await self._drainer.go_on(self._job, self._posts.resume_seconds)
        metrics.SLICES.labels(end="halted" if self._posts.resume_seconds else "done").inc()

    async def _feed(self) -> None:
        async with aclosing(one_ahead(self._all_windows())) as windows:
            try:
                async for window in windows:
                    await self._sender.send(window)
            finally:
                # Who works ahead may be waiting for leads to be sent; after an error nobody sends them.
                self._posts.halt()

    async def _all_windows(self) -> AsyncGenerator[Window, None]:
        """The windows of all batches in one row: between two batches, too, the next is marked while the last is sent."""
        batches = self._batches()
        if self._unpaced and not self._job.probe:
            batches = one_ahead(batches)
        async with aclosing(batches):
            try:
                async for batch in batches:
                    async with aclosing(self._windows(batch)) as windows:
                        async for window in windows:
                            yield window
            except BaseException:
                # Closed or failed, so the batches must not wait for leads that nobody sends. Not at the regular end:
                # the last window is still being sent then.
                self._posts.halt()
                raise

    async def _after_probe(self) -> None:
        """Its answer may have opened the destination: then nobody waits for the next probe's time."""
        try:
            await self._posts.answered()
            await self._drainer.recorder.flush()
            await self._drainer.go_on(self._job, self._posts.resume_seconds)
        except Exception as error:  # noqa: BLE001 - the sweep wakes what this could not
            log.warning("slice.not_settled", job_id=str(self._job.id), **failure(error))

    @property
    def _unpaced(self) -> bool:
        return self._job.rate_limit_ms == 0

    async def _look_around(self) -> None:
        """End the slice when its second is over and somebody else waits for a place."""
        now = time.monotonic()
        if now - self._looked >= SLICE_SECONDS:
            self._looked = now
            if now - self._started >= self._at_most_seconds or await self._drainer.others_wait(self._job.id):
                self._posts.halt()

    async def _batches(self) -> AsyncGenerator[list[Ready], None]:
        """Claim and build. Leads whose claim was lost before come last and alone: one of them may have killed a worker."""
        suspects = False
        wanted = FIRST_BATCH if self._unpaced else min(math.ceil(1000 / self._job.rate_limit_ms), WINDOW_LEADS)
        while not self._sender.ends:
            if suspects:
                await self._nobody_on_the_way()
            async with self._drainer.database.driver() as connection:
                claims = await claim(
                    connection, self._job.id, uuid4(), 1 if suspects or self._job.probe else wanted,
                    self._drainer.config.lease, suspects=suspects,
                )  # fmt: skip
            if not claims:
                if suspects:
                    return
                suspects = True
                continue
            ready = await self._prepare(claims)
            if self._unpaced:
                wanted = min(wanted * 2, BATCH)
            if ready:
                yield ready
                if self._job.probe:
                    return
            await self._look_around()

    async def _prepare(self, claims: list[Claimed]) -> list[Ready]:
        """Those that can be sent; of the others it is recorded why not."""
        for claimed in claims:
            self._held[claimed.delivery_id] = claimed
        ready = []
        for prepared in await prepare(
            self._drainer.host,
            self._drainer.database,
            self._job.org_id,
            self._job.project_id,
            claims,
            self._drainer.clock,
        ):
            if isinstance(prepared, Ready):
                ready.append(prepared)
            else:
                self._held.pop(prepared.claimed.delivery_id, None)
                self._posts.record_unsendable(prepared)
        return ready

    async def _nobody_on_the_way(self) -> None:
        """Whoever is being sent, or is sent and not recorded, would be `unknown` if the next lead kills this process."""
        while self._held and not self._sender.ends:  # noqa: ASYNC110 - rare: after a worker died over a claim
            await asyncio.sleep(0.005)
        await self._posts.answered()
        await self._drainer.recorder.flush()

    async def _windows(self, batch: list[Ready]) -> AsyncGenerator[Window, None]:
        """Reserve slots and mark the leads of the next window, just before its time."""
        rest = deque(batch)
        while rest and not self._sender.ends:
            reservation = await self._reserve(len(rest))
            if reservation.unpaced:
                while rest and not self._sender.ends:
                    yield await self._mark([(rest.popleft(), None) for _ in range(min(self._sender.leads, len(rest)))])
                    await self._look_around()
            elif reservation.slots:
                slots = deque((rest.popleft(), Slot(at, reservation.interval)) for at in reservation.slots)
                while slots and not self._sender.ends:
                    first = slots[0][1].at
                    window: list[Planned] = []
                    while slots and slots[0][1].at <= first + WINDOW:
                        window.append(slots.popleft())
                    await sleep_until(self._drainer.clock.at(first) - MARK_AHEAD_SECONDS)
                    if not self._sender.ends:
                        yield await self._mark(window)
                await self._look_around()
            elif reservation.wait.total_seconds() > PATIENCE_SECONDS:
                self._posts.halt(reservation.wait.total_seconds())
            else:
                await sleep_until(time.monotonic() + min(reservation.wait.total_seconds() + 0.002, 0.25))
                await self._look_around()

    async def _reserve(self, wanted: int) -> Reservation:
        reservation, _ = await self._drainer.reserve(self._job.org_id, wanted, newcomer=self._newcomer)
        if reservation.slots:
            self._newcomer = False
        return reservation

    async def _mark(self, window: list[Planned]) -> Window:
        """All leads of a window are of one claim."""
        marked_at = time.monotonic()
        ids = [ready.claimed.delivery_id for ready, _ in window]
        async with self._drainer.database.driver() as connection:
            ours = await mark_sending(connection, window[0][0].claimed.token, ids, self._drainer.config.lease)
        if len(ours) < len(ids):
            for lost in set(ids) - ours:
                self._held.pop(lost, None)
            window = [entry for entry in window if entry[0].claimed.delivery_id in ours]
        return Window(window, marked_at)

    async def _give_back(self) -> None:
        """What was claimed and not sent waits again; of a cancelled job it ends."""
        held: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for claimed in self._held.values():
            held[claimed.token].append(claimed.delivery_id)
        self._held.clear()
        try:
            while held:
                token, delivery_ids = next(iter(held.items()))
                async with self._drainer.database.driver() as connection:
                    await release(connection, token, delivery_ids)
                del held[token]
        except UNAVAILABLE:
            for token, delivery_ids in held.items():
                self._drainer.return_later(token, delivery_ids)
            raise
        async with self._drainer.database.transaction() as connection:
            if await CANCELLED.rows(connection, {"job_id": self._job.id}):
                await end_queued(connection, [self._job.id], Cause.CANCELLED)
