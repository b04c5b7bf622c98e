"""What NexusLeads' settings page wrote about Clay. Takes a webhook URL from the organization itself only, never a global one."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.tables import HostTables

WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS = "CLAY_WEBHOOK_URL", "CLAY_TABLE_NAME", "CLAY_RATE_LIMIT_MS"


@dataclass(frozen=True, slots=True)
class ClaySettings:
    """As written there: text, unchecked; None where nothing (or nothing but blanks) stands."""

    webhook_url: str | None
    table_name: str | None
    rate_limit_ms: str | None

    def __repr__(self) -> str:  # the URL is a capability: it must not reach a log by way of a traceback
        return f"ClaySettings(webhook_url={'***' if self.webhook_url else None}, table_name={self.table_name!r})"


async def clay_settings(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> ClaySettings:
    """The organization's own three settings.

    NexusLeads falls back from `org_settings` to `app_settings`. Only the rate follows it there: a webhook URL set once for
    the whole installation would send one organization's people into a table that this organization never named.
    """
    settings = tables.org_settings.c
    rows = await connection.execute(
        select(settings.key, settings.value).where(
            settings.org_id == org_id, settings.key.in_([WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS])
        )
    )
    found = {key: value.strip() for key, value in rows if value and value.strip()}
    if RATE_LIMIT_MS not in found and tables.has("app_settings"):
        everywhere = tables.app_settings.c
        value = (
            await connection.execute(select(everywhere.value).where(everywhere.key == RATE_LIMIT_MS))
        ).scalar_one_or_none()
        if value and value.strip():
            found[RATE_LIMIT_MS] = value.strip()
    return ClaySettings(found.get(WEBHOOK_URL), found.get(TABLE_NAME), found.get(RATE_LIMIT_MS))
