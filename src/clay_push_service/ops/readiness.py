"""Whether this instance can take requests: the database answers, is migrated, may be read, and NexusLeads is in it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, migrations
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.errors import UnavailableError
from clay_push_service.host.missing import find_missing
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach.drift import find_missing_rights

INSUFFICIENT_PRIVILEGE = "42501"
ANSWER_SECONDS = 5.0
PATIENCE = text("SET LOCAL statement_timeout = '5s'")
REVISION = text("SELECT version_num FROM clay.alembic_version")
SERVER = text("""
SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') = 'on' AS read_only
""")
# From the catalogue, which every role may read: asking for a table without grants would only raise.
SCHEMA = text("""
SELECT coalesce(bool_or(c.relname = 'alembic_version'), false) AS is_there,
       coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')), true) AS may_read
FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
WHERE n.nspname = 'clay' AND c.relkind IN ('r', 'p')
""")

log = logs.get(__name__)
_reading: set[asyncio.Task["Readiness"]] = set()
"""StoredResponse until they have ended: asyncio holds tasks only weakly."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """`reason` says in a sentence why not."""

    reachable: bool
    reason: str | None
    database: str | None = None
    """The server's version; None when it is not known, or not for everybody."""
    revision: str | None = None
    is_migrated: bool = False
    writable: bool = True
    """False for a standby."""
    may_read: bool = True
    """Our own tables."""
    host: str | None = None
    """NexusLeads' vintage; None when its tables are not found."""
    may_read_host: bool = True
    lacking: Sequence[str] = ()
    """Rights that this role needs at NexusLeads and lacks, a sentence each. Without those to write, requests are answered."""

    @property
    def is_ready(self) -> bool:
        return self.reason is None

    @property
    def for_everybody(self) -> "Readiness":
        """What `/readyz` says without a key, too."""
        return Readiness(
            self.reachable,
            self.reason,
            is_migrated=self.is_migrated,
            may_read=self.may_read,
            may_read_host=self.may_read_host,
        )


UNREACHABLE = Readiness(reachable=False, reason="The database cannot be reached.")
NO_GRANTS = "The database role may not read schema clay: run the migrations with this role's grants."
HOST_CLOSED = "The database role may not read all that this service needs of NexusLeads' tables."
READ_ONLY = "The database is read-only: it is a standby, or was set so."
BEHIND = "Migrations are missing: the database is behind this release."


async def check_readiness(database: Database, host: HostTableCache, *, billing_enabled: bool = False) -> Readiness:
    """Never raises for a database that is down or unfit: that is the answer. Takes ANSWER_SECONDS at most.

    Rights are looked up for exactly the columns that are read, with `billing_enabled` the billing table's, too.
    """
    reading = asyncio.create_task(_read(database, host, billing_enabled=billing_enabled))
    _reading.add(reading)
    reading.add_done_callback(_reading.discard)
    try:
        # Not asyncio.timeout: it would wait for the statement to be undone, on a connection that does not answer.
        await asyncio.wait([reading], timeout=ANSWER_SECONDS)
        if reading.done():
            return reading.result()
    finally:
        reading.cancel()
    log.warning("database.unreachable", error="no answer in time")
    return UNREACHABLE


async def _read(database: Database, host: HostTableCache, *, billing_enabled: bool) -> Readiness:
    try:
        async with database.transaction() as connection:
            await connection.execute(PATIENCE)
            version, read_only = (await connection.execute(SERVER)).one()
            schema = (await connection.execute(SCHEMA)).one()
            if not schema.may_read:
                return Readiness(reachable=True, reason=NO_GRANTS, database=version, may_read=False)
            revision = (await connection.execute(REVISION)).scalar_one_or_none() if schema.is_there else None
            if migrations.is_behind(revision):
                return Readiness(reachable=True, reason=BEHIND, database=version, revision=revision)
            if read_only:  # whatever is asked writes: a push, a setting, the time a key was used
                return Readiness(
                    reachable=True,
                    reason=READ_ONLY,
                    database=version,
                    revision=revision,
                    is_migrated=True,
                    writable=False,
                )
            return await _of_host(connection, host, version, revision, billing_enabled=billing_enabled)
    except (SQLAlchemyError, PostgresError, OSError) as error:  # PostgresError: raised bare while connecting
        cause = error.orig if isinstance(error, DBAPIError) else error
        if getattr(cause, "sqlstate", None) == INSUFFICIENT_PRIVILEGE:  # not even CONNECT
            return Readiness(reachable=True, reason=NO_GRANTS, may_read=False)
        log.warning("database.unreachable", **failure(error))
        return UNREACHABLE


async def _of_host(
    connection: AsyncConnection, host: HostTableCache, version: str, revision: str | None, *, billing_enabled: bool
) -> Readiness:
    try:
        tables = await host.tables(connection)
    except UnavailableError as error:
        return Readiness(reachable=True, reason=error.detail, database=version, revision=revision, is_migrated=True)
    closed = [each for each in await find_missing(connection, tables, billing_enabled=billing_enabled) if each.is_right]
    return Readiness(
        reachable=True, reason=HOST_CLOSED if closed else None, database=version, revision=revision, is_migrated=True,
        host=tables.vintage, may_read_host=not closed,
        lacking=[each.sentence for each in closed] or await find_missing_rights(connection, tables),
    )  # fmt: skip
