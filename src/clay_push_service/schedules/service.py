"""The use cases of schedules, in the transaction of the caller: create, change, pause, resume, delete, run now."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.audit import Detail, audit
from clay_push_service.callers.actor import Actor
from clay_push_service.database.clock import NOW
from clay_push_service.errors import NotFoundError
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.selection import require_project
from clay_push_service.push_jobs.targets.choose import find_destination_view, lock_destinations
from clay_push_service.push_jobs.targets.sync_mode import require_sync, sync_refused
from clay_push_service.routing.lock import lock_routing
from clay_push_service.routing.segments import read_segment
from clay_push_service.schedules.requested import requested_values
from clay_push_service.schedules.run import run_schedule
from clay_push_service.schedules.runs import ScheduleRun, add_run, read_last_runs
from clay_push_service.schedules.schedule import PauseReason, Schedule, ScheduleValues
from clay_push_service.schedules.schemas import ScheduleBody, ScheduleView
from clay_push_service.schedules.selection import ROUTES_CHOOSE, refuses_changed
from clay_push_service.schedules.table import (
    create_schedule,
    delete_schedule,
    list_schedules,
    pause_schedule,
    replace_schedule,
    require_schedule,
    resume_schedule,
)
from clay_push_service.schedules.timing import IntervalTiming
from clay_push_service.schedules.words import describe

log = logs.get(__name__)


async def view_all(connection: AsyncConnection, org_id: UUID) -> list[ScheduleView]:
    last = await read_last_runs(connection, org_id)
    return [ScheduleView.of(each, last.get(each.id)) for each in await list_schedules(connection, org_id)]


async def view_one(connection: AsyncConnection, org_id: UUID, schedule_id: UUID) -> ScheduleView:
    """Raises 404 `schedule_not_found`, as do the functions below."""
    schedule = await require_schedule(connection, org_id, schedule_id)
    last = await read_last_runs(connection, org_id, schedule_id)
    return ScheduleView.of(schedule, last.get(schedule_id))


async def read_values(service: PushService, body: ScheduleBody, stored: Schedule | None = None) -> ScheduleValues:
    """Raises 422 for a body that contradicts itself, 404 for an unknown project, destination or segment, 409 for an archived destination.

    409 `sync_mode_refused` if the table would drop the rows of changed leads, or if routes choose the table.
    """
    timing = None if stored is None else stored.values.timing
    now: datetime = await NOW.one(service.connection)
    values = requested_values(body, now, timing.anchor if isinstance(timing, IntervalTiming) else None)
    connection, org_id = service.connection, service.actor.org_id
    await require_project(connection, service.tables, org_id, values.project_id)
    if values.segment_id is not None:
        await _require_segment(connection, org_id, values.segment_id)
    view = await find_destination_view(connection, org_id, values.destination_id)
    if await refuses_changed(connection, org_id, values):
        raise sync_refused(ROUTES_CHOOSE, "mode")
    if view is not None:
        require_sync(values.mode, view.dedupe, "mode")
    return values


async def _lock_used(connection: AsyncConnection, org_id: UUID) -> None:
    """Locks destinations, then segments, as every change does. An archiving or deletion waits, and then finds this schedule."""
    await lock_destinations(connection, org_id)
    await lock_routing(connection, org_id)


async def _require_segment(connection: AsyncConnection, org_id: UUID, segment_id: UUID) -> None:
    try:
        await read_segment(connection, org_id, segment_id)
    except NotFoundError as error:
        place = {"field": "segment_id", "message": "is not a segment of your organization"}
        raise NotFoundError(error.detail, code=error.code, errors=[place]) from None


async def create(service: PushService, body: ScheduleBody) -> ScheduleView:
    """Raises 409 `too_many_schedules`."""
    connection, actor = service.connection, service.actor
    await _lock_used(connection, actor.org_id)
    values = await read_values(service, body)
    schedule_id = uuid4()
    await create_schedule(connection, actor.org_id, schedule_id, values, await NOW.one(connection), actor.name)
    await _audit(connection, actor, "schedule.created", schedule_id, values)
    return await view_one(connection, actor.org_id, schedule_id)


async def replace(service: PushService, schedule_id: UUID, body: ScheduleBody) -> ScheduleView:
    connection, actor = service.connection, service.actor
    schedule = await require_schedule(connection, actor.org_id, schedule_id, lock=True)
    await _lock_used(connection, actor.org_id)
    values = await read_values(service, body, schedule)
    await replace_schedule(connection, schedule, values, actor.name)
    await _audit(connection, actor, "schedule.changed", schedule_id, values)
    return await view_one(connection, actor.org_id, schedule_id)


async def pause(connection: AsyncConnection, actor: Actor, schedule_id: UUID) -> ScheduleView:
    schedule = await require_schedule(connection, actor.org_id, schedule_id, lock=True)
    if await pause_schedule(connection, schedule, PauseReason.USER):
        await _audit(connection, actor, "schedule.paused", schedule_id)
    return await view_one(connection, actor.org_id, schedule_id)


async def resume(connection: AsyncConnection, actor: Actor, schedule_id: UUID) -> ScheduleView:
    schedule = await require_schedule(connection, actor.org_id, schedule_id, lock=True)
    if await resume_schedule(connection, schedule):
        await _audit(connection, actor, "schedule.resumed", schedule_id)
    return await view_one(connection, actor.org_id, schedule_id)


async def delete(connection: AsyncConnection, actor: Actor, schedule_id: UUID) -> None:
    schedule = await require_schedule(connection, actor.org_id, schedule_id, lock=True)
    await delete_schedule(connection, schedule)
    await _audit(connection, actor, "schedule.deleted", schedule_id, schedule.values)


async def run_now(service: PushService, schedule_id: UUID) -> ScheduleRun:
    """Runs a schedule outside of its due times, also a paused one. While its last push job is live, the outcome is an overlap."""
    connection, actor = service.connection, service.actor
    schedule = await require_schedule(connection, actor.org_id, schedule_id, lock=True)
    now: datetime = await NOW.one(connection)
    result = await run_schedule(connection, service.tables, schedule, actor, service.settings)
    run = ScheduleRun(
        now, actor.name, result.outcome, result.message, result.job_ids, result.lead_count, now, result.destinations
    )
    await add_run(
        connection, actor.org_id, schedule_id, now, actor.name, result.outcome, result.message, result.job_ids,
        result.lead_count, result.destinations,
    )  # fmt: skip
    await _audit(connection, actor, "schedule.run", schedule_id)
    metrics.SCHEDULE_RUNS.labels(end=result.outcome.value).inc()
    log.info("schedule.ran", schedule_id=str(schedule_id), reason=result.outcome.value, leads=result.lead_count)
    return run


async def _audit(
    connection: AsyncConnection, actor: Actor, action: str, schedule_id: UUID, values: ScheduleValues | None = None
) -> None:
    """Audits without the name and the filters, which may name a person."""
    details: dict[str, Detail] = {"schedule_id": str(schedule_id)}
    if values is not None:
        details |= {
            "project_id": str(values.project_id),
            "destination_id": None if values.destination_id is None else str(values.destination_id),
            "segment_id": None if values.segment_id is None else str(values.segment_id),
            "when": describe(values.timing, values.time_zone), "mode": values.mode.value, "max_leads": values.max_leads,
        }  # fmt: skip
    await audit(connection, actor.org_id, actor.name, action, details)
