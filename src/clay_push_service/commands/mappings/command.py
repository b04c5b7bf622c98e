"""`clay-push mappings`: lists, prints, saves and chooses mappings with the same rules as the API."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.commands.tables.session import find_destination, find_mapping
from clay_push_service.database.database import Database
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.leads.mapping.changes import ColumnChange, unchanged_notes
from clay_push_service.leads.mapping.columns import Column
from clay_push_service.mapping_settings.schemas import MappingColumn
from clay_push_service.mapping_settings.service import MappingSaveResult, change_mapping, create_mapping
from clay_push_service.mapping_settings.templates import find_template
from clay_push_service.mappings import store
from clay_push_service.mappings.assign import AssignResult, assign_mapping, require_mapping
from clay_push_service.mappings.store import StoredMapping
from clay_push_service.settings import Settings

Result = TypeVar("Result")


def show_all(settings: Settings, org: str) -> None:
    async def act(connection: AsyncConnection, actor: Actor) -> list[tuple[StoredMapping, str]]:
        used = await store.read_used_by(connection, actor.org_id)
        return [
            (each, ", ".join(one.label for one in used if one.mapping_id == each.id))
            for each in await store.LIST.rows(connection, {"org_id": actor.org_id})
        ]

    table = Table(box=None, pad_edge=False)
    for title in ("id", "name", "version", "columns", "used by"):
        table.add_column(title, overflow="fold")
    for each, used_by in _in_transaction(settings, org, act):
        table.add_row(str(each.id), each.name, str(each.number), str(len(each.parsed)), used_by)
    Console().print(table)


def show(settings: Settings, org: str, mapping: str) -> None:
    """Print the columns of a mapping, or of a table template, as JSON."""

    async def act(connection: AsyncConnection, actor: Actor) -> Sequence[Column]:
        try:
            mapping_id = UUID(mapping)
        except ValueError:
            return (await find_template(connection, actor.org_id, mapping)).template.columns
        return (await require_mapping(connection, actor.org_id, mapping_id)).parsed

    columns = [each.as_json() for each in _in_transaction(settings, org, act)]
    typer.echo(json.dumps(columns, ensure_ascii=False, indent=2))


def save(settings: Settings, org: str, name: str, file: Path) -> None:
    """Save a new mapping, or a new version of the one with this name."""
    columns = _read(file)

    async def act(connection: AsyncConnection, actor: Actor) -> MappingSaveResult:
        existing = await store.LIST.rows(connection, {"org_id": actor.org_id})
        found = next((each for each in existing if each.name.lower() == name.lower()), None)
        if found is None:
            return await create_mapping(connection, actor, name, columns, None)
        return await change_mapping(connection, actor, found.id, found.name, columns, None)

    saved = _in_transaction(settings, org, act)
    typer.echo(f"Version {saved.mapping.number} of {saved.mapping.name} ({saved.mapping.id}).")
    _print_changes(saved.changes, saved.previous_number)


def use(settings: Settings, org: str, destination: str, mapping: str | None) -> None:
    """Let a destination use a mapping; None: the standard payload."""

    async def act(connection: AsyncConnection, actor: Actor) -> AssignResult:
        destination_id = await find_destination(connection, actor.org_id, destination)
        mapping_id = None if mapping is None else await find_mapping(connection, actor.org_id, mapping)
        return await assign_mapping(connection, actor, destination_id, mapping_id)

    assigned = _in_transaction(settings, org, act)
    name = (
        "the standard payload"
        if assigned.mapping is None
        else f"version {assigned.mapping.number} of {assigned.mapping.name}"
    )
    typer.echo(f"The destination receives {name} from now on.")
    _print_changes(assigned.changes, assigned.before)


def _print_changes(changes: Sequence[ColumnChange], before: int | None) -> None:
    for each in changes:
        typer.echo(f"  {each.kind} {each.key}: {each.message}")
    for sentence in unchanged_notes(before):
        typer.echo(f"  {sentence}")


def _read(file: Path) -> list[Column]:
    try:
        found = TypeAdapter(list[MappingColumn]).validate_json(file.read_bytes())
    except OSError as error:
        raise InvalidError(f"{file} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(each) for each in first["loc"])
        raise InvalidError(f"{file}: {place or 'the file'}: {first['msg']}.") from None
    return [each.column() for each in found]


def _in_transaction(settings: Settings, org: str, act: Callable[[AsyncConnection, Actor], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        database = Database.for_shell(settings.database_url)
        try:
            async with database.transaction() as connection:
                tables = await detect(connection, settings.host_schema)
                org_id = (await find_organization(connection, tables, org)).id
                return await act(connection, Actor(org_id, shell_actor()))
        finally:
            await database.close()

    return asyncio.run(run())
