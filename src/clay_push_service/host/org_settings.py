"""Reads what NexusLeads' settings page wrote about Clay; a webhook URL from the organization itself only, never a global one."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import literal, select, text, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.tables import SETTINGS_FUNCTION, HostTables, SettingsAccess

WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS = "CLAY_WEBHOOK_URL", "CLAY_TABLE_NAME", "CLAY_RATE_LIMIT_MS"
API_KEY = "CLAY_API_KEY"
"""Not read yet: enrichment needs it."""

BY_FUNCTION = text(f"SELECT key, value, is_global FROM clay.{SETTINGS_FUNCTION}(:org_id) WHERE key <> '{API_KEY}'")


@dataclass(frozen=True, slots=True)
class ClaySettings:
    """As written there: text, unchecked; None where nothing (or nothing but blanks) stands."""

    webhook_url: str | None
    table_name: str | None
    rate_limit_ms: str | None

    def __repr__(self) -> str:  # the URL is a capability: it must not reach a log by way of a traceback
        return f"ClaySettings(webhook_url={'***' if self.webhook_url else None}, table_name={self.table_name!r})"


async def clay_settings(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> ClaySettings:
    """The organization's own three settings; all None where this role can read none (`tables.settings`).

    NexusLeads falls back from `org_settings` to `app_settings`. Only the rate follows it there: a webhook URL set once for
    the whole installation would send one organization's people into a table that this organization never named.
    """
    found: dict[str, str] = {}
    rows = await _rows(connection, tables, org_id)
    for key, value, _ in sorted(
        rows, key=lambda row: not row[2]
    ):  # the organization's own value replaces the global one
        if value and value.strip():
            found[key] = value.strip()
    return ClaySettings(found.get(WEBHOOK_URL), found.get(TABLE_NAME), found.get(RATE_LIMIT_MS))


async def _rows(
    connection: AsyncConnection, tables: HostTables, org_id: UUID
) -> Iterable[tuple[str, str | None, bool]]:
    """Key, value, and whether it is the whole installation's."""
    match tables.settings:
        case SettingsAccess.NONE:
            return []
        case SettingsAccess.FUNCTION:
            found = await connection.execute(BY_FUNCTION, {"org_id": org_id})
            return [(row.key, row.value, row.is_global) for row in found]
        case SettingsAccess.TABLE:
            return await _rows_of_tables(connection, tables, org_id)


async def _rows_of_tables(
    connection: AsyncConnection, tables: HostTables, org_id: UUID
) -> Iterable[tuple[str, str | None, bool]]:
    settings, everywhere = tables.org_settings.c, tables.app_settings.c
    own = select(settings.key, settings.value, literal(False).label("is_global")).where(
        settings.org_id == org_id, settings.key.in_([WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS])
    )
    overall = select(everywhere.key, everywhere.value, literal(True).label("is_global")).where(
        everywhere.key == RATE_LIMIT_MS
    )
    found = await connection.execute(union_all(own, overall) if tables.has("app_settings") else own)
    return [(row.key, row.value, row.is_global) for row in found]
