"""Readiness check: the database responds, is migrated and writable, and NexusLeads' tables can be read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, migrations
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.statement import Statement
from clay_push_service.errors import UnavailableError
from clay_push_service.host.missing import find_missing
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach.drift import find_missing_rights

INSUFFICIENT_PRIVILEGE = "42501"
TIMEOUT_SECONDS = 5.0
STATEMENT_TIMEOUT = Statement("SET LOCAL statement_timeout = '5s'")
REVISION = Statement("SELECT version_num FROM clay.alembic_version", str)


class _Server(NamedTuple):
    version: str
    read_only: bool


SERVER = Statement(
    """
SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') = 'on' AS read_only
""",
    _Server,
)


class _SchemaRights(NamedTuple):
    is_there: bool
    may_read: bool


# From the catalogue, which every role may read; reading a table without grants raises.
SCHEMA = Statement(
    """
SELECT coalesce(bool_or(c.relname = 'alembic_version'), false) AS is_there,
       coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')), true) AS may_read
FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
WHERE n.nspname = 'clay' AND c.relkind IN ('r', 'p')
""",
    _SchemaRights,
)

log = logs.get(__name__)
_checks: set[asyncio.Task["Readiness"]] = set()
"""Kept until they finish: asyncio holds only weak references to tasks."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the instance can work. `reason`: why it is not ready; None: it is ready."""

    reachable: bool
    reason: str | None
    database: str | None = None
    """The server's version; None: unknown, or not to be shown."""
    revision: str | None = None
    is_migrated: bool = False
    writable: bool = True
    """False on a standby."""
    may_read: bool = True
    """Whether the role may read schema clay."""
    host: str | None = None
    """NexusLeads' vintage; None: its tables are not found."""
    may_read_host: bool = True
    lacking: Sequence[str] = ()
    """Rights on NexusLeads' tables that this role lacks, one sentence each. Missing write rights do not prevent readiness."""

    @property
    def is_ready(self) -> bool:
        return self.reason is None

    @property
    def without_details(self) -> "Readiness":
        """Returns only what may be shown without a key."""
        return Readiness(
            self.reachable,
            self.reason,
            is_migrated=self.is_migrated,
            may_read=self.may_read,
            may_read_host=self.may_read_host,
        )


UNREACHABLE = Readiness(reachable=False, reason="The database cannot be reached.")
NO_GRANTS = "The database role has no grants on schema clay."
HOST_UNREADABLE = "The database role lacks read grants on NexusLeads' tables."
READ_ONLY = "The database is read-only: it is a standby, or default_transaction_read_only is on."
NOT_MIGRATED = "The database is not migrated to this release."


async def check_readiness(database: Database, host: HostTableCache, *, billing_enabled: bool = False) -> Readiness:
    """Returns the reason if the database is down or unusable, and never raises for it. Takes TIMEOUT_SECONDS at most.

    Checks the rights on exactly the columns that are read; `billing_enabled` adds the billing table.
    """
    check = asyncio.create_task(_read(database, host, billing_enabled=billing_enabled))
    _checks.add(check)
    check.add_done_callback(_checks.discard)
    try:
        # Not asyncio.timeout: it would wait for the statement's cancellation on a connection that does not respond.
        await asyncio.wait([check], timeout=TIMEOUT_SECONDS)
        if check.done():
            return check.result()
    finally:
        check.cancel()
    log.warning("database.unreachable", error="no response in time")
    return UNREACHABLE


async def _read(database: Database, host: HostTableCache, *, billing_enabled: bool) -> Readiness:
    try:
        async with database.transaction() as connection:
            await STATEMENT_TIMEOUT.execute(connection)
            server = await SERVER.one(connection)
            schema = await SCHEMA.one(connection)
            if not schema.may_read:
                return Readiness(reachable=True, reason=NO_GRANTS, database=server.version, may_read=False)
            revision = await REVISION.one_or_none(connection) if schema.is_there else None
            if migrations.is_behind(revision):
                return Readiness(reachable=True, reason=NOT_MIGRATED, database=server.version, revision=revision)
            if server.read_only:  # every request writes: a push, a setting, the time of a key's last use
                return Readiness(
                    reachable=True,
                    reason=READ_ONLY,
                    database=server.version,
                    revision=revision,
                    is_migrated=True,
                    writable=False,
                )
            return await _check_host(connection, host, server.version, revision, billing_enabled=billing_enabled)
    except (SQLAlchemyError, PostgresError, OSError) as error:  # PostgresError: raised bare while connecting
        cause = error.orig if isinstance(error, DBAPIError) else error
        if getattr(cause, "sqlstate", None) == INSUFFICIENT_PRIVILEGE:  # not even CONNECT
            return Readiness(reachable=True, reason=NO_GRANTS, may_read=False)
        log.warning("database.unreachable", **failure(error))
        return UNREACHABLE


async def _check_host(
    connection: AsyncConnection, host: HostTableCache, version: str, revision: str | None, *, billing_enabled: bool
) -> Readiness:
    try:
        tables = await host.tables(connection)
    except UnavailableError as error:
        return Readiness(reachable=True, reason=error.detail, database=version, revision=revision, is_migrated=True)
    closed = [each for each in await find_missing(connection, tables, billing_enabled=billing_enabled) if each.is_right]
    return Readiness(
        reachable=True, reason=HOST_UNREADABLE if closed else None, database=version, revision=revision, is_migrated=True,
        host=tables.vintage, may_read_host=not closed,
        lacking=[each.sentence for each in closed] or await find_missing_rights(connection, tables),
    )  # fmt: skip
