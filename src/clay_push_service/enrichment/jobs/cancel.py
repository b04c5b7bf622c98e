"""Cancels an enrichment job: leads that were not requested from Clay end at once; the response lists what was requested already."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.counters import lock_jobs as lock_push_jobs
from clay_push_service.deliveries.end_queued import end_queued as end_queued_deliveries
from clay_push_service.enrichment.jobs.queries import job_not_found
from clay_push_service.enrichment.jobs.schemas import EnrichmentCancelAnswer
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import recount
from clay_push_service.enrichment.ledger.item_ends import end_queued, end_unsent
from clay_push_service.enrichment.ledger.states import ENDED, EnrichmentJobStatus, ItemOutcome
from clay_push_service.errors import ConflictError
from clay_push_service.push_jobs.summary import leads

LOCK = Statement(
    "SELECT status FROM clay.enrichment_jobs WHERE org_id = :org_id AND id = :job_id FOR NO KEY UPDATE", str
)
REQUEST = Statement("""
UPDATE clay.enrichment_jobs SET cancel_requested_at = coalesce(cancel_requested_at, now())
WHERE org_id = :org_id AND id = :job_id
""")
PUSH_JOBS = Statement(
    """
SELECT DISTINCT delivery.job_id FROM clay.enrichment_items AS item
JOIN clay.clay_push_log AS delivery ON delivery.org_id = item.org_id AND delivery.id = item.delivery_id
WHERE item.org_id = :org_id AND item.job_id = :job_id AND item.state = 'requested'
""",
    UUID,
)


class RequestCounts(NamedTuple):
    """How many leads of an enrichment job were requested from Clay."""

    requested: int
    """Requested, without a result yet."""
    held: int
    """The start got no clear response: the lead may have been requested."""
    answered: int


COUNTS = Statement(
    """
SELECT count(*) FILTER (WHERE state IN ('starting', 'requested')) AS requested, count(*) FILTER (WHERE state = 'held') AS held,
       count(*) FILTER (WHERE outcome IN ('found', 'partial', 'nothing')) AS answered
FROM clay.enrichment_items WHERE org_id = :org_id AND job_id = :job_id
""",
    RequestCounts,
)


async def read_request_counts(connection: AsyncConnection, org_id: UUID, job_id: UUID) -> RequestCounts:
    """Counts the leads that a cancellation can no longer stop."""
    return await COUNTS.one(connection, {"org_id": org_id, "job_id": job_id})


async def cancel(connection: AsyncConnection, actor: Actor, job_id: UUID) -> EnrichmentCancelAnswer:
    """Raises 404 `enrichment_job_not_found`, 409 `job_ended`. Cancelling twice has no further effect."""
    values = {"org_id": actor.org_id, "job_id": job_id}
    status = await LOCK.one_or_none(connection, values)
    if status is None:
        raise job_not_found()
    if EnrichmentJobStatus(status) in ENDED:
        raise ConflictError(f"This enrichment job has ended already: it is {status}.", code="job_ended")
    await REQUEST.execute(connection, values)
    cancelled = await end_queued(connection, actor.org_id, [job_id], ItemOutcome.CANCELLED, ItemCause.CANCELLED)
    cancelled += await _cancel_pushes(connection, actor.org_id, job_id)
    await recount(connection, actor.org_id, [job_id])
    counts = await read_request_counts(connection, actor.org_id, job_id)
    await audit(
        connection, actor.org_id, actor.name, "enrichment_job.cancelled", {"job_id": str(job_id), "leads": cancelled}
    )
    return EnrichmentCancelAnswer(
        job_id=job_id, cancelled_count=cancelled, requested_count=counts.requested, maybe_requested_count=counts.held,
        answered_count=counts.answered, message=_message(cancelled, counts),
    )  # fmt: skip


async def _cancel_pushes(connection: AsyncConnection, org_id: UUID, job_id: UUID) -> int:
    """End the deliveries that were not sent, and their items. Returns the number of items."""
    push_jobs = await PUSH_JOBS.rows(connection, {"org_id": org_id, "job_id": job_id})
    if not push_jobs:
        return 0
    await lock_push_jobs(connection, push_jobs)
    await end_queued_deliveries(connection, list(push_jobs), Cause.CANCELLED)
    return await end_unsent(connection, org_id, job_id)


def _message(cancelled: int, counts: RequestCounts) -> str:
    parts = [f"{leads(cancelled)} will not be requested from Clay"]
    if counts.answered:
        parts.append(f"{counts.answered:,} were answered already")
    if counts.requested:
        parts.append(
            f"{counts.requested:,} were requested already and cannot be taken back; their results are stored when they arrive"
        )
    if counts.held:
        parts.append(f"{counts.held:,} may have been requested, because Clay gave no clear response")
    return f"Cancelled: {'; '.join(parts)}."
