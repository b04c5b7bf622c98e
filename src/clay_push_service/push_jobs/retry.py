"""Retries what a push job did not send, as a new job that names the old; what a retry would not mend only by name."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Text, Uuid, any_, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import RETRYABLE, Cause
from clay_push_service.deliveries.enqueue import LOG, NOT_SENT, Again
from clay_push_service.errors import ConflictError
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import (
    NAMED,
    AcceptedJob,
    Selection,
    accept,
    lock_destination,
    no_leads,
    require_destination,
)
from clay_push_service.push_jobs.queries.jobs import not_found
from clay_push_service.push_jobs.schemas import RetryBody
from clay_push_service.states import JobStatus, PushMode

NOTHING = "Nothing of this push job can be retried like this."
NAME_THEM = (
    "What is left of this push job is retried only by name, with `causes` or `lead_ids`: leads that may already be in Clay,"
    " or that another try would not help. The job's `causes` say which."
)
# Locked, so that two retries at once see each other's deliveries.
JOB = text(
    "SELECT project_id, status, push_again FROM clay.push_jobs WHERE org_id = :org_id AND id = :job_id FOR NO KEY UPDATE"
)


async def retry(
    connection: AsyncConnection, tables: HostTables, actor: Actor, job_id: UUID, body: RetryBody
) -> AcceptedJob:
    """Failed and cancelled leads, except those that another job has delivered since.

    Whatever the first job sent despite its history (`push_again`) is sent again. Raises 404 `job_not_found` or `lead_not_found`, 409 `job_running` or `nothing_to_retry`.
    """
    await lock_destination(connection, actor.org_id)
    job = (await connection.execute(JOB, {"org_id": actor.org_id, "job_id": job_id})).one_or_none()
    if job is None:
        raise not_found()
    if job.status in {JobStatus.PENDING, JobStatus.RUNNING}:
        raise ConflictError("This push job still runs: retry what failed when it has ended.", code="job_running")
    causes = body.causes
    destination = await require_destination(connection, actor.org_id)
    left = select(LOG.c.contributor_id.label("lead_id"), LOG.c.project_id, LOG.c.username, LOG.c.full_name).where(
        LOG.c.job_id == job_id, LOG.c.org_id == actor.org_id, NOT_SENT
    )
    if body.lead_ids is not None:
        left = left.where(LOG.c.contributor_id.in_(select(func.unnest(_leads(body.lead_ids)))))
        found = set((await connection.execute(left.with_only_columns(LOG.c.contributor_id))).scalars())
        foreign = [each for each in dict.fromkeys(body.lead_ids) if each not in found]
        if foreign:
            raise no_leads(foreign[:NAMED], "These leads did not fail in this push job, so nothing was queued")
    if causes is not None:
        left = left.where(_caused_by(causes))
    named = body.lead_ids is not None or causes is not None
    wanted = left if named else left.where(_caused_by(RETRYABLE))
    if (await connection.execute(select(wanted.exists()))).scalar_one() is False:
        rest = (
            0 if named else (await connection.execute(select(func.count()).select_from(left.subquery()))).scalar_one()
        )
        raise ConflictError(NAME_THEM if rest else NOTHING, code="nothing_to_retry")
    again = Again(
        in_clay=body.lead_ids is not None,
        maybe_in_clay=body.lead_ids is not None or (causes is not None and Cause.UNKNOWN in causes),
        retry_of=job_id,
    )
    choice = Selection(
        PushMode.RETRY, wanted, [job.project_id], again=again, retry_of=job_id, push_again=job.push_again
    )
    [accepted] = await accept(connection, tables, actor, destination, choice)
    return accepted


def _leads(lead_ids: Sequence[UUID]) -> BindParameter[Sequence[UUID]]:
    return bindparam("lead_ids", list(lead_ids), type_=ARRAY(Uuid()))


def _caused_by(causes: Sequence[Cause]) -> ColumnElement[bool]:
    return LOG.c.cause == any_(bindparam("causes", list(causes), type_=ARRAY(Text()), unique=True))
