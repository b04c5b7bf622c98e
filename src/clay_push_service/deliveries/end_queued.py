"""Ends queued deliveries without sending them: a closed destination, a cancelled job, a closed gate, a long outage, an exclusion.

Deliveries marked `sending` are not changed: a response may arrive. Claimed ones end, too: the worker that claimed them
finds no row to mark.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, MAYBE_SENT, Cause
from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.cause_counts import EndedAs
from clay_push_service.deliveries.suppression import is_excluded, read_excluding
from clay_push_service.deliveries.table import LOG
from clay_push_service.host.tables import HostTables
from clay_push_service.states import DeliveryState, DeliveryStatus

END = """
UPDATE clay.clay_push_log
SET status = :status, state = 'done', cause = :cause, claim_token = NULL, lease_until = NULL, finished_at = now(),
    error_message = CAST(:message AS text) || CASE WHEN uncertain_attempts > 0 THEN ' ' || CAST(:maybe_sent AS text) ELSE '' END
WHERE job_id = ANY(CAST(:job_ids AS uuid[])) AND state IN ('waiting', 'claimed')
"""
COUNTED = """
WITH ended AS ({end} RETURNING job_id, uncertain_attempts)
SELECT job_id, count(*) AS ended, count(*) FILTER (WHERE uncertain_attempts > 0) AS unsure FROM ended GROUP BY job_id"""


class _EndedCount(NamedTuple):
    job_id: UUID
    ended: int
    unsure: int
    """Of these, those that Clay may have."""


END_OF_JOBS = Statement(COUNTED.format(end=END), _EndedCount)


class _QueuedDelivery(NamedTuple):
    id: UUID
    job_id: UUID


class StoppedDelivery(NamedTuple):
    job_id: UUID
    is_unsure: bool


# Locks in the order of ids, as every statement on several deliveries does, to prevent deadlocks.
SKIP = Statement(
    """
WITH queued AS (
    SELECT id FROM clay.clay_push_log
    WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[])) AND state IN ('waiting', 'claimed')
    ORDER BY id FOR UPDATE)
UPDATE clay.clay_push_log AS delivery
SET status = 'skipped', state = 'done', cause = :cause, claim_token = NULL, lease_until = NULL, finished_at = now(),
    error_message = CAST(:message AS text)
        || CASE WHEN uncertain_attempts > 0 THEN ' ' || CAST(:maybe_sent AS text) ELSE '' END
FROM queued WHERE delivery.org_id = :org_id AND delivery.id = queued.id
RETURNING delivery.job_id, delivery.uncertain_attempts > 0 AS is_unsure
""",
    StoppedDelivery,
)
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
    counts = {job_id: counters.Counts() for job_id in job_ids}
    for row in rows:
        counted = counts[row.job_id]
        counted.skipped, counted.failed = (row.ended, 0) if status is DeliveryStatus.SKIPPED else (0, row.ended)
        counted.causes[EndedAs(status, cause)] = row.ended - row.unsure
        counted.causes[EndedAs(status, cause, is_unsure=True)] = row.unsure
    await counters.add(connection, counts)
    return {row.job_id: row.ended for row in rows}


async def end_queued_of_version(connection: AsyncConnection, version_id: UUID, cause: Cause) -> int:
    """End all deliveries queued for one version of a destination. Returns their number.

    Never call it in a transaction that has locked the version (see the lock order in `deliveries.counters`).
    """
    jobs = list(await LIVE_JOBS.rows(connection, {"version_id": version_id}))
    return sum((await end_queued(connection, jobs, cause)).values()) if jobs else 0


async def skip_queued_of_excluded(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> int:
    """Skip the queued deliveries of leads that an exclusion matches. Returns their number.

    The caller holds the organization's destinations. What is in flight finishes; if it must be sent again, the check at send skips it.
    """
    excluding = await read_excluding(connection, org_id)
    query = select(LOG.c.id, LOG.c.job_id).where(
        LOG.c.org_id == org_id,
        LOG.c.state.in_([DeliveryState.WAITING.value, DeliveryState.CLAIMED.value]),
        is_excluded(LOG.c.contributor_id, LOG.c.project_id, tables, org_id, excluding),
    )
    found = await select_rows(connection, query, _QueuedDelivery)
    if not found:
        return 0
    await counters.lock_jobs(connection, {each.job_id for each in found})
    values = {"org_id": org_id, "ids": [each.id for each in found], "cause": Cause.EXCLUDED}
    texts = {"message": EXPLANATIONS[Cause.EXCLUDED].message, "maybe_sent": MAYBE_SENT}
    skipped = await SKIP.rows(connection, {**values, **texts})
    await count_stopped(connection, skipped, Cause.EXCLUDED)
    return len(skipped)


async def count_stopped(connection: AsyncConnection, stopped: Sequence[StoppedDelivery], cause: Cause) -> None:
    """Count queued deliveries that were skipped with `cause` into their jobs, which are locked."""
    counts: defaultdict[UUID, counters.Counts] = defaultdict(counters.Counts)
    for delivery in stopped:
        counted = counts[delivery.job_id]
        counted.skipped += 1
        counted.causes[EndedAs(DeliveryStatus.SKIPPED, cause, delivery.is_unsure)] += 1
    await counters.add(connection, counts)
