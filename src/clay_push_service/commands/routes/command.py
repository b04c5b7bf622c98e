"""`clay-push segments` and `clay-push routes`: show, save and simulate with the same rules as the API."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import orjson
import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import Match, find_organization, find_project
from clay_push_service.database.database import Database
from clay_push_service.errors import InvalidError, NotFoundError
from clay_push_service.host.detect import detect
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.targets.simulate import Simulation, SimulationBody, simulate
from clay_push_service.routing.route_schemas import RouteList, RoutesBody
from clay_push_service.routing.routes import read_stored_routes, replace_routes
from clay_push_service.routing.segment_schemas import SegmentBody
from clay_push_service.routing.segments import (
    Segment,
    change_segment,
    create_segment,
    delete_segment,
    list_segments,
)
from clay_push_service.settings import Settings

Result = TypeVar("Result")
Body = TypeVar("Body", bound=BaseModel)
Act = Callable[[AsyncConnection, HostTables, Match], Awaitable[Result]]


def show_segments(settings: Settings, org: str) -> None:
    async def act(connection: AsyncConnection, _tables: HostTables, organization: Match) -> Sequence[Segment]:
        return await list_segments(connection, organization.id)

    found = _in_transaction(settings, org, act)
    _print(
        ("id", "name", "filters"),
        [(str(each.id), each.name, orjson.dumps(each.filters).decode()) for each in found],
    )


def save_segment(settings: Settings, org: str, name: str, filters: str) -> None:
    """Create the segment with this name, or change it."""
    body = _parse(SegmentBody, orjson.dumps({"name": name, "filters": _json(filters)}))

    async def act(connection: AsyncConnection, tables: HostTables, organization: Match) -> Segment:
        known = [each for each in await list_segments(connection, organization.id) if each.name == body.name]
        if not known:
            return await create_segment(connection, organization.id, shell_actor(), body.name, body.filters)
        [segment] = known
        return await change_segment(
            connection, tables, organization.id, shell_actor(), segment.id, body.name, body.filters
        )

    typer.echo(f"Saved ({_in_transaction(settings, org, act).id}).")


def remove_segment(settings: Settings, org: str, segment: str) -> None:
    async def act(connection: AsyncConnection, _tables: HostTables, organization: Match) -> None:
        known = [
            each.id for each in await list_segments(connection, organization.id) if segment in {each.name, str(each.id)}
        ]
        if not known:
            raise NotFoundError("The organization has no segment with this name or id.", code="segment_not_found")
        await delete_segment(connection, organization.id, shell_actor(), known[0])

    _in_transaction(settings, org, act)
    typer.echo("The segment is deleted.")


def show_routes(settings: Settings, org: str, project: str | None, *, as_json: bool) -> None:
    async def act(connection: AsyncConnection, tables: HostTables, organization: Match) -> RouteList:
        project_id = await _project(connection, tables, organization, project)
        return RouteList.of(project_id, await read_stored_routes(connection, organization.id))

    found = _in_transaction(settings, org, act)
    if as_json:
        typer.echo(found.model_dump_json(by_alias=True, indent=2))
        return
    _print(
        ("position", "leads of", "go to", "then", "when a lead moves"),
        [
            (
                str(each.position), each.segment_name or "every lead", each.destination_name or "no table",
                "continue" if each.continues else "stop", each.on_move.value,
            )
            for each in found.routes
        ],
    )  # fmt: skip


def set_routes(settings: Settings, org: str, project: str | None, path: Path) -> None:
    """The file has the form of the API: `version` and `routes`."""
    body = _parse(RoutesBody, path.read_bytes())

    async def act(connection: AsyncConnection, tables: HostTables, organization: Match) -> None:
        project_id = await _project(connection, tables, organization, project)
        routes = [each.route() for each in body.routes]
        await replace_routes(connection, organization.id, shell_actor(), project_id, body.version, routes)

    _in_transaction(settings, org, act)
    typer.echo(f"Saved {len(body.routes)} routes.")


def simulate_routes(settings: Settings, org: str, project: str | None, days: int) -> None:
    async def act(connection: AsyncConnection, tables: HostTables, organization: Match) -> Simulation:
        project_id = await _project(connection, tables, organization, project)
        body = SimulationBody(project_id=project_id, days=None if project_id else days, limit=1)
        return await simulate(connection, tables, organization.id, body)

    found = _in_transaction(settings, org, act)
    _print(
        ("leads", "go to", "route", "leads of", "skipped because"),
        [
            (
                f"{each.lead_count:,}", each.destination.name if each.destination else "no table",
                "" if each.position is None else str(each.position),
                "" if each.position is None else each.segment_name or "every lead", each.skipped_because or "",
            )
            for each in found.decisions
        ],
    )  # fmt: skip


async def _project(
    connection: AsyncConnection, tables: HostTables, organization: Match, project: str | None
) -> UUID | None:
    return None if project is None else (await find_project(connection, tables, organization, project)).id


def _print(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for line in lines:
        table.add_row(*line)
    Console().print(table)


def _json(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidError("The filters are not JSON. Give them as '{\"min_score\": 80}'.") from None


def _parse(body: type[Body], content: bytes) -> Body:
    try:
        return body.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidError(f"{place or 'The text'}: {first['msg']}.") from None


def _in_transaction(settings: Settings, org: str, act: Act[Result]) -> Result:
    async def run() -> Result:
        database = Database.for_shell(settings.database_url)
        try:
            async with database.transaction() as connection:
                tables = await detect(connection, settings.host_schema)
                return await act(connection, tables, await find_organization(connection, tables, org))
        finally:
            await database.close()

    return asyncio.run(run())
