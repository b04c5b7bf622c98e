"""`clay-push workspaces`: lists, creates and changes an organization's Clay workspaces with the functions of the API."""

from collections.abc import Sequence

import typer
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.tables.body import read_body
from clay_push_service.commands.tables.session import find_workspace, in_transaction, table_of
from clay_push_service.destination_settings.named.workspace_schemas import WorkspaceBody, WorkspaceUpdate
from clay_push_service.destination_settings.named.workspaces import (
    Workspace,
    change_workspace,
    create_workspace,
    list_workspaces,
)
from clay_push_service.errors import InvalidError
from clay_push_service.settings import Settings


def show_all(settings: Settings, org: str) -> None:
    async def read(connection: AsyncConnection, actor: Actor) -> Sequence[Workspace]:
        return await list_workspaces(connection, actor.org_id)

    table = table_of("id", "name", "default", "ms between leads", "destinations")
    for each in in_transaction(settings, org, read):
        default = "yes" if each.is_default else ""
        table.add_row(str(each.id), each.name, default, str(each.rate_limit_ms), str(each.destination_count))
    Console().print(table)


def create(settings: Settings, org: str, name: str, rate_limit_ms: int | None) -> None:
    given = {"name": name, "rate_limit_ms": rate_limit_ms}
    body = read_body(WorkspaceBody, {field: value for field, value in given.items() if value is not None})

    async def act(connection: AsyncConnection, actor: Actor) -> Workspace:
        return await create_workspace(connection, actor, body.name, body.rate_limit_ms)

    _show_saved(in_transaction(settings, org, act), "created")


def change(settings: Settings, org: str, workspace: str, name: str | None, rate_limit_ms: int | None) -> None:
    if name is None and rate_limit_ms is None:
        raise InvalidError("Nothing is to be changed: give --name or --rate-limit-ms.")
    body = read_body(WorkspaceUpdate, {"name": name, "rate_limit_ms": rate_limit_ms})

    async def act(connection: AsyncConnection, actor: Actor) -> Workspace:
        found = await find_workspace(connection, actor.org_id, workspace)
        return await change_workspace(connection, actor, found, body.name, body.rate_limit_ms)

    _show_saved(in_transaction(settings, org, act), "changed")


def _show_saved(saved: Workspace, done: str) -> None:
    typer.echo(
        f"“{saved.name}” ({saved.id}) is {done}: {saved.rate_limit_ms} ms between two leads of all its destinations."
    )
