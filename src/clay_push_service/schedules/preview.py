"""Previews the next run of a schedule, saved or not: the outcome of a run now, the leads by clause, and the preview of its push.

With routes that decide for the project, it previews each Clay table by itself, with the plan that the run uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from clay_push_service.automation.evaluated_leads import count_clauses
from clay_push_service.automation.preview import count_routed, left_out_leads, preview_tables
from clay_push_service.automation.push_new import Blocked, destination_or_block
from clay_push_service.automation.push_routed import gate_block, queued_message, routes_of
from clay_push_service.automation.quota_left import quota_message, read_quota_left
from clay_push_service.automation.routed_plan import RoutedPlan, plan_routed
from clay_push_service.automation.rule_selection import Clause
from clay_push_service.automation.schemas import TablePreview
from clay_push_service.database.clock import NOW
from clay_push_service.destinations.clay_table import NO_TABLE
from clay_push_service.destinations.read import destination_view
from clay_push_service.push_jobs.preview import preview
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.schemas import MAX_LEADS, Preview
from clay_push_service.push_jobs.selection import Selection, require_project
from clay_push_service.push_jobs.targets.choose import Destination
from clay_push_service.push_jobs.targets.preview_routed import combine, preview_destination
from clay_push_service.push_jobs.targets.sync_mode import decide_sync
from clay_push_service.routing.routes import Routes
from clay_push_service.schedules.due_times import next_dues
from clay_push_service.schedules.plan import ScheduleOutcome
from clay_push_service.schedules.run import HELD_MESSAGE, NOTHING_NEW, OVERLAP, RunResult, routed_result
from clay_push_service.schedules.runs import find_live_job
from clay_push_service.schedules.schedule import Schedule, ScheduleValues
from clay_push_service.schedules.schemas import NEXT_RUNS, SchedulePreview
from clay_push_service.schedules.selection import (
    ROUTES_CHOOSE,
    SEGMENT_EMPTIED,
    RunLeads,
    evaluate_leads,
    find_changed,
    refuses_changed,
    routed_candidates,
    select_run,
    with_segment,
)
from clay_push_service.schedules.words import describe
from clay_push_service.states import PushMode


@dataclass(frozen=True, slots=True)
class _Previewed:
    """What a run would do, apart from the calendar."""

    result: RunResult
    counts: Mapping[str | None, int]
    """The leads of the project by the clause that excludes them."""
    to_send: int = 0
    changed: int = 0
    destinations: list[TablePreview] | None = None
    push: Preview | None = None


async def preview_values(
    service: PushService, values: ScheduleValues, schedule: Schedule | None = None
) -> SchedulePreview:
    """`schedule`: the saved one, whose last push job may still be live. Raises 404 `project_not_found`."""
    connection, org_id = service.connection, service.actor.org_id
    name = await require_project(connection, service.tables, org_id, values.project_id)
    applied = await with_segment(connection, org_id, values)
    routes = None if values.destination_id else await routes_of(connection, org_id, values.project_id)
    if applied is None:
        seen = await _preview_no_lead(service, values)
    elif routes is not None:
        seen = await _preview_routed(service, applied, routes, name)
    else:
        seen = await _preview_one_table(service, applied, name)
    result = seen.result
    if schedule is not None and await find_live_job(connection, org_id, schedule.id) is not None:
        result = RunResult(ScheduleOutcome.OVERLAP, OVERLAP)
    is_paused = schedule is not None and schedule.paused_because is not None
    now = await NOW.one(connection)
    return SchedulePreview(
        words=describe(values.timing, values.time_zone),
        next_runs=[] if is_paused else next_dues(values.timing, values.time_zone, now, NEXT_RUNS),
        outcome=result.outcome,
        message=result.message,
        lead_count=sum(seen.counts.values()),
        to_send=seen.to_send,
        changed=seen.changed,
        left_out=left_out_leads(seen.counts),
        destinations=seen.destinations,
        push=seen.push,
    )


async def _preview_no_lead(service: PushService, values: ScheduleValues) -> _Previewed:
    connection, tables, org_id = service.connection, service.tables, service.actor.org_id
    evaluated = await evaluate_leads(connection, tables, org_id, values, NO_TABLE)
    number = sum((await count_clauses(connection, evaluated)).values())
    return _Previewed(RunResult(ScheduleOutcome.NOTHING_NEW, SEGMENT_EMPTIED), {Clause.FILTERS.value: number})


async def _preview_routed(service: PushService, values: ScheduleValues, routes: Routes, name: str) -> _Previewed:
    connection, tables, org_id = service.connection, service.tables, service.actor.org_id
    candidates = await routed_candidates(connection, tables, org_id, values, name)
    most = values.max_leads or MAX_LEADS
    plan = await plan_routed(connection, tables, org_id, candidates, routes, HELD_MESSAGE, most)
    gate = await gate_block(connection, tables, org_id, service.settings)
    if await refuses_changed(connection, org_id, values):
        result = RunResult(ScheduleOutcome.FAILED, ROUTES_CHOOSE)
    elif gate is not None:
        result = RunResult(ScheduleOutcome(gate.reason), gate.message)
    else:
        result = routed_result(plan)
    return _Previewed(
        result,
        await count_routed(connection, candidates.evaluated, plan),
        plan.to_send,
        destinations=preview_tables(plan.tables),
        push=await _push_preview(service, plan),
    )


async def _push_preview(service: PushService, plan: RoutedPlan) -> Preview | None:
    """Previews the pushes to all tables together. Returns None if no table gets leads."""
    found = [
        await preview_destination(service.connection, service.tables, service.actor.org_id, each.ref.id, each.selection)
        for each in plan.tables
        if each.to_send
    ]
    return combine(found) if found else None


async def _preview_one_table(service: PushService, values: ScheduleValues, name: str) -> _Previewed:
    connection, tables, org_id = service.connection, service.tables, service.actor.org_id
    destination = await destination_or_block(
        connection, tables, org_id, service.settings, HELD_MESSAGE, destination_id=values.destination_id, lock=False
    )
    view = await destination_view(connection, org_id, values.destination_id)
    if isinstance(destination, Destination):
        clay_table = destination.clay_table
    else:
        clay_table = view.clay_table if view else NO_TABLE
    changed = await find_changed(connection, tables, org_id, values, clay_table)
    leads = await select_run(connection, tables, org_id, values, clay_table, changed)
    push = None
    if view is not None and view.webhook is not None and view.clay_table == clay_table:
        selection = Selection(PushMode.AUTO, leads.new, {values.project_id: name})
        push = await preview(connection, tables, org_id, selection, view)
    counts = await count_clauses(connection, await evaluate_leads(connection, tables, org_id, values, clay_table))
    result = await _result(service, values, destination, leads)
    return _Previewed(result, counts, leads.new_count, leads.changed_count, push=push)


async def _result(
    service: PushService, values: ScheduleValues, destination: Destination | Blocked, leads: RunLeads
) -> RunResult:
    """Performs the checks of `run_schedule`, in the same order."""
    if isinstance(destination, Blocked):
        return RunResult(ScheduleOutcome(destination.reason), destination.message)
    if (refusal := decide_sync(values.mode, destination.dedupe).refusal) is not None:
        return RunResult(ScheduleOutcome.FAILED, refusal)
    if not leads.count:
        return RunResult(ScheduleOutcome.NOTHING_NEW, NOTHING_NEW)
    left = await read_quota_left(service.connection, service.actor.org_id, destination.version_id)
    if left is not None and left < leads.count:
        return RunResult(ScheduleOutcome.QUOTA_EXHAUSTED, quota_message(leads.count, left))
    return RunResult(ScheduleOutcome.QUEUED, queued_message(leads.count))
