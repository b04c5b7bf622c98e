"""Accepts a push in the caller's transaction: creates the push jobs, their deliveries and the wake-ups of workers."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import queue
from clay_push_service.audit import Detail, audit
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.enqueue import QueuedCount, queue_leads
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.destinations.read import NOT_CONFIGURED
from clay_push_service.errors import ConflictError
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.states import DestinationState, PushMode

# Prevents a change or removal of a webhook until our commit. A statement of its own: one that waited for a change would see
# the new destination beside the old versions, and find none.
LOCK_DESTINATION = Statement("SELECT 1 FROM clay.destinations WHERE org_id = :org_id ORDER BY id FOR KEY SHARE")


class _CurrentDestination(NamedTuple):
    id: UUID
    table_name: str | None
    table_epoch: int
    rate_limit_ms: int
    version_id: UUID
    state: str
    state_reason: str | None


DESTINATION = Statement(
    """
SELECT destination.id, destination.table_name, destination.table_epoch, workspace.rate_limit_ms, version.id AS version_id,
       version.state, version.state_reason
FROM clay.destinations AS destination
JOIN clay.workspaces AS workspace ON workspace.org_id = destination.org_id AND workspace.id = destination.workspace_id
JOIN clay.destination_versions AS version ON version.org_id = destination.org_id AND version.id = destination.version_id
WHERE destination.org_id = :org_id
  AND CASE WHEN CAST(:destination_id AS uuid) IS NULL THEN destination.is_default ELSE destination.id = :destination_id END
""",
    _CurrentDestination,
)
CREATE = Statement("""
INSERT INTO clay.push_jobs (id, org_id, project_id, project_name, destination_id, destination_version_id, table_name, table_epoch,
    push_mode, filters, push_again, retry_of, source_job_id, created_by, created_by_user_id, request_id)
VALUES (:id, :org_id, :project_id, :project_name, :destination_id, :version_id, :table_name, :table_epoch, :push_mode,
    CAST(:filters AS jsonb), :push_again, :retry_of, :source_job_id, :created_by, :created_by_user_id, :request_id)
""")


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination that accepts new push jobs."""

    version_id: UUID
    table_name: str | None
    clay_table: ClayTable
    rate_limit_ms: int


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    job_id: UUID
    project_id: UUID
    lead_count: int
    """All leads of the request in this project, including the skipped ones."""
    skipped_count: int
    push_mode: PushMode
    main_cause: Cause | None = None
    """The most frequent cause of the skipped leads."""


async def lock_destination(connection: AsyncConnection, org_id: UUID) -> None:
    """Lock it before any push job (see `deliveries.counters`): the webhook and the erased leads do not change until our commit."""
    await LOCK_DESTINATION.execute(connection, {"org_id": org_id})


async def require_destination(
    connection: AsyncConnection, org_id: UUID, destination_id: UUID | None = None, *, lock: bool = True
) -> Destination:
    """Return this destination, or the organization's default one. A read does not lock.

    Raises 409 `clay_not_configured` or `destination_closed`, the latter with the reason and the remedy.
    """
    if lock:
        await lock_destination(connection, org_id)
    row = await DESTINATION.one_or_none(connection, {"org_id": org_id, "destination_id": destination_id})
    if row is None:
        raise ConflictError(NOT_CONFIGURED, code="clay_not_configured")
    if row.state == DestinationState.CLOSED:
        reason = Cause(row.state_reason or "")  # a closed version has a reason
        explanation = EXPLANATIONS[reason]
        remedy = explanation.push_remedy or explanation.remedy
        raise ConflictError(
            f"Your Clay table does not accept leads now: {explanation.message} {remedy}",
            code="destination_closed",
            extra={"reason": reason.value, "remedy": remedy, "who": explanation.who.value},
        )
    return Destination(row.version_id, row.table_name, ClayTable(row.id, row.table_epoch), row.rate_limit_ms)


async def accept(
    connection: AsyncConnection, tables: HostTables, actor: Actor, destination: Destination, selection: Selection
) -> list[AcceptedJob]:
    """Queue the selected leads, one push job for each project, and audit them. Does not commit."""
    jobs = {project_id: uuid4() for project_id in selection.projects}
    for project_id, job_id in jobs.items():
        await CREATE.execute(
            connection,
            {
                "id": job_id,
                "org_id": actor.org_id,
                "project_id": project_id,
                "project_name": selection.projects[project_id],
                "destination_id": destination.clay_table.destination_id,
                "version_id": destination.version_id,
                "table_name": destination.table_name,
                "table_epoch": destination.clay_table.epoch,
                "push_mode": selection.push_mode,
                "filters": selection.filters_json,
                "push_again": selection.push_again or selection.resend.in_clay,
                "retry_of": selection.resend.after_job,
                "source_job_id": selection.source_job_id,
                "created_by": actor.name,
                "created_by_user_id": actor.user_id,
                "request_id": actor.request_id,
            },
        )
    counts = await queue_leads(
        connection, tables, selection.leads, actor.org_id, jobs, destination.clay_table, selection.resend
    )
    accepted = []
    for project_id, job_id in jobs.items():
        counted = counts.get(job_id, QueuedCount(0, 0))
        leads, skipped = counted.lead_count, counted.skipped_count
        accepted.append(AcceptedJob(job_id, project_id, leads, skipped, selection.push_mode, counted.main_cause))
        if leads > skipped:
            await queue.wake(
                connection, job_id, times=queue.workers_per_job(destination.rate_limit_ms, leads - skipped)
            )
        await _audit(connection, actor, accepted[-1])
    await counters.add(
        connection, {job.job_id: counters.Counts() for job in accepted if job.lead_count == job.skipped_count}
    )  # ends jobs with nothing to send
    return accepted


async def _audit(connection: AsyncConnection, actor: Actor, job: AcceptedJob) -> None:
    action = "push_job.retried" if job.push_mode is PushMode.RETRY else "push_job.accepted"
    details: dict[str, Detail] = {
        "job_id": str(job.job_id), "project_id": str(job.project_id), "leads": job.lead_count,
        "skipped": job.skipped_count,
    }  # fmt: skip
    await audit(connection, actor.org_id, actor.name, action, details)
