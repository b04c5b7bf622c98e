"""Runs a schedule in the caller's transaction: one push job, or the reason for none. The caller has locked the schedule's row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.automation.push_new import HELD, Blocked, destination_or_block, push_new
from clay_push_service.automation.push_routed import (
    describe_result,
    describe_table,
    lock_and_read_routes,
    push_routed,
    queued_message,
)
from clay_push_service.automation.quota_left import quota_message, read_quota_left
from clay_push_service.automation.routed_plan import PlannedTable, RoutedPlan
from clay_push_service.callers.actor import Actor
from clay_push_service.deliveries.eligibility import Resend
from clay_push_service.destination_settings.host_sync import sync_host_settings
from clay_push_service.errors import ClayPushError
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import AcceptedJob
from clay_push_service.push_jobs.schemas import MAX_LEADS
from clay_push_service.push_jobs.selection import Selection, project_name
from clay_push_service.push_jobs.targets.choose import Destination
from clay_push_service.push_jobs.targets.sync_mode import require_sync
from clay_push_service.routing.routes import Routes
from clay_push_service.schedules.plan import ScheduleOutcome
from clay_push_service.schedules.runs import TableRun, find_live_job
from clay_push_service.schedules.schedule import Schedule
from clay_push_service.schedules.selection import (
    ROUTES_CHOOSE,
    SEGMENT_EMPTIED,
    RunLeads,
    find_changed,
    refuses_changed,
    routed_candidates,
    select_run,
    with_segment,
)
from clay_push_service.settings import Settings
from clay_push_service.states import PushMode, SyncedLeads

OVERLAP: Final = "The push job of the last run has not finished. The next run pushes these leads too."
PROJECT_GONE: Final = "The organization no longer has this project. Choose another one, or delete the schedule."
NOTHING_NEW: Final = "No new lead of this project passes the filters."
HELD_MESSAGE: Final = HELD.format("Schedules are", "They continue")


@dataclass(frozen=True, slots=True)
class RunResult:
    outcome: ScheduleOutcome
    message: str
    job_ids: Sequence[UUID] = ()
    lead_count: int = 0
    """Leads that were queued."""
    destinations: Sequence[TableRun] | None = None
    """By Clay table; None: routes did not decide."""


async def run_schedule(
    connection: AsyncConnection, tables: HostTables, schedule: Schedule, actor: Actor, settings: Settings
) -> RunResult:
    """Runs a schedule. An expected error is an outcome. Lock order: the schedule's row, the destination, push jobs, deliveries."""
    if await find_live_job(connection, schedule.org_id, schedule.id) is not None:
        return RunResult(ScheduleOutcome.OVERLAP, OVERLAP)
    before = await connection.begin_nested()
    try:
        result = await _push(connection, tables, schedule, actor, settings)
    except ClayPushError as error:
        await before.rollback()
        return RunResult(ScheduleOutcome.FAILED, error.detail)
    await before.commit()
    return result


async def _push(
    connection: AsyncConnection, tables: HostTables, schedule: Schedule, actor: Actor, settings: Settings
) -> RunResult:
    org_id = schedule.org_id
    name = await project_name(connection, tables, org_id, schedule.values.project_id)
    if name is None:
        return RunResult(ScheduleOutcome.PROJECT_NOT_FOUND, PROJECT_GONE)
    values = await with_segment(connection, org_id, schedule.values)
    if values is None:
        return RunResult(ScheduleOutcome.NOTHING_NEW, SEGMENT_EMPTIED)
    await sync_host_settings(connection, tables, org_id, settings)
    return await _push_selected(connection, tables, replace(schedule, values=values), actor, settings, name)


async def _push_selected(
    connection: AsyncConnection,
    tables: HostTables,
    schedule: Schedule,
    actor: Actor,
    settings: Settings,
    name: str,
) -> RunResult:
    """Pushes to one table or through routes. The values of the schedule contain the filters of its segment."""
    org_id, values = schedule.org_id, schedule.values
    routes = None if values.destination_id else await lock_and_read_routes(connection, org_id, values.project_id)
    if routes is not None:
        if await refuses_changed(connection, org_id, values):
            return RunResult(ScheduleOutcome.FAILED, ROUTES_CHOOSE)
        return await _push_routed(connection, tables, schedule, actor, settings, routes, name)
    # Comparing leads takes seconds. It runs before the destination is locked, so that changes of the settings need not wait.
    found = await _destination(connection, tables, schedule, settings, lock=False)
    if isinstance(found, RunResult):
        return found
    require_sync(values.mode, found.dedupe)
    changed = await find_changed(connection, tables, org_id, values, found.clay_table)
    destination = await _destination(connection, tables, schedule, settings, lock=True)
    if isinstance(destination, RunResult):
        return destination
    if (destination.clay_table, destination.dedupe) != (found.clay_table, found.dedupe):
        changed = []
    return await _push_leads(connection, tables, schedule, actor, destination, changed, name)


async def _push_leads(
    connection: AsyncConnection,
    tables: HostTables,
    schedule: Schedule,
    actor: Actor,
    destination: Destination,
    changed: list[UUID],
    name: str,
) -> RunResult:
    org_id, values = schedule.org_id, schedule.values
    leads = await select_run(connection, tables, org_id, values, destination.clay_table, changed)
    if not leads.count:
        return RunResult(ScheduleOutcome.NOTHING_NEW, NOTHING_NEW)
    quota_left = await read_quota_left(connection, org_id, destination.version_id)
    if quota_left is not None and quota_left < leads.count:
        return RunResult(ScheduleOutcome.QUOTA_EXHAUSTED, quota_message(leads.count, quota_left))
    jobs = await _accept(connection, tables, schedule, actor, destination, leads, name)
    count = sum(job.to_send for job in jobs)
    if not count:  # another push queued all of them in the meantime
        return RunResult(ScheduleOutcome.NOTHING_NEW, NOTHING_NEW)
    return RunResult(ScheduleOutcome.QUEUED, queued_message(count), [job.job_id for job in jobs], count)


async def _push_routed(
    connection: AsyncConnection,
    tables: HostTables,
    schedule: Schedule,
    actor: Actor,
    settings: Settings,
    routes: Routes,
    name: str,
) -> RunResult:
    """Pushes new leads only. A table that takes none now does not stop the others."""
    values = schedule.values
    candidates = await routed_candidates(connection, tables, schedule.org_id, values, name)
    most = values.max_leads or MAX_LEADS
    pushed = await push_routed(connection, tables, actor, settings, candidates, routes, HELD_MESSAGE, most)
    if isinstance(pushed, Blocked):
        return RunResult(ScheduleOutcome(pushed.reason), pushed.message)
    result = routed_result(pushed.plan)
    if result.outcome is ScheduleOutcome.QUEUED:
        result = replace(result, job_ids=[job.job_id for job in pushed.jobs], lead_count=pushed.lead_count)
    return result


def routed_result(plan: RoutedPlan) -> RunResult:
    """Returns the result of a run without its push jobs: `queued` if any table gets leads, else the reason of the one for which most wait."""
    found = [
        TableRun(each.ref.id, each.ref.name, _table_outcome(each), each.to_send, describe_table(each))
        for each in plan.tables
    ]
    if plan.to_send:
        message = describe_result(queued_message(plan.to_send), plan)
        return RunResult(ScheduleOutcome.QUEUED, message, destinations=found)
    for each in plan.blocked:
        return RunResult(_table_outcome(each), describe_result("", plan), destinations=found)
    return RunResult(ScheduleOutcome.NOTHING_NEW, NOTHING_NEW, destinations=found)


def _table_outcome(table: PlannedTable) -> ScheduleOutcome:
    if table.blocked is not None:
        return ScheduleOutcome(table.blocked.reason)
    return ScheduleOutcome.QUEUED if table.to_send else ScheduleOutcome.NOTHING_NEW


async def _destination(
    connection: AsyncConnection, tables: HostTables, schedule: Schedule, settings: Settings, *, lock: bool
) -> Destination | RunResult:
    found = await destination_or_block(
        connection, tables, schedule.org_id, settings, HELD_MESSAGE,
        destination_id=schedule.values.destination_id, lock=lock,
    )  # fmt: skip
    return RunResult(ScheduleOutcome(found.reason), found.message) if isinstance(found, Blocked) else found


async def _accept(
    connection: AsyncConnection,
    tables: HostTables,
    schedule: Schedule,
    actor: Actor,
    destination: Destination,
    leads: RunLeads,
    name: str,
) -> list[AcceptedJob]:
    """Creates the push jobs. Changed leads get their own push job: only its deliveries may send leads that are in Clay."""
    values = schedule.values
    filters = values.filters.model_dump_json(exclude_defaults=True)
    new = Selection(PushMode.AUTO, leads.new, {values.project_id: name}, filters_json=filters)
    jobs = [await push_new(connection, tables, actor, destination, new)]
    if leads.changed is not None:
        changed = replace(new, leads=leads.changed, resend=Resend(in_clay=True), sync_mode=SyncedLeads.NEW_AND_CHANGED)
        jobs.append(await push_new(connection, tables, actor, destination, changed))
    return [job for job in jobs if job is not None]
