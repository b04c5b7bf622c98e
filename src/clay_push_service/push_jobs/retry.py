"""Retries the failed and cancelled leads of a push job as a new push job; some causes only on explicit request."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Text, Uuid, any_, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import RETRYABLE, Cause
from clay_push_service.database.statement import Statement, select_one, select_rows
from clay_push_service.deliveries.eligibility import Resend, is_not_sent
from clay_push_service.deliveries.table import LOG
from clay_push_service.errors import ConflictError
from clay_push_service.host.leads import PushableLeads
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import AcceptedJob, accept
from clay_push_service.push_jobs.queries.jobs import not_found
from clay_push_service.push_jobs.schemas import RetryBody
from clay_push_service.push_jobs.selection import MAX_NAMED_IDS, Selection, leads_not_found, project_name
from clay_push_service.push_jobs.targets.choose import lock_destinations, require_destination
from clay_push_service.states import JobStatus, PushMode, SyncedLeads

NOTHING_TO_RETRY = "No lead of this push job can be retried with this request."
NAME_CAUSES_OR_LEADS = (
    "The remaining leads of this push job may already be in Clay, or another attempt would not help. Retry them explicitly with"
    " `causes` or `lead_ids`; `causes` of the push job lists their causes."
)


class _RetriedJob(NamedTuple):
    project_id: UUID
    destination_id: UUID
    status: str
    push_again: bool
    sync_mode: str


# The lock makes concurrent retries see each other's deliveries.
JOB = Statement(
    """
SELECT project_id, destination_id, status, push_again, sync_mode FROM clay.push_jobs
WHERE org_id = :org_id AND id = :job_id FOR NO KEY UPDATE
""",
    _RetriedJob,
)


async def retry(
    connection: AsyncConnection, tables: HostTables, actor: Actor, job_id: UUID, body: RetryBody
) -> AcceptedJob:
    """Queue failed and cancelled leads, except those that another push job has delivered since, to the job's own destination.

    A job with `push_again` resends leads that were in Clay before it; so does its retry. Raises 404 `job_not_found` or `lead_not_found`, 409 `job_running` or `nothing_to_retry`.
    """
    await lock_destinations(connection, actor.org_id)
    job = await JOB.one_or_none(connection, {"org_id": actor.org_id, "job_id": job_id})
    if job is None:
        raise not_found()
    if job.status in {JobStatus.PENDING, JobStatus.RUNNING}:
        raise ConflictError("This push job is still running. Retry it when it has finished.", code="job_running")
    destination = await require_destination(connection, actor.org_id, job.destination_id)
    wanted = await _select_wanted(connection, actor, job_id, body)
    resend = Resend(
        in_clay=body.lead_ids is not None,
        maybe_in_clay=body.lead_ids is not None or (body.causes is not None and Cause.UNKNOWN in body.causes),
        after_job=job_id,
    )
    name = await project_name(connection, tables, actor.org_id, job.project_id)
    selection = Selection(
        PushMode.RETRY,
        wanted,
        {job.project_id: name},
        resend=resend,
        sync_mode=SyncedLeads(job.sync_mode),
        push_again=job.push_again,
    )
    [accepted] = await accept(connection, tables, actor, destination, selection)
    return accepted


async def _select_wanted(connection: AsyncConnection, actor: Actor, job_id: UUID, body: RetryBody) -> PushableLeads:
    """The leads of the push job that the request retries. Raises 404 `lead_not_found`, 409 `nothing_to_retry`."""
    not_sent = select(
        LOG.c.contributor_id.label("lead_id"), LOG.c.project_id, LOG.c.username, LOG.c.full_name, LOG.c.route_id
    ).where(LOG.c.job_id == job_id, LOG.c.org_id == actor.org_id, is_not_sent(LOG))
    if body.lead_ids is not None:
        not_sent = not_sent.where(LOG.c.contributor_id.in_(select(func.unnest(_leads(body.lead_ids)))))
        found = set(await select_rows(connection, not_sent.with_only_columns(LOG.c.contributor_id), UUID))
        others = [each for each in dict.fromkeys(body.lead_ids) if each not in found]
        if others:
            raise leads_not_found(
                others[:MAX_NAMED_IDS], "Nothing was queued. These leads did not fail in this push job"
            )
    if body.causes is not None:
        not_sent = not_sent.where(_caused_by(body.causes))
    named = body.lead_ids is not None or body.causes is not None
    wanted = not_sent if named else not_sent.where(_caused_by(RETRYABLE))
    if not await select_one(connection, select(wanted.exists()), bool):
        count = select(func.count()).select_from(not_sent.subquery())
        remaining = 0 if named else await select_one(connection, count, int)
        raise ConflictError(NAME_CAUSES_OR_LEADS if remaining else NOTHING_TO_RETRY, code="nothing_to_retry")
    return wanted


def _leads(lead_ids: Sequence[UUID]) -> BindParameter[Sequence[UUID]]:
    return bindparam("lead_ids", list(lead_ids), type_=ARRAY(Uuid()))


def _caused_by(causes: Sequence[Cause]) -> ColumnElement[bool]:
    return LOG.c.cause == any_(bindparam("causes", list(causes), type_=ARRAY(Text()), unique=True))
