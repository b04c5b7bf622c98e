"""Ends queued deliveries without sending them: a closed destination, a cancelled job, a closed gate, a long outage.

Deliveries marked `sending` are not changed: a response may arrive. Claimed ones end, too: the worker that claimed them
finds no row to mark.
"""

from collections import defaultdict
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, MAYBE_SENT, Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries import counters
from clay_push_service.states import DeliveryStatus

END = """
UPDATE clay.clay_push_log
SET status = :status, state = 'done', cause = :cause, claim_token = NULL, lease_until = NULL, finished_at = now(),
    error_message = CAST(:message AS text) || CASE WHEN uncertain_attempts > 0 THEN ' ' || CAST(:maybe_sent AS text) ELSE '' END
WHERE job_id = ANY(CAST(:job_ids AS uuid[])) AND state IN ('waiting', 'claimed')
"""
COUNTED = "WITH ended AS ({end} RETURNING job_id) SELECT job_id, count(*) AS ended FROM ended GROUP BY job_id"


class _EndedCount(NamedTuple):
    job_id: UUID
    ended: int


END_OF_JOBS = Statement(COUNTED.format(end=END), _EndedCount)
LIVE_JOBS = Statement(
    """
SELECT id FROM clay.push_jobs WHERE destination_version_id = :version_id AND status IN ('pending', 'running')
""",
    UUID,
)


async def end_queued(connection: AsyncConnection, job_ids: list[UUID], cause: Cause) -> dict[UUID, int]:
    """End the queued deliveries of these jobs with `cause`, and so the jobs. Returns the number of deliveries by job.

    Cancelled deliveries are `skipped`, not `failed`: no error occurred.
    """
    await counters.lock_jobs(connection, job_ids)
    status = DeliveryStatus.SKIPPED if cause is Cause.CANCELLED else DeliveryStatus.FAILED
    rows = await END_OF_JOBS.rows(
        connection,
        {
            "job_ids": job_ids,
            "status": status,
            "cause": cause,
            "message": EXPLANATIONS[cause].message,
            "maybe_sent": MAYBE_SENT,
        },
    )
    ended = {row.job_id: row.ended for row in rows}
    counts: defaultdict[UUID, counters.Counts] = defaultdict(counters.Counts)
    for job_id in job_ids:
        count = ended.get(job_id, 0)
        skipped = status is DeliveryStatus.SKIPPED
        counts[job_id] = counters.Counts(skipped=count) if skipped else counters.Counts(failed=count)
    await counters.add(connection, counts)
    return ended


async def end_queued_of_version(connection: AsyncConnection, version_id: UUID, cause: Cause) -> int:
    """End all deliveries queued for one version of a destination. Returns their number.

    Never call it in a transaction that has locked the version (see the lock order in `deliveries.counters`).
    """
    jobs = list(await LIVE_JOBS.rows(connection, {"version_id": version_id}))
    return sum((await end_queued(connection, jobs, cause)).values()) if jobs else 0
