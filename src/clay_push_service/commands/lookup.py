"""Finds an organization or a project by what a person types: id, slug or name. Refuses to guess between two."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.host.tables import HostTables


@dataclass(frozen=True, slots=True)
class Named:
    id: UUID
    name: str


async def organization(connection: AsyncConnection, tables: HostTables, given: str) -> Named:
    """Raises 404 or, where several have the name, 409 with their ids."""
    orgs = tables.organizations
    words = [orgs.c.name, *([orgs.c.slug] if tables.has("organizations", "slug") else [])]
    return _one("organization", given, await _matching(connection, orgs, given, words))


async def project(connection: AsyncConnection, tables: HostTables, org: Named, given: str) -> Named:
    """Of this organization only."""
    projects = tables.projects
    found = await _matching(connection, projects, given, [projects.c.name], projects.c.org_id == org.id)
    return _one(f"project of {org.name}", given, found)


async def _matching(
    connection: AsyncConnection,
    table: Table,
    given: str,
    words: Sequence[ColumnElement[str]],
    *conditions: ColumnElement[bool],
) -> Sequence[Named]:
    try:
        wanted: ColumnElement[bool] = table.c.id == UUID(given)
    except ValueError:
        wanted = or_(*(func.lower(word) == given.lower() for word in words))
    rows = await connection.execute(select(table.c.id, table.c.name).where(wanted, *conditions).order_by(table.c.id))
    return [Named(row.id, row.name) for row in rows]


def _one(what: str, given: str, found: Sequence[Named]) -> Named:
    if not found:
        raise NotFoundError(f"There is no {what} with the id or name {given!r}.")
    if len(found) > 1:
        ids = ", ".join(str(each.id) for each in found[:10])
        raise ConflictError(f"{len(found)} match {given!r}; name one by its id: {ids}.")
    return found[0]
