"""The HTTP endpoints `/api/clay/segments` and `/api/clay/segment-preview`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from clay_push_service.callers.dependencies import Authorized, Configurer, DetectedTables, Reader
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Transaction
from clay_push_service.callers.turns import Lane
from clay_push_service.problems import CALLER, responses
from clay_push_service.routing.preview_segment import preview_segment
from clay_push_service.routing.segment_schemas import (
    SegmentBody,
    SegmentList,
    SegmentPreview,
    SegmentPreviewBody,
    SegmentView,
)
from clay_push_service.routing.segments import (
    change_segment,
    create_segment,
    delete_segment,
    list_segments,
    read_segment,
    read_uses,
)

router = APIRouter(prefix="/api/clay", tags=["routes"], dependencies=Authorized, route_class=GuardedRoute)

SegmentId = Annotated[UUID, Path(description="Id of the segment.")]
FILTERS = [Depends(RouteLimits(BodySize.LISTS))]


@router.get("/segments", summary="List segments", responses=responses(*CALLER), operation_id="list_segments")
async def get_segments(caller: Reader, connection: Transaction) -> SegmentList:
    """The saved filters of the organization."""
    uses = await read_uses(connection, caller.org_id)
    return SegmentList(segments=[SegmentView.of(each, uses) for each in await list_segments(connection, caller.org_id)])


@router.post(
    "/segments", status_code=201, summary="Create a segment", responses=responses(*CALLER, 409, 413), dependencies=FILTERS,
    operation_id="create_segment",
)  # fmt: skip
async def post_segment(body: SegmentBody, caller: Configurer, connection: Transaction) -> SegmentView:
    """For an owner or admin, or a key with scope `config`."""
    created = await create_segment(connection, caller.org_id, caller.actor, body.name, body.filters)
    return SegmentView.of(created, [])


@router.post(
    "/segment-preview", summary="Count the leads of a segment", responses=responses(*CALLER, 404, 413),
    dependencies=[Depends(RouteLimits(BodySize.LISTS, Lane.COSTLY))], operation_id="preview_segment",
)  # fmt: skip
async def post_segment_preview(
    body: SegmentPreviewBody, caller: Reader, connection: Transaction, tables: DetectedTables
) -> SegmentPreview:
    """By project, for a saved segment or for filters that are not saved yet. Changes nothing."""
    return await preview_segment(connection, tables, caller.org_id, body)


@router.get(
    "/segments/{segment_id}", summary="Get a segment", responses=responses(*CALLER, 404), operation_id="get_segment"
)
async def get_one_segment(segment_id: SegmentId, caller: Reader, connection: Transaction) -> SegmentView:
    """With the routes, exclusions and schedules that use it."""
    found = await read_segment(connection, caller.org_id, segment_id)
    return SegmentView.of(found, await read_uses(connection, caller.org_id, segment_id))


@router.put(
    "/segments/{segment_id}", summary="Change a segment", responses=responses(*CALLER, 404, 409, 413), dependencies=FILTERS,
    operation_id="change_segment",
)  # fmt: skip
async def put_segment(
    segment_id: SegmentId, body: SegmentBody, caller: Configurer, connection: Transaction, tables: DetectedTables
) -> SegmentView:
    """Replaces name and filters; routes, exclusions and schedules that use it follow. If it is excluded, queued deliveries that it matches are skipped."""
    changed = await change_segment(connection, tables, caller.org_id, caller.actor, segment_id, body.name, body.filters)
    return SegmentView.of(changed, await read_uses(connection, caller.org_id, segment_id))


@router.delete(
    "/segments/{segment_id}", status_code=204, summary="Delete a segment", responses=responses(*CALLER, 404, 409),
    operation_id="delete_segment",
)  # fmt: skip
async def remove_segment(segment_id: SegmentId, caller: Configurer, connection: Transaction) -> None:
    """409 `segment_in_use` names the routes, exclusions and schedules that use it."""
    await delete_segment(connection, caller.org_id, caller.actor, segment_id)
