"""Doctor checks of NexusLeads: its tables, the grants on them, and the attachment."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.commands.doctor.finding import Finding, Result, sentence
from clay_push_service.database.statement import Statement
from clay_push_service.errors import UnavailableError
from clay_push_service.host.missing import find_missing
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import HostTables, SettingsAccess
from clay_push_service.host_integration.attach.attachment import Level as AttachLevel
from clay_push_service.host_integration.attach.drift import find_drift, find_missing_rights
from clay_push_service.settings import PREFIX, Settings

SELECT_IS_ATTACHABLE = Statement("SELECT pg_catalog.to_regclass('clay.finished_scans') IS NOT NULL", bool)


async def check_host(connection: AsyncConnection, host: HostTableCache, settings: Settings) -> Sequence[Finding]:
    try:
        tables = await host.tables(connection)
    except UnavailableError as error:
        return [
            Finding("NexusLeads", Result.BROKEN, error.detail, f"Check {PREFIX}HOST_SCHEMA and the database's name.")
        ]
    missing = await find_missing(connection, tables, billing_enabled=settings.billing_enabled)
    if not missing:
        read = Finding("NexusLeads", Result.OK, f"The role can read its tables ({tables.vintage}).")
        return [read, *await _check_attachment(connection, tables)]
    return [
        Finding(
            "NexusLeads",
            Result.BROKEN,
            sentence(each.sentence),
            _grant_remedy(AttachLevel.READ) if each.is_right else "Check that this is the right database.",
        )
        for each in missing
    ]


def _grant_remedy(level: AttachLevel) -> str:
    return (
        f"`clay-push attach --level {level} --dry-run` prints the GRANT statements for exactly the columns that are"
        f" needed. Without --dry-run it runs them. It needs {PREFIX}ADMIN_DATABASE_URL."
    )


async def _check_attachment(connection: AsyncConnection, tables: HostTables) -> Sequence[Finding]:
    if not await SELECT_IS_ATTACHABLE.one(connection):
        return []
    level, drift = await find_drift(connection, tables)
    if level is None:
        return _not_attached(tables)
    broken = [
        Finding("attachment", Result.BROKEN, sentence(each), _grant_remedy(level))
        for each in await find_missing_rights(connection, tables)
    ]
    if broken:
        return broken
    if not drift:
        return [Finding("attachment", Result.OK, f"Attached at level {level}.")]
    remedy = f"Run `clay-push attach --level {level}` again. If rows lag behind, read the worker's log."
    return [Finding("attachment", Result.WARNING, sentence(each), remedy) for each in drift]


def _not_attached(tables: HostTables) -> Sequence[Finding]:
    shown = Finding("attachment", Result.OK, "Not attached: NexusLeads' pages do not show push jobs.")
    if tables.settings is not SettingsAccess.NONE:
        return [shown]
    unread = "This role cannot read the Clay settings of NexusLeads' settings page, so they are not used."
    return [shown, Finding("attachment", Result.WARNING, unread, _grant_remedy(AttachLevel.READ))]
