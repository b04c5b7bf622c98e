"""Doctor checks that need the database: connection, role, migrations, grants, secrets, workers and NexusLeads."""

from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import __version__, migrations
from clay_push_service.commands.cli_errors import describe_error
from clay_push_service.commands.doctor.finding import Finding, Result
from clay_push_service.commands.doctor.host_checks import check_host
from clay_push_service.commands.doctor.secret_checks import check_stored_secrets, open_key_ring
from clay_push_service.database.database import Database
from clay_push_service.database.statement import Statement
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.ops.advice import Level
from clay_push_service.ops.health import read_vitals
from clay_push_service.ops.readiness import Readiness, check_readiness
from clay_push_service.ops.verdict import most_urgent_first, work_advice
from clay_push_service.settings import PREFIX, Settings


class _Role(NamedTuple):
    name: str
    rolsuper: bool
    version: str
    read_only: bool


SELECT_ROLE = Statement(
    """
SELECT current_user::text AS name, rolsuper, current_setting('server_version') AS version,
       current_setting('transaction_read_only') = 'on' AS read_only
FROM pg_catalog.pg_roles WHERE rolname = current_user
""",
    _Role,
)
SELECT_INACCESSIBLE_TABLES = Statement(
    """
SELECT DISTINCT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed (privilege)
WHERE n.nspname = 'clay' AND c.relkind IN ('r', 'p')
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, needed.privilege))
  AND c.relname || ' ' || needed.privilege <> ALL (CAST(:revoked AS text[]))
ORDER BY 1
""",
    str,
)


async def check_database(settings: Settings) -> Sequence[Finding]:
    """Skips the checks that depend on a failed one."""
    box = open_key_ring(settings)
    ring = [box] if isinstance(box, Finding) else []
    database, host = (
        Database.for_shell(settings.database_url, "clay-push-doctor", pool_size=2),
        HostTableCache(settings.host_schema),
    )
    try:
        async with database.transaction() as connection:
            found = [await _check_role(connection)]
        ready = await check_readiness(database, host, billing_enabled=settings.billing_enabled)
        found.append(_check_migrations(ready))
        if ready.is_migrated:
            async with database.transaction() as connection:
                found += [await _check_grants(connection), *ring]
                found += await check_stored_secrets(connection, box) if isinstance(box, SecretBox) else []
                found += await _check_work(connection, ready, host)
        else:
            found += ring
        async with database.transaction() as connection:
            found += await check_host(connection, host, settings)
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        described = describe_error(error)
        if described is None:
            raise
        return [
            *ring,
            Finding(
                "database",
                Result.BROKEN,
                described.message,
                "Check that PostgreSQL runs, that it is reachable from here, and that the URL is right.",
            ),
        ]
    finally:
        await database.close()
    return found


async def _check_role(connection: AsyncConnection) -> Finding:
    role = await SELECT_ROLE.one(connection)
    message = f"PostgreSQL {role.version.split()[0]}, as role {role.name}"
    if role.read_only:
        remedy = (
            f"Set {PREFIX}DATABASE_URL to the primary. A list of hosts with target_session_attrs=read-write finds it."
        )
        return Finding("database", Result.BROKEN, f"{message}, is read-only: it is a standby.", remedy)
    if role.rolsuper:
        remedy = f"Use an ordinary role in {PREFIX}DATABASE_URL, and this one only in {PREFIX}ADMIN_DATABASE_URL."
        return Finding("database", Result.WARNING, f"{message}, which is a superuser.", remedy)
    return Finding("database", Result.OK, f"{message}.")


def _check_migrations(ready: Readiness) -> Finding:
    if not ready.reachable:
        message = "The database did not answer in time."
        return Finding(
            "migrations",
            Result.BROKEN,
            message,
            "Check whether another session holds a lock and whether the server is overloaded.",
        )
    if ready.is_migrated:
        return Finding("migrations", Result.OK, f"Schema clay is at {ready.revision}.")
    if not ready.may_read:
        return Finding(
            "grants", Result.BROKEN, ready.reason or "", f"Run `clay-push migrate` with {PREFIX}ADMIN_DATABASE_URL."
        )
    message = f"Schema clay is at {ready.revision or 'no revision'}, this release needs {migrations.head()}."
    return Finding("migrations", Result.BROKEN, message, "Run `clay-push migrate`.")


async def _check_grants(connection: AsyncConnection) -> Finding:
    revoked = [f"{table} {privilege}" for table, privileges in migrations.REVOKED.items() for privilege in privileges]
    inaccessible = await SELECT_INACCESSIBLE_TABLES.rows(connection, {"revoked": revoked})
    if not inaccessible:
        return Finding("grants", Result.OK, "The role can read and write schema clay.")
    return Finding(
        "grants", Result.BROKEN, f"This role lacks privileges on clay.{', clay.'.join(inaccessible)}.",
        f"Run `clay-push migrate` with {PREFIX}ADMIN_DATABASE_URL. It grants them.",
    )  # fmt: skip


async def _check_work(connection: AsyncConnection, ready: Readiness, host: HostTableCache) -> Sequence[Finding]:
    """Workers, queue and destinations, with the messages of `/status`."""
    vitals = await read_vitals(connection, await host.tables(connection) if ready.host else None)
    live = [worker for worker in vitals.workers if worker.is_live]
    found = []
    if live:
        where = ", ".join(f"{worker.hostname}:{worker.pid}" for worker in live[:5])
        found.append(Finding("workers", Result.OK, f"{len(live)} alive ({where}); {vitals.pending:,} leads pending."))
    if older := sorted({worker.version for worker in live} - {__version__}):
        message = f"Workers of release {', '.join(older)} are running; this release is {__version__}."
        found.append(Finding("workers", Result.WARNING, message, "Restart them, unless a deployment is in progress."))
    for advice in most_urgent_first(work_advice(ready, vitals)):
        level = Result.BROKEN if advice.level is Level.FAILING else Result.WARNING
        found.append(Finding("work", level, advice.what, advice.do))
    return found
