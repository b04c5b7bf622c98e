"""Runs a project's auto-export rule after a scan: pushes the new leads that pass it, once for each scan."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.automation.push_new import HELD, Blocked, destination_or_block, push_new
from clay_push_service.automation.push_routed import (
    RoutedPush,
    describe_result,
    evaluate_candidates,
    lock_and_read_routes,
    push_routed,
)
from clay_push_service.automation.routed_plan import Candidates, passing_candidates
from clay_push_service.automation.rule import Rule, read_rule
from clay_push_service.automation.rule_selection import apply_rule, select_passed
from clay_push_service.callers.actor import Actor
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destination_settings.host_sync import sync_host_settings
from clay_push_service.errors import ConflictError
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import AcceptedJob
from clay_push_service.push_jobs.selection import Selection, require_project
from clay_push_service.push_jobs.targets.choose import Destination
from clay_push_service.settings import Settings
from clay_push_service.states import PushMode

# Waits for a concurrent run of the same scan to commit; then its row exists, and nothing is inserted. A blocked run does not
# count as a run: the same scan may run once Clay is configured or open again.
BEGIN = Statement(
    """
INSERT INTO clay.auto_export_runs (org_id, source_job_id, project_id, outcome, message)
VALUES (:org_id, :source_job_id, :project_id, 'running', '')
ON CONFLICT (org_id, source_job_id) DO UPDATE SET outcome = 'running', message = ''
    WHERE auto_export_runs.outcome IN ('enterprise_required', 'clay_not_configured', 'destination_closed', 'results_missing',
                                      'quota_exhausted')
      AND auto_export_runs.project_id = :project_id
RETURNING source_job_id
""",
    UUID,
)


class _EarlierRun(NamedTuple):
    project_id: UUID
    outcome: str
    message: str
    job_id: UUID | None
    lead_count: int


READ = Statement(
    """
SELECT project_id, outcome, message, job_id, lead_count FROM clay.auto_export_runs
WHERE org_id = :org_id AND source_job_id = :source_job_id
""",
    _EarlierRun,
)
FINISH = Statement("""
UPDATE clay.auto_export_runs SET outcome = :outcome, message = :message, job_id = :job_id, lead_count = :lead_count
WHERE org_id = :org_id AND source_job_id = :source_job_id
""")

OFF_MESSAGE = "Auto-export is off for this project."
HELD_MESSAGE = HELD.format("Auto-export is", "It continues")

log = logs.get(__name__)


class RunOutcome(StrEnum):
    QUEUED = "queued"
    NOTHING_NEW = "nothing_new"
    OFF = "off"
    NOT_AVAILABLE = "enterprise_required"
    NOT_CONFIGURED = "clay_not_configured"
    CLOSED = "destination_closed"
    RESULTS_MISSING = "results_missing"
    QUOTA_EXHAUSTED = "quota_exhausted"


@dataclass(frozen=True, slots=True)
class RunResult:
    outcome: RunOutcome
    message: str
    """The result, or why nothing was queued, in one sentence."""
    project_id: UUID
    source_job_id: UUID | None
    job_id: UUID | None = None
    lead_count: int = 0
    """Leads that were queued."""
    again: bool = False
    """True if this scan was run before: this is the first result, and nothing was queued now."""


@dataclass(frozen=True, slots=True)
class RuleBlocked:
    """Why the rule pushes nothing now, independent of its leads."""

    outcome: RunOutcome
    message: str


async def run_rule(
    connection: AsyncConnection,
    tables: HostTables,
    actor: Actor,
    project_id: UUID,
    source_job_id: UUID | None,
    settings: Settings,
) -> RunResult:
    """Runs the rule in the caller's transaction. Raises 404 `project_not_found`, 409 `source_job_reused` for another project's scan."""
    project_name = await require_project(connection, tables, actor.org_id, project_id)
    key = {"org_id": actor.org_id, "source_job_id": source_job_id}
    if source_job_id is not None:
        begun = await BEGIN.one_or_none(connection, {**key, "project_id": project_id})
        if begun is None:
            return await _first_result(connection, actor.org_id, project_id, source_job_id)
    result = await _push_new_leads(connection, tables, actor, project_id, project_name, source_job_id, settings)
    if source_job_id is not None:
        values = {
            "outcome": result.outcome,
            "message": result.message,
            "job_id": result.job_id,
            "lead_count": result.lead_count,
        }
        await FINISH.execute(connection, {**key, **values})
    log.info(
        "auto_export.ran",
        org_id=str(actor.org_id),
        project_id=str(project_id),
        source_job_id=str(source_job_id) if source_job_id else None,
        reason=result.outcome.value,
        job_id=str(result.job_id) if result.job_id else None,
        leads=result.lead_count,
    )
    return result


async def _first_result(connection: AsyncConnection, org_id: UUID, project_id: UUID, source_job_id: UUID) -> RunResult:
    first = await READ.one(connection, {"org_id": org_id, "source_job_id": source_job_id})
    if first.project_id != project_id:
        raise ConflictError("This source_job_id was used for another project.", code="source_job_reused")
    return RunResult(
        RunOutcome(first.outcome), first.message, project_id, source_job_id, first.job_id, first.lead_count, again=True
    )


async def destination_of_rule(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, rule: Rule, settings: Settings, *, lock: bool
) -> RuleBlocked | Destination:
    """Checks that the rule is on, then returns what `destination_or_block` returns."""
    if not rule.enabled:
        return RuleBlocked(RunOutcome.OFF, OFF_MESSAGE)
    found = await destination_or_block(connection, tables, org_id, settings, HELD_MESSAGE, lock=lock)
    return RuleBlocked(RunOutcome(found.reason), found.message) if isinstance(found, Blocked) else found


async def _push_new_leads(
    connection: AsyncConnection,
    tables: HostTables,
    actor: Actor,
    project_id: UUID,
    project_name: str,
    source_job_id: UUID | None,
    settings: Settings,
) -> RunResult:
    await sync_host_settings(connection, tables, actor.org_id, settings)
    rule = (await read_rule(connection, tables, actor.org_id, project_id)).rule
    routes = await lock_and_read_routes(connection, actor.org_id, project_id) if rule.enabled else None
    if routes is not None:
        candidates = await rule_candidates(connection, tables, actor.org_id, project_id, project_name, rule)
        candidates = replace(candidates, selection=replace(candidates.selection, source_job_id=source_job_id))
        pushed = await push_routed(connection, tables, actor, settings, candidates, routes, HELD_MESSAGE)
        if isinstance(pushed, Blocked):
            return RunResult(RunOutcome(pushed.reason), pushed.message, project_id, source_job_id)
        return _routed_result(pushed, project_id, source_job_id)
    destination = await destination_of_rule(connection, tables, actor.org_id, rule, settings, lock=True)
    if isinstance(destination, RuleBlocked):
        return RunResult(destination.outcome, destination.message, project_id, source_job_id)
    excluding = await read_excluding(connection, actor.org_id)
    leads = select_passed(apply_rule(tables, actor.org_id, project_id, rule, destination.clay_table, excluding))
    selection = Selection(
        PushMode.AUTO, leads, {project_id: project_name}, filters_json=rule.filters_json(), source_job_id=source_job_id
    )  # fmt: skip
    job = await push_new(connection, tables, actor, destination, selection)
    return _result([] if job is None else [job], project_id, source_job_id)


async def rule_candidates(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    project_name: str | None,
    rule: Rule,
) -> Candidates:
    """Returns the leads that pass the rule, for routes. Run and preview use it."""
    evaluated = await evaluate_candidates(connection, tables, org_id, project_id, rule)
    return passing_candidates(evaluated, PushMode.AUTO, {project_id: project_name}, rule.filters_json())


def _routed_result(pushed: RoutedPush, project_id: UUID, source_job_id: UUID | None) -> RunResult:
    """Returns the outcome. If no table gets leads, it is the reason of the table for which the most leads wait."""
    if pushed.jobs:
        queued = _result(pushed.jobs, project_id, source_job_id)
        return replace(queued, message=describe_result(queued.message, pushed.plan))
    for each in pushed.plan.blocked:
        if each.blocked is not None:
            message = describe_result("", pushed.plan)
            return RunResult(RunOutcome(each.blocked.reason), message, project_id, source_job_id)
    return _result([], project_id, source_job_id)


def _result(jobs: Sequence[AcceptedJob], project_id: UUID, source_job_id: UUID | None) -> RunResult:
    """Returns one result for all push jobs. With routes, each destination has a push job; the result names the one with the most leads to send."""
    if not jobs:
        return RunResult(
            RunOutcome.NOTHING_NEW, "No new lead of this project passes the rule.", project_id, source_job_id
        )
    largest = max(jobs, key=lambda job: job.to_send)
    count = sum(job.to_send for job in jobs)
    leads_are = "1 new lead is" if count == 1 else f"{count:,} new leads are"
    return RunResult(
        RunOutcome.QUEUED, f"{leads_are} being pushed to Clay.", project_id, source_job_id, largest.job_id, count
    )  # fmt: skip
