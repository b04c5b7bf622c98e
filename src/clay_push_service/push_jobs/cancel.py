"""Cancels a push job: queued leads end immediately, requests in flight are still recorded, and the response counts what was sent."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.errors import ConflictError
from clay_push_service.push_jobs.queries.jobs import not_found
from clay_push_service.push_jobs.schemas import CancelAnswer
from clay_push_service.push_jobs.summary import leads
from clay_push_service.states import JobStatus

LOCK = Statement("SELECT status FROM clay.push_jobs WHERE org_id = :org_id AND id = :job_id FOR NO KEY UPDATE", str)
REQUEST = Statement("""
UPDATE clay.push_jobs SET cancel_requested_at = coalesce(cancel_requested_at, now()), updated_at = now()
WHERE id = :job_id
""")


class _SentCounts(NamedTuple):
    gone: int
    in_flight: int
    unsure: int


COUNTS = Statement(
    """
SELECT success_count AS gone, lead_count - success_count - failed_count - skipped_count AS in_flight,
       (SELECT count(*) FROM clay.clay_push_log WHERE job_id = :job_id AND state = 'done' AND status <> 'success'
        AND (uncertain_attempts > 0 OR cause = 'unknown')) AS unsure
FROM clay.push_jobs WHERE id = :job_id
""",
    _SentCounts,
)


async def cancel(connection: AsyncConnection, actor: Actor, job_id: UUID) -> CancelAnswer:
    """Raises 404 `job_not_found`, 409 `job_ended`. Cancelling a job twice has no further effect."""
    status = await LOCK.one_or_none(connection, {"org_id": actor.org_id, "job_id": job_id})
    if status is None:
        raise not_found()
    if status not in {JobStatus.PENDING, JobStatus.RUNNING}:
        raise ConflictError(f"This push job has ended already: it is {status}.", code="job_ended")
    await REQUEST.execute(connection, {"job_id": job_id})
    ended = await end_queued(connection, [job_id], Cause.CANCELLED)
    counts = await COUNTS.one(connection, {"job_id": job_id})
    cancelled = ended.get(job_id, 0)
    await audit(connection, actor.org_id, actor.name, "push_job.cancelled", {"job_id": str(job_id), "leads": cancelled})
    return CancelAnswer(
        job_id=job_id,
        cancelled_count=cancelled,
        already_sent=counts.gone,
        maybe_sent=counts.unsure,
        in_flight=counts.in_flight,
        message=_message(cancelled, counts.gone, counts.unsure, counts.in_flight),
    )


def _message(cancelled: int, gone: int, unsure: int, in_flight: int) -> str:
    parts = [f"{leads(cancelled)} will not be sent", f"{gone:,} were already sent to Clay"]
    if unsure:
        parts.append(f"{unsure:,} may already be in Clay, because no clear response was received")
    if in_flight:
        parts.append(f"{in_flight:,} still in flight")
    return f"Cancelled: {'; '.join(parts)}."
