"""Shares snapshots of jobs among event streams: each change of a job is read once for all its readers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.database.database import Database
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.errors import NotFoundError
from clay_push_service.push_jobs.live.watch import Watch
from clay_push_service.push_jobs.queries.jobs import read_job
from clay_push_service.push_jobs.summary import ENDED

log = logs.get(__name__)


class Snapshot(Protocol):
    """A job as the API shows it."""

    @property
    def status(self) -> StrEnum: ...

    def model_dump_json(self) -> str: ...


ReadJob = Callable[[AsyncConnection, UUID, UUID], Awaitable[Snapshot]]
"""Reads a job by its organization and id. Raises NotFoundError."""


class Feed:
    """The newest snapshot of one job. A slow reader misses intermediate snapshots."""

    def __init__(self) -> None:
        self.latest = ""
        """The job as JSON."""
        self.number = 0
        """The number of the newest snapshot; 0: none yet."""
        self.has_ended = False
        self.changed = asyncio.Event()
        """Set, and replaced by a new event, at the next snapshot and at the end."""

    def publish(self, data: str) -> None:
        if data != self.latest:
            self.latest = data
            self.number += 1
            self._notify()

    def end(self) -> None:
        self.has_ended = True
        self._notify()

    def _notify(self) -> None:
        waiting, self.changed = self.changed, asyncio.Event()
        waiting.set()


@dataclass(slots=True)
class _Running:
    feed: Feed
    reading: "asyncio.Task[None]"
    readers: int = 0


class Feeds:
    """The feeds of one process. A job is read while it has a reader."""

    def __init__(self, database: Database, watch: Watch) -> None:
        self._database = database
        self._watch = watch
        self._running: dict[UUID, _Running] = {}

    @asynccontextmanager
    async def follow(self, org_id: UUID, job_id: UUID, read: ReadJob = read_job) -> AsyncIterator[Feed]:
        """The feed of a job; the caller must have checked that the organization owns it. Without `read`, of a push job."""
        running = self._running.get(job_id)
        if running is None:
            feed = Feed()
            running = _Running(feed, asyncio.create_task(self._read(feed, org_id, job_id, read)))
            self._running[job_id] = running
        running.readers += 1
        try:
            yield running.feed
        finally:
            running.readers -= 1
            if not running.readers:
                del self._running[job_id]
                running.reading.cancel()

    async def _read(self, feed: Feed, org_id: UUID, job_id: UUID, read: ReadJob) -> None:
        try:
            async for _ in self._watch.changes(job_id):
                try:
                    async with self._database.transaction() as connection:
                        view = await read(connection, org_id, job_id)
                except NotFoundError:
                    return
                except (*UNAVAILABLE, TimeoutError):  # transient: readers keep the last snapshot
                    continue
                feed.publish(view.model_dump_json())
                if view.status in ENDED:
                    return
        except Exception as error:
            log.exception("feed.failed", job_id=str(job_id), error=type(error).__name__)
        finally:
            feed.end()
