"""Runs a project's auto-export rule after a scan: pushes the new leads that pass it, once for each scan."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.automation.rule import Rule, read_rule
from clay_push_service.automation.rule_selection import apply_rule, select_passed
from clay_push_service.callers.actor import Actor
from clay_push_service.database.statement import Statement, select_one
from clay_push_service.deliveries.suspicion import read_suspect_since
from clay_push_service.destination_settings.host_sync import sync_host_settings
from clay_push_service.errors import ConflictError, ForbiddenError
from clay_push_service.gate import require_available
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import Destination, accept, require_destination
from clay_push_service.push_jobs.selection import Selection, require_project
from clay_push_service.settings import Settings
from clay_push_service.states import PushMode

# Waits for a concurrent run of the same scan to commit; then its row exists, and nothing is inserted. A blocked run does not
# count as a run: the same scan may run once Clay is configured or open again.
BEGIN = Statement(
    """
INSERT INTO clay.auto_export_runs (org_id, source_job_id, project_id, outcome, message)
VALUES (:org_id, :source_job_id, :project_id, 'running', '')
ON CONFLICT (org_id, source_job_id) DO UPDATE SET outcome = 'running', message = ''
    WHERE auto_export_runs.outcome IN ('enterprise_required', 'clay_not_configured', 'destination_closed', 'results_missing')
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
# The hop that results can cause: a value of Clay in NexusLeads' row may let a lead pass the rule. Once Clay has it, no rule selects it.
AFTER_RESULTS = Statement(
    """
SELECT count(DISTINCT delivery.contributor_id) AS leads FROM clay.clay_push_log AS delivery
JOIN clay.host_writes AS written ON written.org_id = delivery.org_id AND written.lead_id = delivery.contributor_id
WHERE delivery.org_id = :org_id AND delivery.job_id = :job_id AND delivery.status <> 'skipped'
""",
    int,
)
FINISH = Statement("""
UPDATE clay.auto_export_runs SET outcome = :outcome, message = :message, job_id = :job_id, lead_count = :lead_count
WHERE org_id = :org_id AND source_job_id = :source_job_id
""")

HELD = (
    "Auto-export is held: results from your Clay table have stopped. Check credits, the number of rows and auto-run in Clay, then"
    " push the leads without a result again. It continues when a result arrives."
)

log = logs.get(__name__)


class RunOutcome(StrEnum):
    QUEUED = "queued"
    NOTHING_NEW = "nothing_new"
    OFF = "off"
    NOT_AVAILABLE = "enterprise_required"
    NOT_CONFIGURED = "clay_not_configured"
    CLOSED = "destination_closed"
    RESULTS_MISSING = "results_missing"


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
class Blocked:
    """Why a rule pushes nothing now, independent of its leads."""

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
    """In the caller's transaction. Raises 404 `project_not_found`, 409 `source_job_reused` for another project's scan."""
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


async def destination_or_block(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, rule: Rule, settings: Settings, *, lock: bool
) -> Blocked | Destination:
    """Checks in this order: rule off, gate closed, not configured, destination closed, results missing. `lock`: as `require_destination`."""
    if not rule.enabled:
        return Blocked(RunOutcome.OFF, "Auto-export is off for this project.")
    try:
        await require_available(
            connection, tables, org_id, billing_enabled=settings.billing_enabled, upgrade_url=settings.upgrade_url
        )
        destination = await require_destination(connection, org_id, lock=lock)
    except (ForbiddenError, ConflictError) as error:
        return Blocked(RunOutcome(error.code), error.detail)
    if await read_suspect_since(connection, org_id, destination.clay_table.destination_id) is not None:
        return Blocked(RunOutcome.RESULTS_MISSING, HELD)
    return destination


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
    destination = await destination_or_block(connection, tables, actor.org_id, rule, settings, lock=True)
    if isinstance(destination, Blocked):
        return RunResult(destination.outcome, destination.message, project_id, source_job_id)
    leads = select_passed(apply_rule(tables, actor.org_id, project_id, rule, destination.clay_table))
    nothing = RunResult(
        RunOutcome.NOTHING_NEW, "No new lead of this project passes the rule.", project_id, source_job_id
    )
    if not await select_one(connection, select(func.count()).select_from(leads.subquery()), int):
        return nothing
    selection = Selection(
        PushMode.AUTO, leads, {project_id: project_name}, filters_json=rule.filters_json(), source_job_id=source_job_id
    )  # fmt: skip
    before = await connection.begin_nested()
    [job] = await accept(connection, tables, actor, destination, selection)
    if job.lead_count == job.skipped_count:  # another push queued all of them after the count
        await before.rollback()
        return nothing
    await before.commit()
    after_results = await AFTER_RESULTS.one(connection, {"org_id": actor.org_id, "job_id": job.job_id})
    metrics.AUTOMATIC_AFTER_RESULTS.inc(after_results)
    log.info("auto_export.after_results", job_id=str(job.job_id), leads=after_results)
    count = job.lead_count - job.skipped_count
    leads_are = "1 new lead is" if count == 1 else f"{count:,} new leads are"
    return RunResult(
        RunOutcome.QUEUED, f"{leads_are} being pushed to Clay.", project_id, source_job_id, job.job_id, count
    )  # fmt: skip
