"""Notifies readers of a push job when it changes, through one PostgreSQL LISTEN for each API process."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import asyncpg

from clay_push_service import logs
from clay_push_service.database.clock import NOW, DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.deliveries.counters import CHANNEL

LEAST_SECONDS = 0.25
"""The shortest time between two snapshots: at most four a second."""
MOST_SECONDS = 2.0
"""The job is read again after this time without a notification: the end of a wait, a lost LISTEN or a dead worker sends none."""
RECONNECT_SECONDS = 1.0
PING_SECONDS = 5.0
"""The interval of checks for a silently dropped connection; a closed one is noticed at once."""

log = logs.get(__name__)


class Watch:
    """One for each API process. `run` listens until it is cancelled."""

    def __init__(self, database: Database, clock: DatabaseClock) -> None:
        """`clock` is adjusted with the database time that the connection check reads."""
        self._database = database
        self._clock = clock
        self._watchers: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)
        self.stopping = asyncio.Event()

    def stop(self) -> None:
        """End every `changes` iterator, because the process stops."""
        self.stopping.set()
        self._wake_all()

    async def run(self) -> None:
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await self._database.listener()
                await self._listen(connection)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("watch.listen_lost", **failure(error))
            finally:
                if connection is not None:
                    with contextlib.suppress(Exception):
                        connection.terminate()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, connection: asyncpg.Connection) -> None:
        """Returns when the connection is lost."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, self._on_notification)
        self._wake_all()  # jobs may have changed while there was no LISTEN
        while not lost.is_set():
            requested_at = time.monotonic()
            now = await NOW.one(connection)
            self._clock.learn(now, requested_at, time.monotonic())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), PING_SECONDS)

    def _on_notification(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        with contextlib.suppress(ValueError):
            for event in self._watchers.get(UUID(str(payload)), ()):
                event.set()

    def _wake_all(self) -> None:
        for events in self._watchers.values():
            for event in events:
                event.set()

    @contextmanager
    def _watching(self, job_id: UUID) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._watchers[job_id].add(event)
        try:
            yield event
        finally:
            self._watchers[job_id].discard(event)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def changes(self, job_id: UUID) -> AsyncIterator[None]:
        """Yields immediately, then whenever the job may have changed, at most once in LEAST_SECONDS."""
        with self._watching(job_id) as changed:
            while not self.stopping.is_set():
                yield
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stopping.wait(), LEAST_SECONDS)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(MOST_SECONDS - LEAST_SECONDS):
                        await changed.wait()
                if not self.stopping.is_set():
                    changed.clear()
