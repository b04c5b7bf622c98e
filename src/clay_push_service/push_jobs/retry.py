"""Retries what failed of a push job, as a new job that names the old; what may be in Clay only when it is named."""

from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, column, func, select, table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database import SCHEMA
from clay_push_service.deliveries.cause import Cause
from clay_push_service.errors import ConflictError, InvalidError, NotFoundError
from clay_push_service.host.tables import HostTables
from clay_push_service.models import DeliveryStatus, JobStatus, PushMode
from clay_push_service.push_jobs.accept import AcceptedJob, Asker, Choice, accept, require_destination
from clay_push_service.push_jobs.queue_leads import Again
from clay_push_service.push_jobs.read_jobs import not_found
from clay_push_service.push_jobs.schemas import RetryBody

LOG = table(
    "clay_push_log",
    *(column(name) for name in ("username", "full_name", "status", "cause")),
    *(column(name, Uuid()) for name in ("org_id", "job_id", "contributor_id", "project_id")),
    schema=SCHEMA,
)
# Locked, so that two retries at once see each other's deliveries.
JOB = text("SELECT project_id, status FROM clay.push_jobs WHERE org_id = :org_id AND id = :job_id FOR NO KEY UPDATE")


async def retry(
    connection: AsyncConnection, tables: HostTables, asker: Asker, job_id: UUID, body: RetryBody
) -> AcceptedJob:
    """Raises 404 `job_not_found` or `lead_not_found`, 409 `job_running` or `nothing_to_retry`, and what a push raises."""
    job = (await connection.execute(JOB, {"org_id": asker.org_id, "job_id": job_id})).one_or_none()
    if job is None:
        raise not_found()
    if job.status in {JobStatus.PENDING, JobStatus.RUNNING}:
        raise ConflictError("This push job still runs: retry what failed when it has ended.", code="job_running")
    causes = _known(body.causes)
    destination = await require_destination(connection, asker.org_id)
    failed = select(LOG.c.contributor_id.label("lead_id"), LOG.c.project_id, LOG.c.username, LOG.c.full_name).where(
        LOG.c.job_id == job_id, LOG.c.org_id == asker.org_id, LOG.c.status == DeliveryStatus.FAILED
    )
    if body.lead_ids is not None:
        named = bindparam("lead_ids", list(set(body.lead_ids)), type_=ARRAY(Uuid()))
        failed = failed.where(LOG.c.contributor_id == any_(named))
        found = (await connection.execute(select(func.count()).select_from(failed.subquery()))).scalar_one()
        if found < len(set(body.lead_ids)):
            raise NotFoundError("Not all of these leads failed in this push job.", code="lead_not_found")
    if causes is not None:
        failed = failed.where(LOG.c.cause == any_(bindparam("causes", causes, type_=ARRAY(Text()))))
    if body.lead_ids is None and causes is None:
        failed = failed.where(LOG.c.cause != Cause.UNKNOWN.value)
    if (await connection.execute(select(failed.exists()))).scalar_one() is False:
        raise ConflictError("Nothing of this push job can be retried like this.", code="nothing_to_retry")
    again = Again(
        in_clay=body.lead_ids is not None,
        maybe_in_clay=body.lead_ids is not None or (causes is not None and Cause.UNKNOWN in causes),
    )
    choice = Choice(PushMode.RETRY, failed, job.project_id, again=again, retry_of=job_id)
    [accepted] = await accept(connection, tables, asker, destination, choice)
    return accepted


def _known(causes: list[str] | None) -> list[str] | None:
    if causes is None:
        return None
    unknown = sorted(set(causes) - {cause.value for cause in Cause})
    if unknown:
        raise InvalidError(
            f"There is no such cause: {unknown[0]}.",
            errors=[{"field": "causes", "message": f"one of {', '.join(cause.value for cause in Cause)}"}],
        )
    return causes
