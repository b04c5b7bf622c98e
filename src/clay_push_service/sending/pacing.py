"""Sends the windows of one slice: each lead in its slot, or without a pace as many at a time as there are places in flight."""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from clay_push_service import metrics
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.claim import Claimed
from clay_push_service.destinations.slot_gate import Slot
from clay_push_service.sending.build_payloads import Ready
from clay_push_service.sending.in_flight import Posts
from clay_push_service.sending.open_job import OpenJob

if TYPE_CHECKING:
    from clay_push_service.sending.drainer import Drainer

WINDOW = timedelta(milliseconds=200)
WINDOW_LEADS = 100
"""`sending` is marked for the next window only, and at most one window ahead: what a crash can make uncertain."""
CANCEL_CHECK_SECONDS = 0.5

CANCELLED = Statement("SELECT 1 FROM clay.push_jobs WHERE id = :job_id AND cancel_requested_at IS NOT NULL")

Planned = tuple[Ready, Slot | None]
"""A lead and its slot; None: there is no pace."""


@dataclass(frozen=True, slots=True)
class Window:
    """Leads that are marked `sending`, with their slots; `marked_at` by the process's own clock, not after the lease began."""

    slots: list[Planned]
    marked_at: float


class Sender:
    """`held`: what is claimed; a lead is taken out in the moment it becomes a POST. `leads`: how many the next window may have."""

    def __init__(self, drainer: "Drainer", job: OpenJob, posts: Posts, held: dict[UUID, Claimed]) -> None:
        self._drainer = drainer
        self._job = job
        self._posts = posts
        self._held = held
        self.leads = min(drainer.config.in_flight_per_destination, WINDOW_LEADS)

    @property
    def ends(self) -> bool:
        return self._posts.halted or self._drainer.stopping.is_set()

    async def send(self, window: Window) -> None:
        """Returns when all are being sent or the slice ends, not when they are answered."""
        send_until = window.marked_at + self._drainer.config.send_within_seconds
        room = self._drainer.room(self._job)
        if window.slots and window.slots[0][1] is None and room is not None:
            await self._send_at_once(window, send_until, room)
        else:
            await self._send_in_turn(window, send_until, room)

    async def _send_at_once(self, window: Window, send_until: float, room: asyncio.Semaphore) -> None:
        """As many at a time as there are places in flight. Ends when all are being sent; the answers may be long in coming."""
        began, rest = time.monotonic(), deque(window.slots)
        handed_out = asyncio.Event()

        def take() -> Ready | None:
            ready = rest.popleft()[0] if rest and self._may_send(send_until) else None
            if ready is not None:
                self._held.pop(ready.claimed.delivery_id)
            if ready is None or not rest:
                handed_out.set()
            return ready

        self._posts.share_out(take, min(self._drainer.config.in_flight_per_destination, len(rest)), room)
        while not handed_out.is_set():
            await self._unless_cancelled(handed_out.wait())
            if self.ends:
                return
        if len(window.slots) < self.leads:
            return  # the rest of a batch, soon handed out, which says nothing about the receiver
        # As many leads as go out in a window's time, so that little is ever uncertain.
        fitting = int(len(window.slots) * WINDOW.total_seconds() / max(time.monotonic() - began, 0.001))
        # Doubled at most: the first leads find all places in flight free, which says nothing about the receiver.
        fitting = min(fitting, 2 * len(window.slots))
        self.leads = min(max(fitting, self._drainer.config.in_flight_per_destination), WINDOW_LEADS)

    async def _send_in_turn(self, window: Window, send_until: float, room: asyncio.Semaphore | None) -> None:
        """Each at its slot (see `SlotGate`). `room` is there when only a 429 has given the destination a pace."""
        for ready, slot in window.slots:
            if slot is not None:
                waited_from = time.monotonic()
                await sleep_until(self._drainer.clock.at(slot.at))
                metrics.PACE_WAITED.inc(max(time.monotonic() - waited_from, 0.0))
            while room is not None and not await self._unless_cancelled(room.acquire()):
                if self.ends:
                    return
            # No wait from here on: whoever has a place in flight uses it or gives it back.
            if not self._may_send(send_until):
                if room is not None:
                    room.release()
                return
            self._held.pop(ready.claimed.delivery_id)
            self._posts.start(ready, room, slot, send_until)

    def _may_send(self, send_until: float) -> bool:
        if time.monotonic() > send_until:  # we were frozen, or places in flight are few: its lease might end first
            self._posts.halt()
        return not self.ends

    async def _unless_cancelled(self, waiting: Coroutine[None, None, bool]) -> bool:
        """Wait for a moment. False: in vain; then it was asked whether the job is cancelled, for a receiver may have stalled."""
        try:
            async with asyncio.timeout(CANCEL_CHECK_SECONDS):
                return await waiting
        except TimeoutError:
            async with self._drainer.database.driver() as connection:
                if await CANCELLED.rows(connection, {"job_id": self._job.id}):
                    self._posts.halt()
            return False


async def sleep_until(moment: float) -> None:
    """`moment`: of `time.monotonic()`."""
    seconds = moment - time.monotonic()
    if seconds > 0:
        await asyncio.sleep(seconds)
