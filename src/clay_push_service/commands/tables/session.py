"""Opens the settings of an organization's destinations for a command, and finds destinations, workspaces and mappings by name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.destination_settings.named.service import NamedDestinations
from clay_push_service.destination_settings.named.workspaces import list_workspaces
from clay_push_service.destination_settings.service import DestinationSettings
from clay_push_service.destinations.read import destination_views
from clay_push_service.errors import NotFoundError
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.mappings import store
from clay_push_service.settings import Settings

Result = TypeVar("Result")


@asynccontextmanager
async def open_destinations(settings: Settings, org: str) -> AsyncIterator[NamedDestinations]:
    """The service of the API for this organization, with the operator's shell as the actor. Raises 404 and 409 as `find_organization`."""
    database, host = Database.for_shell(settings.database_url), HostTableCache(settings.host_schema)
    try:
        async with database.transaction() as connection:
            org_id = (await find_organization(connection, await host.tables(connection), org)).id
        yield NamedDestinations(DestinationSettings(database, host, Actor(org_id, shell_actor()), settings))
    finally:
        await database.close()


def in_transaction(settings: Settings, org: str, act: Callable[[AsyncConnection, Actor], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        async with open_destinations(settings, org) as service, service.settings.database.transaction() as connection:
            return await act(connection, service.settings.actor)

    return asyncio.run(run())


async def find_destination(connection: AsyncConnection, org_id: UUID, given: str) -> UUID:
    """The id of a destination that is not archived, by its id or name. Raises 404."""
    for view in await destination_views(connection, org_id):
        if given.lower() in {str(view.id), view.name.lower()}:
            return view.id
    raise _not_found("destination", given, "clay-push destinations list")


async def find_workspace(connection: AsyncConnection, org_id: UUID, given: str) -> UUID:
    """By its id or name. Raises 404."""
    for each in await list_workspaces(connection, org_id):
        if given.lower() in {str(each.id), each.name.lower()}:
            return each.id
    raise _not_found("workspace", given, "clay-push workspaces list")


async def find_mapping(connection: AsyncConnection, org_id: UUID, given: str) -> UUID:
    """The id of a mapping that is not archived, by its id or name. Raises 404."""
    for each in await store.LIST.rows(connection, {"org_id": org_id}):
        if given.lower() in {str(each.id), each.name.lower()}:
            return each.id
    raise _not_found("mapping", given, "clay-push mappings list")


def table_of(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _not_found(what: str, given: str, command: str) -> NotFoundError:
    return NotFoundError(f"The organization has no {what} with the id or name {given!r}. List them with `{command}`.")
