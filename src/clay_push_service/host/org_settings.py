"""Reads the Clay settings of NexusLeads' settings page. A webhook URL is read from the organization only, never a global one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, literal, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.host.tables import SETTINGS_FUNCTION, HostTables, SettingsAccess

WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS = "CLAY_WEBHOOK_URL", "CLAY_TABLE_NAME", "CLAY_RATE_LIMIT_MS"
API_KEY = "CLAY_API_KEY"
"""Read separately, so that no statement for other settings returns the key."""


class _Setting(NamedTuple):
    org_id: UUID | None
    """None: from `app_settings`, for the whole installation."""
    key: str
    value: str | None


BY_FUNCTION = Statement(
    f"""
SELECT CASE WHEN setting.is_global THEN NULL ELSE organization.id END AS org_id, setting.key, setting.value
FROM unnest(CAST(:org_ids AS uuid[])) AS organization (id)
CROSS JOIN LATERAL clay.{SETTINGS_FUNCTION}(organization.id) AS setting
WHERE setting.key <> '{API_KEY}'
""",
    _Setting,
)


class _Key(NamedTuple):
    org_id: UUID
    value: str | None

    def __repr__(self) -> str:
        return f"_Key(org_id={self.org_id})"


KEYS_BY_FUNCTION = Statement(
    f"""
SELECT organization.id AS org_id, setting.value
FROM unnest(CAST(:org_ids AS uuid[])) AS organization (id)
CROSS JOIN LATERAL clay.{SETTINGS_FUNCTION}(organization.id) AS setting
WHERE setting.key = '{API_KEY}' AND NOT setting.is_global
""",
    _Key,
)


@dataclass(frozen=True, slots=True)
class ClaySettings:
    """Unchecked text; None where the setting is missing or blank."""

    webhook_url: str | None
    table_name: str | None
    rate_limit_ms: str | None

    def __repr__(self) -> str:  # the URL is a credential: it must not reach a log through a traceback
        return f"ClaySettings(webhook_url={'***' if self.webhook_url else None}, table_name={self.table_name!r})"


NO_SETTINGS = ClaySettings(None, None, None)


async def clay_settings(
    connection: AsyncConnection, tables: HostTables, org_ids: Sequence[UUID]
) -> Mapping[UUID, ClaySettings]:
    """Returns the Clay settings of each organization; NO_SETTINGS where this role cannot read them (`tables.settings`).

    NexusLeads falls back from `org_settings` to `app_settings`. Only the rate follows that fallback: a global webhook URL
    would send an organization's leads to a table that the organization did not choose.
    """
    own: dict[UUID, dict[str, str]] = {org_id: {} for org_id in org_ids}
    overall: dict[str, str] = {}
    for row in await _rows(connection, tables, org_ids):
        if row.value and row.value.strip():
            (overall if row.org_id is None else own[row.org_id])[row.key] = row.value.strip()
    found = {org_id: overall | values for org_id, values in own.items()}
    return {
        org_id: ClaySettings(values.get(WEBHOOK_URL), values.get(TABLE_NAME), values.get(RATE_LIMIT_MS))
        for org_id, values in found.items()
    }


async def clay_api_keys(connection: AsyncConnection, tables: HostTables, org_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """Returns the organizations' own API keys as they are written; a missing or blank one is absent.

    A key of `app_settings` is never read: the workspace of one customer would pay for all, and Clay's data must not be resold.
    """
    if tables.settings is SettingsAccess.NONE:
        return {}
    settings = tables.org_settings.c
    if tables.settings is SettingsAccess.FUNCTION:
        found = await KEYS_BY_FUNCTION.rows(connection, {"org_ids": org_ids})
    else:
        of_organizations = settings.org_id == any_(literal(org_ids, ARRAY(Uuid())))
        query = select(settings.org_id, settings.value).where(of_organizations, settings.key == API_KEY)
        found = await select_rows(connection, query, _Key)
    return {row.org_id: row.value for row in found if row.value and row.value.strip()}


async def _rows(connection: AsyncConnection, tables: HostTables, org_ids: Sequence[UUID]) -> Iterable[_Setting]:
    match tables.settings:
        case SettingsAccess.NONE:
            return []
        case SettingsAccess.FUNCTION:
            return await BY_FUNCTION.rows(connection, {"org_ids": org_ids})
        case SettingsAccess.TABLE:
            return await _rows_of_tables(connection, tables, org_ids)


async def _rows_of_tables(
    connection: AsyncConnection, tables: HostTables, org_ids: Sequence[UUID]
) -> Iterable[_Setting]:
    settings, everywhere = tables.org_settings.c, tables.app_settings.c
    own = select(settings.org_id, settings.key, settings.value).where(
        settings.org_id == any_(literal(org_ids, ARRAY(Uuid()))),
        settings.key.in_([WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS]),
    )
    overall = select(null().cast(Uuid()).label("org_id"), everywhere.key, everywhere.value).where(
        everywhere.key == RATE_LIMIT_MS
    )
    return await select_rows(connection, union_all(own, overall) if tables.has("app_settings") else own, _Setting)


async def organizations_after(
    connection: AsyncConnection, tables: HostTables, after: UUID | None, limit: int
) -> Sequence[UUID]:
    """Ids of organizations in their order, beginning after `after`."""
    organizations = tables.organizations.c
    statement = select(organizations.id).order_by(organizations.id).limit(limit)
    if after is not None:
        statement = statement.where(organizations.id > after)
    return await select_rows(connection, statement, UUID)


async def is_single_organization(connection: AsyncConnection, tables: HostTables) -> bool:
    """Whether the installation has exactly one organization."""
    return len(await select_rows(connection, select(tables.organizations.c.id).limit(2), UUID)) == 1
