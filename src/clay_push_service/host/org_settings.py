"""Reads the Clay settings of NexusLeads' settings page. A webhook URL is read from the organization only, never a global one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.host.tables import SETTINGS_FUNCTION, HostTables, SettingsAccess

WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS = "CLAY_WEBHOOK_URL", "CLAY_TABLE_NAME", "CLAY_RATE_LIMIT_MS"
API_KEY = "CLAY_API_KEY"
"""Not used yet; enrichment will need it."""


class _Setting(NamedTuple):
    key: str
    value: str | None
    is_global: bool
    """From `app_settings`, for the whole installation."""


BY_FUNCTION = Statement(
    f"SELECT key, value, is_global FROM clay.{SETTINGS_FUNCTION}(:org_id) WHERE key <> '{API_KEY}'", _Setting
)


@dataclass(frozen=True, slots=True)
class ClaySettings:
    """Unchecked text; None where the setting is missing or blank."""

    webhook_url: str | None
    table_name: str | None
    rate_limit_ms: str | None

    def __repr__(self) -> str:  # the URL is a credential: it must not reach a log through a traceback
        return f"ClaySettings(webhook_url={'***' if self.webhook_url else None}, table_name={self.table_name!r})"


async def clay_settings(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> ClaySettings:
    """Returns the organization's Clay settings; all None where this role cannot read them (`tables.settings`).

    NexusLeads falls back from `org_settings` to `app_settings`. Only the rate follows that fallback: a global webhook URL
    would send an organization's leads to a table that the organization did not choose.
    """
    found: dict[str, str] = {}
    rows = await _rows(connection, tables, org_id)
    # The organization's own value comes last and replaces the global one.
    for row in sorted(rows, key=lambda each: not each.is_global):
        if row.value and row.value.strip():
            found[row.key] = row.value.strip()
    return ClaySettings(found.get(WEBHOOK_URL), found.get(TABLE_NAME), found.get(RATE_LIMIT_MS))


async def _rows(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> Iterable[_Setting]:
    match tables.settings:
        case SettingsAccess.NONE:
            return []
        case SettingsAccess.FUNCTION:
            return await BY_FUNCTION.rows(connection, {"org_id": org_id})
        case SettingsAccess.TABLE:
            return await _rows_of_tables(connection, tables, org_id)


async def _rows_of_tables(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> Iterable[_Setting]:
    settings, everywhere = tables.org_settings.c, tables.app_settings.c
    own = select(settings.key, settings.value, literal(False).label("is_global")).where(
        settings.org_id == org_id, settings.key.in_([WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS])
    )
    overall = select(everywhere.key, everywhere.value, literal(True).label("is_global")).where(
        everywhere.key == RATE_LIMIT_MS
    )
    return await select_rows(connection, union_all(own, overall) if tables.has("app_settings") else own, _Setting)
