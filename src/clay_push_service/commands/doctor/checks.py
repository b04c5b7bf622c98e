"""What `doctor` finds: one sentence a check, with its remedy. It reads, and reads everything; it changes nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import __version__, migrations
from clay_push_service.commands import cli_errors as complaint
from clay_push_service.database.database import Database
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.errors import UnavailableError
from clay_push_service.host.missing import find_missing
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import HostTables, SettingsAccess
from clay_push_service.host_integration.attach.attachment import Level as AttachLevel
from clay_push_service.host_integration.attach.drift import find_drift, find_missing_rights
from clay_push_service.ops.advice import Level
from clay_push_service.ops.health import read_vitals
from clay_push_service.ops.readiness import Readiness, check_readiness
from clay_push_service.ops.verdict import judge
from clay_push_service.settings import PREFIX, Settings

ROLE = text("SELECT current_user::text AS name, rolsuper, current_setting('server_version') AS version, "
            "current_setting('transaction_read_only') = 'on' AS read_only FROM pg_catalog.pg_roles WHERE rolname = current_user")  # fmt: skip
CLOSED_TABLES = text("""
SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'clay' AND c.relkind IN ('r', 'p') AND c.relname <> 'alembic_version'
  AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
           AND has_table_privilege(c.oid, 'INSERT')
           AND (c.relname = 'audit_log' OR has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')))
ORDER BY 1
""")
SEALED = text("""
SELECT id, org_id, sealed_url, sealed_token
FROM (SELECT id, org_id, sealed_url, sealed_token FROM clay.destination_versions
      UNION ALL SELECT id, org_id, sealed_url, sealed_token FROM clay.pending_webhooks) AS sealed
WHERE id > :after AND (sealed_url IS NOT NULL OR sealed_token IS NOT NULL) ORDER BY id LIMIT 500
""")
ATTACHABLE = text("SELECT pg_catalog.to_regclass('clay.finished_scans') IS NOT NULL")
FIRST = "00000000-0000-0000-0000-000000000000"


class Result(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    result: Result
    said: str
    remedy: str = ""


def settings_findings(settings: Settings) -> Iterator[Finding]:
    if settings.jwt_secret is None:
        yield Finding(
            "secrets", Result.WARNING, "JWT_SECRET is not set: only service keys are let in, no member of an organization.",
            f"Set {PREFIX}JWT_SECRET to NexusLeads' SECRET_KEY.",
        )  # fmt: skip
    else:
        yield Finding("secrets", Result.OK, "JWT_SECRET is set.")
    for said in settings.insecure:
        yield Finding("settings", Result.WARNING, f"Loosened: {said}.", "Unset it, unless this is a demo or a test.")


async def database_findings(settings: Settings) -> Sequence[Finding]:
    """Stops where further questions could not be answered."""
    box = _box(settings)
    ring = [box] if isinstance(box, Finding) else []
    database, host = (
        Database.for_shell(settings.database_url, "clay-push-doctor", pool_size=2),
        HostTableCache(settings.host_schema),
    )
    try:
        async with database.transaction() as connection:
            found = [await _role(connection)]
        ready = await check_readiness(database, host, billing_enabled=settings.billing_enabled)
        found.append(_migrations(ready))
        if ready.is_migrated:
            async with database.transaction() as connection:
                found += [await _grants(connection), *ring]
                found += await _secrets(connection, box) if isinstance(box, SecretBox) else []
                found += await _work(connection, ready, host)
        else:
            found += ring
        async with database.transaction() as connection:
            found += await _host(connection, host, settings)
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
        said = complaint.of(error)
        if said is None:
            raise
        return [
            *ring,
            Finding(
                "database",
                Result.BROKEN,
                said.line,
                "Is PostgreSQL running, reachable from here, and is the URL right?",
            ),
        ]
    finally:
        await database.close()
    return found


async def _role(connection: AsyncConnection) -> Finding:
    role = (await connection.execute(ROLE)).one()
    said = f"PostgreSQL {role.version.split()[0]}, as role {role.name}"
    if role.read_only:
        remedy = (
            f"Let {PREFIX}DATABASE_URL name the primary; a list of hosts with target_session_attrs=read-write finds it."
        )
        return Finding("database", Result.BROKEN, f"{said}, is read-only: it is a standby.", remedy)
    if role.rolsuper:
        remedy = f"Give {PREFIX}DATABASE_URL an ordinary role; keep this one for {PREFIX}ADMIN_DATABASE_URL."
        return Finding("database", Result.WARNING, f"{said}, which is a superuser.", remedy)
    return Finding("database", Result.OK, f"{said}.")


def _migrations(ready: Readiness) -> Finding:
    if not ready.reachable:
        said = "The database did not answer in time."
        return Finding("migrations", Result.BROKEN, said, "Is another session holding a lock, or is the server busy?")
    if ready.is_migrated:
        return Finding("migrations", Result.OK, f"Schema clay is at {ready.revision}.")
    if not ready.may_read:
        return Finding(
            "grants", Result.BROKEN, ready.reason or "", f"Run `clay-push migrate` with {PREFIX}ADMIN_DATABASE_URL."
        )
    said = f"Schema clay is at {ready.revision or 'no revision'}, this release needs {migrations.head()}."
    return Finding("migrations", Result.BROKEN, said, "Run `clay-push migrate`.")


async def _grants(connection: AsyncConnection) -> Finding:
    closed = list((await connection.execute(CLOSED_TABLES)).scalars())
    if not closed:
        return Finding("grants", Result.OK, "Schema clay may be read and written.")
    return Finding(
        "grants", Result.BROKEN, f"This role may not use clay.{', clay.'.join(closed)}.",
        f"Run `clay-push migrate` with {PREFIX}ADMIN_DATABASE_URL: it grants them.",
    )  # fmt: skip


async def _host(connection: AsyncConnection, host: HostTableCache, settings: Settings) -> Sequence[Finding]:
    try:
        tables = await host.tables(connection)
    except UnavailableError as error:
        return [
            Finding("NexusLeads", Result.BROKEN, error.detail, f"Check {PREFIX}HOST_SCHEMA and the database's name.")
        ]
    lacking = await find_missing(connection, tables, billing_enabled=settings.billing_enabled)
    if not lacking:
        read = Finding("NexusLeads", Result.OK, f"Its tables ({tables.vintage}) are there and may be read.")
        return [read, *await _attachment(connection, tables)]
    return [
        Finding(
            "NexusLeads",
            Result.BROKEN,
            _sentence(each.sentence),
            _grant(AttachLevel.READ) if each.is_right else "Is this the right database?",
        )
        for each in lacking
    ]


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _grant(level: AttachLevel) -> str:
    return (
        f"`clay-push attach --level {level} --dry-run` prints the GRANT of exactly the columns that are needed; without"
        f" --dry-run it gives them. It needs {PREFIX}ADMIN_DATABASE_URL."
    )


async def _attachment(connection: AsyncConnection, tables: HostTables) -> Sequence[Finding]:
    if not (await connection.execute(ATTACHABLE)).scalar_one():
        return []
    level, amiss = await find_drift(connection, tables)
    if level is None:
        return _unattached(tables)
    broken = [
        Finding("attachment", Result.BROKEN, _sentence(each), _grant(level))
        for each in await find_missing_rights(connection, tables)
    ]
    if broken:
        return broken
    if not amiss:
        return [Finding("attachment", Result.OK, f"Attached at level {level}.")]
    remedy = f"Run `clay-push attach --level {level}` again; for rows that lag, look at the worker's log."
    return [Finding("attachment", Result.WARNING, _sentence(each), remedy) for each in amiss]


def _unattached(tables: HostTables) -> Sequence[Finding]:
    shown = Finding("attachment", Result.OK, "Not attached: NexusLeads' pages do not show push jobs.")
    if tables.settings is not SettingsAccess.NONE:
        return [shown]
    unread = "This role may not read what NexusLeads' settings page says about Clay, so it is not taken over."
    return [shown, Finding("attachment", Result.WARNING, unread, _grant(AttachLevel.READ))]


def _box(settings: Settings) -> SecretBox | Finding:
    try:
        return SecretBox(settings.encryption_keys)
    except SecretError as error:
        said = str(error)
        remedy = f"Set {PREFIX}ENCRYPTION_KEYS; `clay-push secrets new` makes an entry."
        return Finding("secrets", Result.BROKEN, f"{said[0].upper()}{said[1:]}.", remedy)


async def _secrets(connection: AsyncConnection, box: SecretBox) -> Sequence[Finding]:
    """Opens everything that is stored: a key that is missing is noticed here and not by the next push."""
    opened, wrong, other_key, after = 0, Counter[str](), 0, FIRST
    while rows := (await connection.execute(SEALED, {"after": after})).all():
        for row in rows:
            for sealed in filter(None, (row.sealed_url, row.sealed_token)):
                try:
                    box.open(sealed, row.org_id, row.id)
                    other_key += box.key_id_of(sealed) != box.first_key_id
                    opened += 1
                except SecretError as error:
                    wrong[str(error)] += 1
        after = rows[-1].id
    found = [
        Finding(
            "secrets", Result.BROKEN, f"{count:,} stored secrets cannot be opened: {said}.",
            f"Put that key back into {PREFIX}ENCRYPTION_KEYS, or have the webhook URLs saved again.",
        )
        for said, count in wrong.items()
    ]  # fmt: skip
    if other_key:
        said = f"{other_key:,} of {opened:,} stored secrets are sealed with another key than the ring's first."
        found.append(Finding("secrets", Result.WARNING, said, "Run `clay-push secrets rotate`."))
    if not found:
        found.append(Finding("secrets", Result.OK, f"ENCRYPTION_KEYS opens all {opened:,} stored secrets."))
    return found


async def _work(connection: AsyncConnection, ready: Readiness, host: HostTableCache) -> Sequence[Finding]:
    """Workers, wake-ups and destinations, in the words of `/status`."""
    seen = await read_vitals(connection, await host.tables(connection) if ready.host else None)
    live = [worker for worker in seen.workers if worker.is_live]
    found = []
    if live:
        where = ", ".join(f"{worker.hostname}:{worker.pid}" for worker in live[:5])
        found.append(Finding("workers", Result.OK, f"{len(live)} alive ({where}); {seen.pending:,} leads pending."))
    if older := sorted({worker.version for worker in live} - {__version__}):
        said = f"Workers of {', '.join(older)} run beside this release, {__version__}."
        found.append(Finding("workers", Result.WARNING, said, "Start them again, unless a deploy is under way."))
    for advice in judge(ready, seen, (), has_keys=True).advice:
        if advice.what != ready.reason:  # told above, with more detail
            level = Result.BROKEN if advice.level is Level.FAILING else Result.WARNING
            found.append(Finding("work", level, advice.what, advice.do))
    return found
