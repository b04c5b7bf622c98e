"""Accepts a push in the caller's transaction: creates the push jobs, their deliveries and the wake-ups of workers."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import metrics, queue
from clay_push_service.audit import Detail, audit
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.enqueue import QueuedCount, queue_leads, stamp_revisions
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.push_jobs.targets.choose import Destination
from clay_push_service.states import PushMode, SyncedLeads

CREATE = Statement("""
INSERT INTO clay.push_jobs (id, org_id, project_id, project_name, destination_id, destination_version_id, table_name, table_epoch,
    push_mode, filters, push_again, retry_of, source_job_id, created_by, created_by_user_id, request_id, sync_mode,
    mapping_version_id)
VALUES (:id, :org_id, :project_id, :project_name, :destination_id, :version_id, :table_name, :table_epoch, :push_mode,
    CAST(:filters AS jsonb), :push_again, :retry_of, :source_job_id, :created_by, :created_by_user_id, :request_id, :sync_mode,
    -- A retry sends what the retried push job was to send.
    CASE WHEN CAST(:retry_of AS uuid) IS NULL THEN CAST(:mapping_version_id AS uuid)
         ELSE (SELECT retried.mapping_version_id FROM clay.push_jobs AS retried
               WHERE retried.org_id = :org_id AND retried.id = :retry_of) END)
""")


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    job_id: UUID
    destination: Destination
    project_id: UUID
    lead_count: int
    """All leads of the request in this project, including the skipped ones."""
    skipped_count: int
    push_mode: PushMode
    main_cause: Cause | None = None
    """The most frequent cause of the skipped leads."""

    @property
    def to_send(self) -> int:
        """The number of leads that are queued."""
        return self.lead_count - self.skipped_count


async def accept(
    connection: AsyncConnection, tables: HostTables, actor: Actor, destination: Destination, selection: Selection
) -> list[AcceptedJob]:
    """Queue the selected leads, one push job for each project, and audit them. Does not commit."""
    jobs = {project_id: uuid4() for project_id in selection.projects}
    for project_id, job_id in jobs.items():
        await _create(connection, actor, destination, selection, project_id, job_id)
    counts = await queue_leads(
        connection, tables, selection.leads, actor.org_id, jobs, destination.clay_table, selection.resend
    )
    if selection.sync_mode is SyncedLeads.NEW_AND_CHANGED:
        await stamp_revisions(connection, actor.org_id, jobs.values())
    accepted = []
    for project_id, job_id in jobs.items():
        count = counts.get(job_id, QueuedCount(0, 0))
        job = AcceptedJob(
            job_id,
            destination,
            project_id,
            count.lead_count,
            count.skipped_count,
            selection.push_mode,
            count.main_cause,
        )
        accepted.append(job)
        if job.to_send:
            times = queue.workers_per_job(destination.rate_limit_ms, job.to_send)
            await queue.wake(connection, job_id, times=times)
        metrics.skipped({cause.value: number for cause, number in count.causes.items()})
        await _audit(connection, actor, job)
    nothing_to_send = [job.job_id for job in accepted if not job.to_send]
    if nothing_to_send:
        await counters.add(connection, {job_id: counters.Counts() for job_id in nothing_to_send})  # finishes them
    return accepted


async def _create(
    connection: AsyncConnection,
    actor: Actor,
    destination: Destination,
    selection: Selection,
    project_id: UUID,
    job_id: UUID,
) -> None:
    """Insert the row of a push job. `queue_leads` counts its leads into it."""
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
            "sync_mode": selection.sync_mode,
            "mapping_version_id": destination.mapping_version_id,
        },
    )


async def _audit(connection: AsyncConnection, actor: Actor, job: AcceptedJob) -> None:
    action = "push_job.retried" if job.push_mode is PushMode.RETRY else "push_job.accepted"
    details: dict[str, Detail] = {
        "job_id": str(job.job_id), "project_id": str(job.project_id), "destination_id": str(job.destination.ref.id),
        "destination": job.destination.name, "leads": job.lead_count, "skipped": job.skipped_count,
    }  # fmt: skip
    await audit(connection, actor.org_id, actor.name, action, details)
