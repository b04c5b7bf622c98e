"""The HTTP endpoints under `/api/clay/destinations` and `/api/clay/workspaces`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.dependencies import Authorized, Configurer, Reader
from clay_push_service.callers.guarded_route import GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Clock, RequestId, Transaction
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.dependencies import Client
from clay_push_service.destination_settings.connection_test.result import TestResult
from clay_push_service.destination_settings.dependencies import ReadSettings, SettingsService
from clay_push_service.destination_settings.named.schemas import (
    ArchivedView,
    DestinationBody,
    DestinationList,
    DestinationUpdate,
    NamedDestination,
)
from clay_push_service.destination_settings.named.service import NamedDestinations
from clay_push_service.destination_settings.named.workspace_schemas import (
    WorkspaceBody,
    WorkspaceList,
    WorkspaceUpdate,
    WorkspaceView,
)
from clay_push_service.destination_settings.named.workspaces import (
    change_workspace,
    create_workspace,
    list_workspaces,
)
from clay_push_service.destination_settings.schemas import NewTableBody
from clay_push_service.destinations.dependencies import Box, Resolver, require_box
from clay_push_service.problems import CALLER, responses

SETTINGS_LANE = [Depends(RouteLimits(lane=Lane.SETTINGS))]
router = APIRouter(prefix="/api/clay", tags=["destinations"], dependencies=Authorized, route_class=GuardedRoute)

DestinationId = Annotated[UUID, Path(description="The destination.")]
WorkspaceId = Annotated[UUID, Path(description="The workspace.")]


@router.get("/destinations", summary="List destinations", responses=responses(*CALLER))
async def list_destinations(
    service: ReadSettings,
    archived: Annotated[bool, Query(description="Also those that are archived, at the end.")] = False,
) -> DestinationList:
    """The organization's Clay tables with their state and quota."""
    return await NamedDestinations(service).list(archived=archived)


@router.post(
    "/destinations", status_code=201, summary="Create a destination", responses=responses(*CALLER, 404, 409, 413),
    dependencies=SETTINGS_LANE,
)  # fmt: skip
async def create_destination(
    body: DestinationBody, service: SettingsService, box: Box, resolver: Resolver
) -> NamedDestination:
    """Requires an owner or admin, or a key with scope `config`. At most 50 an organization."""
    return await NamedDestinations(service).create(box, resolver, body)


@router.get("/destinations/{destination_id}", summary="Get a destination", responses=responses(*CALLER, 404))
async def get_destination(destination_id: DestinationId, service: ReadSettings) -> NamedDestination:
    """Also an archived one. `quota.used_up_on` is the forecast of its quota."""
    return await NamedDestinations(service).read(destination_id)


@router.put(
    "/destinations/{destination_id}", summary="Change a destination", responses=responses(*CALLER, 404, 409, 413),
    dependencies=SETTINGS_LANE,
)  # fmt: skip
async def change_destination(
    destination_id: DestinationId,
    body: DestinationUpdate,
    service: SettingsService,
    request: Request,
    resolver: Resolver,
) -> NamedDestination:
    """Requires an owner or admin, or a key with scope `config`. Omitted fields are unchanged."""
    return await NamedDestinations(service).change(lambda: require_box(request), resolver, destination_id, body)


@router.delete(
    "/destinations/{destination_id}", summary="Archive a destination", responses=responses(*CALLER, 404, 409),
    dependencies=SETTINGS_LANE,
)  # fmt: skip
async def archive_destination(destination_id: DestinationId, service: SettingsService) -> ArchivedView:
    """Deletes its webhook and ends its queued leads; its history stays. Refused with 409 while something uses it."""
    ended = await NamedDestinations(service).archive(destination_id)
    if ended is None:
        return ArchivedView(archived=False, ended_count=0, message="The destination was archived already.")
    return ArchivedView(archived=True, ended_count=ended, message="The destination was archived.")


@router.post(
    "/destinations/{destination_id}/test", summary="Send a sample row to a destination",
    responses=responses(*CALLER, 404, 409), dependencies=SETTINGS_LANE,
)  # fmt: skip
async def check_destination(
    destination_id: DestinationId, service: SettingsService, box: Box, client: Client, clock: Clock
) -> TestResult:
    """Uses one of the webhook's lifetime submissions. A successful test opens a closed destination."""
    return TestResult.of(await NamedDestinations(service).test(box, client, clock, destination_id))


@router.post(
    "/destinations/{destination_id}/new-table", summary="Declare that a destination feeds a new table",
    responses=responses(*CALLER, 404, 409, 413), dependencies=SETTINGS_LANE,
)  # fmt: skip
async def declare_new_table_of_destination(
    destination_id: DestinationId, body: NewTableBody, service: SettingsService
) -> NamedDestination:
    """No lead counts as already in this destination's table afterwards. Other destinations are unchanged."""
    return await NamedDestinations(service).declare_new_table(destination_id, body.version)


@router.get("/workspaces", summary="List workspaces", responses=responses(*CALLER), operation_id="list_workspaces")
async def get_workspaces(caller: Reader, connection: Transaction) -> WorkspaceList:
    """Clay limits requests per workspace: the destinations of one share its pace, those of two do not."""
    found = await list_workspaces(connection, caller.org_id)
    return WorkspaceList(workspaces=[WorkspaceView.of(each) for each in found])


@router.post(
    "/workspaces", status_code=201, summary="Create a workspace", responses=responses(*CALLER, 409, 413),
    operation_id="create_workspace",
)  # fmt: skip
async def post_workspace(
    body: WorkspaceBody, caller: Configurer, connection: Transaction, request_id: RequestId
) -> WorkspaceView:
    """Requires an owner or admin, or a key with scope `config`."""
    actor = actor_of(caller, request_id)
    return WorkspaceView.of(await create_workspace(connection, actor, body.name, body.rate_limit_ms))


@router.put(
    "/workspaces/{workspace_id}", summary="Change a workspace", responses=responses(*CALLER, 404, 409, 413),
    operation_id="change_workspace",
)  # fmt: skip
async def put_workspace(
    workspace_id: WorkspaceId, body: WorkspaceUpdate, caller: Configurer, connection: Transaction, request_id: RequestId
) -> WorkspaceView:
    """Requires an owner or admin, or a key with scope `config`. A new pace holds within about a second."""
    actor = actor_of(caller, request_id)
    found = await change_workspace(connection, actor, workspace_id, body.name, body.rate_limit_ms)
    return WorkspaceView.of(found)
