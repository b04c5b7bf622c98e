"""The HTTP endpoints under `/api/clay/schedules`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.problems import CALLER, LOCATION, responses
from clay_push_service.push_jobs.dependencies import PushAccess, ReadAccess, push_service_with
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.schedules import service as schedules
from clay_push_service.schedules.plan import ScheduleOutcome
from clay_push_service.schedules.preview import preview_values
from clay_push_service.schedules.runs import read_runs
from clay_push_service.schedules.schemas import (
    ScheduleBody,
    ScheduleDeleted,
    ScheduleList,
    SchedulePreview,
    ScheduleRunList,
    ScheduleRunsQuery,
    ScheduleRunView,
    ScheduleView,
)
from clay_push_service.schedules.table import require_schedule

router = APIRouter(prefix="/api/clay/schedules", tags=["schedules"], dependencies=Authorized, route_class=GuardedRoute)

ONE = "/{schedule_id}"
ScheduleId = Annotated[UUID, Path(description="The schedule.")]
ConfigAccess = Annotated[PushService, Depends(push_service_with(Scope.CONFIG))]
LISTS = [Depends(RouteLimits(BodySize.LISTS))]
COSTLY = [Depends(RouteLimits(lane=Lane.COSTLY))]
COSTLY_LISTS = [Depends(RouteLimits(BodySize.LISTS, lane=Lane.COSTLY))]


@router.get("", summary="List the schedules", responses=responses(*CALLER))
async def list_schedules(service: ReadAccess) -> ScheduleList:
    """Returns each schedule in words, with its next five runs and its last one."""
    return ScheduleList(schedules=await schedules.view_all(service.connection, service.actor.org_id))


@router.post(
    "", status_code=201, summary="Create a schedule", dependencies=LISTS,
    responses={201: LOCATION, **responses(*CALLER, 404, 409, 413)},
)  # fmt: skip
async def create_schedule(body: ScheduleBody, service: ConfigAccess, response: Response) -> ScheduleView:
    """Requires an owner or admin, or a key with scope `config`. At most 100 an organization."""
    view = await schedules.create(service, body)
    response.headers["Location"] = f"/api/clay/schedules/{view.id}"
    return view


@router.post(
    "/preview", summary="Preview a schedule before saving it", responses=responses(*CALLER, 404, 409, 413),
    dependencies=COSTLY_LISTS,
)  # fmt: skip
async def preview_new_schedule(body: ScheduleBody, service: ReadAccess) -> SchedulePreview:
    """The next five runs, and the result of a run now. Saves and queues nothing."""
    return await preview_values(service, await schedules.read_values(service, body))


@router.get(ONE, summary="Get a schedule", responses=responses(*CALLER, 404))
async def get_schedule(schedule_id: ScheduleId, service: ReadAccess) -> ScheduleView:
    """Returns the schedule in words, with its next five runs and its last one."""
    return await schedules.view_one(service.connection, service.actor.org_id, schedule_id)


@router.put(ONE, summary="Change a schedule", responses=responses(*CALLER, 404, 409, 413), dependencies=LISTS)
async def replace_schedule(schedule_id: ScheduleId, body: ScheduleBody, service: ConfigAccess) -> ScheduleView:
    """Replaces the whole schedule. A paused one stays paused."""
    return await schedules.replace(service, schedule_id, body)


@router.delete(ONE, summary="Delete a schedule", responses=responses(*CALLER, 404))
async def delete_schedule(schedule_id: ScheduleId, service: ConfigAccess) -> ScheduleDeleted:
    """Deletes the schedule and the history of its runs. Its push jobs stay."""
    await schedules.delete(service.connection, service.actor, schedule_id)
    return ScheduleDeleted(deleted=True)


@router.post(
    ONE + "/run", summary="Run a schedule now", dependencies=COSTLY,
    responses={202: {"model": ScheduleRunView, "description": "A push job was queued."}, **responses(*CALLER, 404)},
)  # fmt: skip
async def run_schedule_now(schedule_id: ScheduleId, service: PushAccess, response: Response) -> ScheduleRunView:
    """Push the new leads that pass its filters. Returns 200 with the reason if nothing was queued."""
    run = await schedules.run_now(service, schedule_id)
    response.status_code = 202 if run.outcome == ScheduleOutcome.QUEUED else 200
    return ScheduleRunView.of(run)


@router.post(ONE + "/preview", summary="Preview the next run", responses=responses(*CALLER, 404), dependencies=COSTLY)
async def preview_schedule(schedule_id: ScheduleId, service: ReadAccess) -> SchedulePreview:
    """The result of a run now; queues nothing."""
    schedule = await require_schedule(service.connection, service.actor.org_id, schedule_id)
    return await preview_values(service, schedule.values, schedule)


@router.post(ONE + "/pause", summary="Pause a schedule", responses=responses(*CALLER, 404))
async def pause_schedule(schedule_id: ScheduleId, service: ConfigAccess) -> ScheduleView:
    """Removes its due times until it is resumed. Its live push job continues."""
    return await schedules.pause(service.connection, service.actor, schedule_id)


@router.post(ONE + "/resume", summary="Resume a schedule", responses=responses(*CALLER, 404))
async def resume_schedule(schedule_id: ScheduleId, service: ConfigAccess) -> ScheduleView:
    """Continues with the next due time. Runs that were due meanwhile are not repeated, and earlier failures no longer count."""
    return await schedules.resume(service.connection, service.actor, schedule_id)


@router.get(ONE + "/runs", summary="List the runs of a schedule", responses=responses(*CALLER, 404))
async def list_schedule_runs(
    schedule_id: ScheduleId, service: ReadAccess, query: Annotated[ScheduleRunsQuery, Query()]
) -> ScheduleRunList:
    """Returns the runs newest first, also runs that pushed nothing, with the reason."""
    org_id = service.actor.org_id
    await require_schedule(service.connection, org_id, schedule_id)
    runs, next_cursor = await read_runs(service.connection, org_id, schedule_id, query.cursor, query.limit)
    return ScheduleRunList(runs=[ScheduleRunView.of(each) for each in runs], next_cursor=next_cursor)
