"""The host's tables as they are now: looked up again every few seconds, and at once when a statement finds them changed.

NexusLeads' own migrations run while we are attached; a rename must cost us a second, not a restart.
"""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.database import Database
from clay_push_service.database.failures import STALE_PLAN
from clay_push_service.host.detect import detect
from clay_push_service.host.tables import HostTables

FRESH_SECONDS = 10.0

Read = TypeVar("Read")


class HostTableCache:
    """One a process: the vintage found in the database, and the schema it is in."""

    def __init__(self, schema: str = "public") -> None:
        self.schema = schema
        self._tables: HostTables | None = None
        self._looked_at = 0.0

    async def tables(self, connection: AsyncConnection) -> HostTables:
        """Raises HostMissingError when NexusLeads' tables are not there."""
        if (tables := self._fresh) is None:
            tables = self._tables = await detect(connection, self.schema)
            self._looked_at = time.monotonic()
        return tables

    @property
    def _fresh(self) -> HostTables | None:
        return self._tables if time.monotonic() - self._looked_at <= FRESH_SECONDS else None

    def invalidate(self) -> None:
        self._tables = None

    async def read(self, database: Database, read: Callable[[asyncpg.Connection, HostTables], Awaitable[Read]]) -> Read:
        """Read with the driver's own connection; once more with fresh tables if a name has changed under it."""
        try:
            return await self._read(database, read)
        except (asyncpg.SyntaxOrAccessError, *STALE_PLAN):
            self.invalidate()
            return await self._read(database, read)

    async def _read(
        self, database: Database, read: Callable[[asyncpg.Connection, HostTables], Awaitable[Read]]
    ) -> Read:
        if (tables := self._fresh) is None:
            async with database.transaction() as connection:
                tables = await self.tables(connection)
        async with database.driver() as driver:
            return await read(driver, tables)
