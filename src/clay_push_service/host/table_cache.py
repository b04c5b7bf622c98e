"""Caches the detected host tables; detects them again every few seconds, and immediately after a statement fails on them.

NexusLeads migrates its tables while this service runs: a rename must cost a second, not a restart.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import STALE_PLAN, is_missing_object, is_stale_plan
from clay_push_service.host.detect import detect
from clay_push_service.host.tables import HostTables

FRESH_SECONDS = 10.0

Read = TypeVar("Read")

log = logs.get(__name__)


class HostTableCache:
    """The detected host tables of one schema; one cache per process."""

    def __init__(self, schema: str = "public") -> None:
        self.schema = schema
        self._tables: HostTables | None = None
        self._detected_at = 0.0

    async def tables(self, connection: AsyncConnection) -> HostTables:
        """Raises HostMissingError when NexusLeads' tables do not exist."""
        if (tables := self._fresh_tables) is None:
            tables = self._tables = await detect(connection, self.schema)
            self._detected_at = time.monotonic()
        return tables

    @property
    def _fresh_tables(self) -> HostTables | None:
        return self._tables if time.monotonic() - self._detected_at <= FRESH_SECONDS else None

    def invalidate(self) -> None:
        self._tables = None

    async def on_fresh_tables(self, unit: Callable[[], Awaitable[Read]]) -> Read:
        """Run a unit of work (one whole transaction) that reads the host's tables or the function that `attach` creates.

        Repeats it once, with tables that are detected again, if an object is missing: `detach`, `attach` or a migration of
        NexusLeads may commit between the detection and the use.
        """
        try:
            return await unit()
        except Exception as error:
            if not is_stale_plan(error) and not is_missing_object(error):
                raise
            self.invalidate()
            log.info("host.detected_again", **failure(error))
            return await unit()

    async def read(self, database: Database, read: Callable[[asyncpg.Connection, HostTables], Awaitable[Read]]) -> Read:
        """Reads with the driver's own connection; retries once with fresh tables if a name has changed."""
        try:
            return await self._read_cached(database, read)
        except (asyncpg.SyntaxOrAccessError, *STALE_PLAN):
            self.invalidate()
            return await self._read_cached(database, read)

    async def _read_cached(
        self, database: Database, read: Callable[[asyncpg.Connection, HostTables], Awaitable[Read]]
    ) -> Read:
        if (tables := self._fresh_tables) is None:
            async with database.transaction() as connection:
                tables = await self.tables(connection)
        async with database.driver() as driver:
            return await read(driver, tables)
