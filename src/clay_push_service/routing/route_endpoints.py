"""The HTTP endpoints under `/api/clay/routes` that read and replace routes; `push_jobs.targets` simulates them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.dependencies import Authorized, Configurer, DetectedTables, Reader
from clay_push_service.callers.guarded_route import GuardedRoute
from clay_push_service.callers.request_state import Transaction
from clay_push_service.errors import NotFoundError
from clay_push_service.host.projects import find_project
from clay_push_service.host.tables import HostTables
from clay_push_service.problems import CALLER, responses
from clay_push_service.routing.route_schemas import RouteList, RoutesBody
from clay_push_service.routing.routes import read_stored_routes, replace_routes

router = APIRouter(prefix="/api/clay/routes", tags=["routes"], dependencies=Authorized, route_class=GuardedRoute)

ProjectQuery = Annotated[
    UUID | None, Query(description="The project whose own list is read; omitted: the organization's.")
]


@router.get("", summary="Get a list of routes", responses=responses(*CALLER, 404), operation_id="get_routes")
async def get_routes(
    caller: Reader, connection: Transaction, tables: DetectedTables, project_id: ProjectQuery = None
) -> RouteList:
    """The organization's list, or a project's own one; with the version that a change needs."""
    await _require_project(connection, tables, caller.org_id, project_id)
    return RouteList.of(project_id, await read_stored_routes(connection, caller.org_id))


@router.put(
    "", summary="Replace a list of routes", responses=responses(*CALLER, 404, 409, 413), operation_id="replace_routes"
)
async def put_routes(
    body: RoutesBody, caller: Configurer, connection: Transaction, tables: DetectedTables
) -> RouteList:
    """For an owner or admin, or a key with scope `config`. Pushes accepted from now on use it; earlier ones keep their destinations."""
    await _require_project(connection, tables, caller.org_id, body.project_id)
    routes = [each.route() for each in body.routes]
    await replace_routes(connection, caller.org_id, caller.actor, body.project_id, body.version, routes)
    return RouteList.of(body.project_id, await read_stored_routes(connection, caller.org_id))


async def _require_project(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID | None
) -> None:
    if project_id is not None and await find_project(connection, tables, org_id, project_id) is None:
        raise NotFoundError("Your organization has no project with this id.", code="project_not_found")
