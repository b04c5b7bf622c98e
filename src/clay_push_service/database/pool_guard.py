"""Detects dead pooled connections: checks idle ones before use, and empties the pool after a timeout.

A NAT or a firewall can drop a connection without notice to either side; the next statement on it then runs into a timeout.
"""

import time
from typing import Any
from weakref import WeakSet

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from clay_push_service import logs

IDLE_SECONDS = 5.0
"""Idle time after which a connection is checked before use. A check costs a round trip, so busy connections are not checked."""
CHECK_SECONDS = 2.0

log = logs.get(__name__)


class PoolGuard:
    """The guard of one engine on asyncpg."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._idle: dict[asyncpg.Connection, float] = {}
        self._all: WeakSet[asyncpg.Connection] = WeakSet()
        pool = engine.sync_engine
        event.listen(pool, "connect", self._connected)
        event.listen(pool, "checkin", self._returned)
        event.listen(pool, "checkout", self._taken)

    def empty(self) -> None:
        """Terminate every idle connection: after a timeout of one the others are probably dead, too. New ones are made on demand."""
        idle, self._idle = self._idle, {}
        for connection in idle:
            connection.terminate()
        if idle:
            log.warning("database.pool_emptied", connections=len(idle))

    async def end(self, connection: AsyncConnection) -> None:
        """Terminate a connection in use, without a message to the server, which does not respond."""
        if not connection.invalidated:
            driver = (await connection.get_raw_connection()).driver_connection
            if driver is not None:
                driver.terminate()
            await connection.invalidate()

    def end_all(self) -> None:
        for connection in list(self._all):
            if not connection.is_closed():
                connection.terminate()

    def _connected(self, connection: Any, _record: object) -> None:
        self._all.add(connection.driver_connection)
        self._idle = {driver: since for driver, since in self._idle.items() if not driver.is_closed()}

    def _returned(self, connection: Any, _record: object) -> None:
        if connection is not None:  # None: it was invalidated
            self._idle[connection.driver_connection] = time.monotonic()

    def _taken(self, connection: Any, _record: object, _proxy: object) -> None:
        """Check a connection before use. Raises DisconnectionError if it is dead; SQLAlchemy then replaces it."""
        driver: asyncpg.Connection = connection.driver_connection
        since = self._idle.pop(driver, None)
        if driver.is_closed():
            raise DisconnectionError
        if since is None or time.monotonic() - since < IDLE_SECONDS:
            return
        try:
            connection.run_async(lambda driver: driver.execute("SELECT 1", timeout=CHECK_SECONDS))
        except (
            TimeoutError,
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            if isinstance(error, TimeoutError):
                self.empty()
            driver.terminate()
            raise DisconnectionError from error
