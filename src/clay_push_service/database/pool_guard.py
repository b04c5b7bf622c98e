"""Checks pooled connections before use: detects dead ones, and discards old query plans. Empties the pool after a timeout.

A NAT or a firewall can drop a connection without notice to either side; the next statement on it then runs into a timeout.

PostgreSQL keeps the plan of a repeated statement until one of its tables is analyzed. A plan that was made for a table of a few
rows reads the whole table. After a first large push each mark of leads would read all of them, until autovacuum analyzes the table.
"""

import time
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from clay_push_service import logs

IDLE_SECONDS = 5.0
"""Idle time after which a connection is checked before use. A check costs a round trip, so busy connections are not checked."""
PLAN_SECONDS = 10.0
"""The longest time for which a connection keeps its query plans. New plans use the current sizes of the tables."""
CHECK = "DISCARD PLANS"
"""A round trip that detects a dead connection, too."""
CHECK_SECONDS = 2.0

log = logs.get(__name__)


class PoolGuard:
    """The guard of one engine on asyncpg."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._idle: dict[asyncpg.Connection, float] = {}
        self._plans_since: WeakKeyDictionary[asyncpg.Connection, float] = WeakKeyDictionary()
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
        self._plans_since[connection.driver_connection] = time.monotonic()
        self._idle = {driver: since for driver, since in self._idle.items() if not driver.is_closed()}

    def _returned(self, connection: Any, _record: object) -> None:
        if connection is not None:  # None: it was invalidated
            self._idle[connection.driver_connection] = time.monotonic()

    def _taken(self, connection: Any, _record: object, _proxy: object) -> None:
        """Check a connection before use. Raises DisconnectionError if it is dead; SQLAlchemy then replaces it."""
        driver: asyncpg.Connection = connection.driver_connection
        now = time.monotonic()
        idle_since = self._idle.pop(driver, now)
        if driver.is_closed():
            raise DisconnectionError
        if now - idle_since < IDLE_SECONDS and now - self._plans_since.get(driver, now) < PLAN_SECONDS:
            return
        self._plans_since[driver] = now
        try:
            connection.run_async(lambda driver: driver.execute(CHECK, timeout=CHECK_SECONDS))
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
