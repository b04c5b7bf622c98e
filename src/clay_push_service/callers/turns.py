"""Concurrency limits per organization: how many of its requests run at once, so that one organization cannot block others.

A push of 50,000 ids holds a connection for seconds and up to 20 MB. Without a limit, 24 of them occupied every connection of the
pool and 612 MB, and all callers got 503.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from clay_push_service.errors import TooManyRequestsError, UnavailableError
from clay_push_service.settings import Settings

MAX_WAITING = 20
"""Maximum waiting requests of one organization in one lane: more than a normal client sends at once. Each holds its connection."""
RETRY_AFTER = {"Retry-After": "5"}


class Lane(StrEnum):
    """Cost classes of requests. Each lane has its own limit, so a cancel never waits behind pushes."""

    ORDINARY = "requests"
    """Holds a connection to PostgreSQL for milliseconds."""
    COSTLY = "pushes, previews or erasures"
    """Holds a connection for seconds, and a large body."""
    EXPORT = "exports"
    """Holds a page of leads as long as the client reads."""
    SETTINGS = "changes or tests of settings"
    """Waits for other servers up to a minute, mostly without a connection to PostgreSQL."""


@dataclass(slots=True)
class _Queue:
    """One organization in one lane."""

    turns: asyncio.Semaphore
    inside: int = 0
    """Running and waiting requests."""


@dataclass(slots=True)
class Turns:
    """The limits of one process."""

    wait_seconds: float
    per_organization: Mapping[Lane, int]
    costly: asyncio.Semaphore
    """The limit of all organizations together."""
    _queues: dict[tuple[Lane, UUID], _Queue] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Turns":
        bounds = {
            Lane.ORDINARY: settings.requests_per_organization,
            Lane.COSTLY: settings.costly_requests_per_organization,
            Lane.EXPORT: settings.exports_per_organization,
            Lane.SETTINGS: settings.requests_per_organization,
        }
        # Half of the pool remains for other requests, regardless of how many organizations push.
        return cls(settings.turn_wait_seconds, bounds, asyncio.Semaphore(max(settings.database_pool_size // 2, 1)))

    @asynccontextmanager
    async def turn(self, lane: Lane, org_id: UUID) -> AsyncIterator[bool]:
        """Wait for a slot; yields whether it had to wait.

        Raises 429 after the time limit or if too many wait, 503 if all organizations together are over the limit.
        """
        bound = self.per_organization[lane]
        queue = self._queues.setdefault((lane, org_id), _Queue(asyncio.Semaphore(bound)))
        if queue.inside >= bound + MAX_WAITING:
            raise _too_many(lane, bound)
        queue.inside += 1
        waited = queue.turns.locked() or (lane is Lane.COSTLY and self.costly.locked())
        try:
            if not await self._acquired(queue.turns):
                raise _too_many(lane, bound)
            try:
                if lane is not Lane.COSTLY:
                    yield waited
                    return
                if not await self._acquired(self.costly):
                    raise UnavailableError(
                        "Too many requests are in progress; retry in a few seconds.",
                        code="overloaded",
                        headers=RETRY_AFTER,
                    )
                try:
                    yield waited
                finally:
                    self.costly.release()
            finally:
                queue.turns.release()
        finally:
            queue.inside -= 1
            if not queue.inside:
                del self._queues[lane, org_id]

    async def _acquired(self, turns: asyncio.Semaphore) -> bool:
        try:
            async with asyncio.timeout(self.wait_seconds):
                await turns.acquire()
        except TimeoutError:
            return False
        return True


def _too_many(lane: Lane, bound: int) -> TooManyRequestsError:
    return TooManyRequestsError(
        f"Your organization has {bound} {lane} in progress and more waiting; retry in a few seconds.",
        headers=RETRY_AFTER,
    )
