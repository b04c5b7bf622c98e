"""Counters of enrichment jobs: counted from their items in the transaction that changes an item; finishes jobs.

Lock order: `values.store.lock`, the organization's settings, jobs in the order of their ids (`lock_jobs`), runs, items. Every
transaction that changes items locks their jobs first, which prevents deadlocks.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.counters import CHANNEL

log = logs.get(__name__)


class FinishedJob(NamedTuple):
    """A job that has finished."""

    id: UUID
    status: str
    request_id: str | None
    lead_count: int
    found_count: int
    failed_count: int


LOCK_JOBS = Statement(
    """
SELECT id FROM clay.enrichment_jobs WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""",
    UUID,
)
# A job has at most 50 items, so counting them again is cheap, and the counts can never differ from the rows.
RECOUNT = Statement(f"""
WITH counted AS (
    SELECT item.job_id,
           count(*) FILTER (WHERE item.outcome = 'found') AS found,
           count(*) FILTER (WHERE item.outcome = 'partial') AS partial,
           count(*) FILTER (WHERE item.outcome = 'nothing') AS nothing,
           count(*) FILTER (WHERE item.outcome = 'failed') AS failed,
           count(*) FILTER (WHERE item.outcome = 'expired') AS expired,
           count(*) FILTER (WHERE item.outcome = 'skipped') AS skipped,
           count(*) FILTER (WHERE item.outcome = 'cancelled') AS cancelled,
           min(item.started_at) AS started_at, sum(item.credits) AS credits, sum(item.actions) AS actions
    FROM clay.enrichment_items AS item
    WHERE item.org_id = :org_id AND item.job_id = ANY(CAST(:ids AS uuid[])) GROUP BY item.job_id),
changed AS (
    UPDATE clay.enrichment_jobs AS job
    SET found_count = counted.found, partial_count = counted.partial, nothing_count = counted.nothing,
        failed_count = counted.failed, expired_count = counted.expired, skipped_count = counted.skipped,
        cancelled_count = counted.cancelled, credits = counted.credits, actions = counted.actions,
        started_at = coalesce(job.started_at, counted.started_at),
        status = CASE WHEN job.status = 'pending' AND counted.started_at IS NOT NULL THEN 'running'
                      WHEN job.status = 'failed' AND counted.found + counted.partial + counted.nothing > 0 THEN 'completed'
                      ELSE job.status END
    FROM counted WHERE job.org_id = :org_id AND job.id = counted.job_id
    RETURNING job.id)
SELECT pg_notify('{CHANNEL}', CAST(id AS text)) FROM changed
""")
FINISH = Statement(
    """
UPDATE clay.enrichment_jobs
SET status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                  WHEN found_count + partial_count + nothing_count = 0 AND failed_count + expired_count > 0 THEN 'failed'
                  ELSE 'completed' END,
    started_at = coalesce(started_at, now()), finished_at = now()
WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[])) AND status IN ('pending', 'running')
  AND found_count + partial_count + nothing_count + failed_count + expired_count + skipped_count + cancelled_count = lead_count
RETURNING id, status, request_id, lead_count, found_count + partial_count AS found_count, failed_count
""",
    FinishedJob,
)
JOBS_OF_QUEUED = Statement(
    """
SELECT DISTINCT job_id FROM clay.enrichment_items
WHERE org_id = :org_id AND state = 'queued' AND way = 'routine' AND (CAST(:kind AS text) IS NULL OR kind = :kind)
""",
    UUID,
)
CANCELLED_JOBS = Statement(
    """
SELECT id FROM clay.enrichment_jobs
WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[])) AND cancel_requested_at IS NOT NULL
""",
    UUID,
)
JOBS_OF_ITEMS = Statement(
    """
SELECT DISTINCT job_id FROM clay.enrichment_items WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[]))
""",
    UUID,
)


async def lock_jobs(connection: AsyncConnection, org_id: UUID, job_ids: Iterable[UUID]) -> None:
    await LOCK_JOBS.rows(connection, {"org_id": org_id, "ids": sorted(set(job_ids))})


async def lock_jobs_of(connection: AsyncConnection, org_id: UUID, item_ids: Iterable[UUID]) -> list[UUID]:
    """Lock the jobs of these items, and return their ids."""
    job_ids = sorted(await JOBS_OF_ITEMS.rows(connection, {"org_id": org_id, "ids": list(item_ids)}))
    await lock_jobs(connection, org_id, job_ids)
    return job_ids


async def read_queued_jobs(connection: AsyncConnection, org_id: UUID, kind: str | None = None) -> Sequence[UUID]:
    """Returns the jobs with queued items of the way `routine`. The caller locks them, with all others, in one call of `lock_jobs`."""
    return await JOBS_OF_QUEUED.rows(connection, {"org_id": org_id, "kind": kind})


async def lock_queued_jobs(connection: AsyncConnection, org_id: UUID, kind: str | None = None) -> list[UUID]:
    """Lock the jobs with queued items of the way `routine`, and return their ids."""
    job_ids = sorted(await read_queued_jobs(connection, org_id, kind))
    await lock_jobs(connection, org_id, job_ids)
    return job_ids


async def read_cancelled_jobs(connection: AsyncConnection, org_id: UUID, job_ids: Iterable[UUID]) -> Sequence[UUID]:
    """Returns those of the jobs for which a user requested a cancellation."""
    return await CANCELLED_JOBS.rows(connection, {"org_id": org_id, "ids": list(job_ids)})


async def recount(connection: AsyncConnection, org_id: UUID, job_ids: Iterable[UUID]) -> None:
    """Count the items of locked jobs again, finish jobs and runs without a live item, and notify live feeds."""
    values = {"org_id": org_id, "ids": sorted(set(job_ids))}
    if not values["ids"]:
        return
    await RECOUNT.execute(connection, values)
    for job in await FINISH.rows(connection, values):
        log.info(
            "enrichment_job.finished", job_id=str(job.id), accepted_by_request=job.request_id, status=job.status,
            leads=job.lead_count, found=job.found_count, failed=job.failed_count,
        )  # fmt: skip
