"""Finds an organization or a project by id, slug or name. An ambiguous name is an error."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_rows
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.host.tables import HostTables


@dataclass(frozen=True, slots=True)
class Match:
    id: UUID
    name: str


async def find_organization(connection: AsyncConnection, tables: HostTables, id_or_name: str) -> Match:
    """Raises 404 if there is none, and 409 with the ids if several have this name."""
    orgs = tables.organizations
    name_columns = [orgs.c.name, *([orgs.c.slug] if tables.has("organizations", "slug") else [])]
    return _single("organization", id_or_name, await _find_matches(connection, orgs, id_or_name, name_columns))


async def find_project(connection: AsyncConnection, tables: HostTables, org: Match, id_or_name: str) -> Match:
    """Searches this organization only. Raises as `find_organization`."""
    projects = tables.projects
    found = await _find_matches(connection, projects, id_or_name, [projects.c.name], projects.c.org_id == org.id)
    return _single(f"project of {org.name}", id_or_name, found)


async def _find_matches(
    connection: AsyncConnection,
    table: Table,
    id_or_name: str,
    name_columns: Sequence[ColumnElement[str]],
    *conditions: ColumnElement[bool],
) -> Sequence[Match]:
    try:
        wanted: ColumnElement[bool] = table.c.id == UUID(id_or_name)
    except ValueError:
        wanted = or_(*(func.lower(column) == id_or_name.lower() for column in name_columns))
    query = select(table.c.id, table.c.name).where(wanted, *conditions).order_by(table.c.id)
    return await select_rows(connection, query, Match)


def _single(what: str, id_or_name: str, found: Sequence[Match]) -> Match:
    if not found:
        raise NotFoundError(f"There is no {what} with the id or name {id_or_name!r}.")
    if len(found) > 1:
        ids = ", ".join(str(each.id) for each in found[:10])
        raise ConflictError(f"{id_or_name!r} matches {len(found)}. Use one of these ids: {ids}.")
    return found[0]
