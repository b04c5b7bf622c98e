"""Reads names of organizations for operators. Returns none where NexusLeads' table cannot be read; callers then show ids."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE
from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.host.tables import HostTables

MAX_CHARACTERS = 80
"""Organizations choose their names: a long one must not hide the rest of a sentence."""
LOCK_TIMEOUT = Statement("SET LOCAL lock_timeout = '1s'")

log = logs.get(__name__)


class _Organization(NamedTuple):
    id: UUID
    name: str | None


async def organization_names(
    connection: AsyncConnection, tables: HostTables, org_ids: Iterable[UUID]
) -> Mapping[UUID, str]:
    """Names by id; ids without a name are absent. The caller's transaction stays usable after a failure."""
    wanted = sorted(set(org_ids))
    if not wanted or not tables.has("organizations"):
        return {}
    organizations = tables.organizations.c
    statement = select(organizations.id, organizations.name).where(organizations.id.in_(wanted))
    try:
        async with connection.begin_nested():
            await LOCK_TIMEOUT.execute(connection)
            rows = await select_rows(connection, statement, _Organization)
    except UNAVAILABLE as error:
        log.warning("organizations.names_unreadable", **failure(error))
        return {}
    return {row.id: name for row in rows if (name := _printable(row.name or ""))}


def _printable(name: str) -> str:
    """One line without control characters: a terminal shows it, too."""
    return " ".join("".join(each if each.isprintable() else " " for each in name).split())[:MAX_CHARACTERS]
