"""A push job's counters, moved in the transaction that moves its deliveries, and its end when nothing is left.

Everything that ends deliveries goes through `add`, so a job ends exactly once and its counters are its rows.

Whoever may have to wait for a delivery's row holds its push job's row first (`hold`), and an organization's destination
before that: destination → push jobs in the order of their ids → deliveries, versions. Two who want the same delivery meet
at its job, so nobody waits in a circle. Claims, marks and what is given back wait for nobody (SKIP LOCKED).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs

CHANNEL = "clay_push_jobs"

log = logs.get(__name__)

HOLD = text("""
SELECT id, cancel_requested_at IS NOT NULL AS cancelled FROM clay.push_jobs
WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""")
# One statement, because every batch of results runs it.
ADD = text(f"""
WITH added AS (
    UPDATE clay.push_jobs AS job
    SET success_count = success_count + moved.success, failed_count = failed_count + moved.failed,
        skipped_count = skipped_count + moved.skipped, unknown_count = unknown_count + moved.unknown, updated_at = now()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:success AS integer[]), CAST(:failed AS integer[]), CAST(:skipped AS integer[]),
                CAST(:unknown AS integer[])) AS moved (id, success, failed, skipped, unknown)
    WHERE job.id = moved.id
    RETURNING job.id, success_count + failed_count + skipped_count = lead_count AS nothing_left)
SELECT bool_or(nothing_left) AS nothing_left, count(pg_notify('{CHANNEL}', CAST(id AS text))) FROM added
""")
# All failed: the job failed. Some: completed, with warnings. None to send: completed. The feature document, section 8.
FINISH = text("""
UPDATE clay.push_jobs
SET status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                  WHEN success_count = 0 AND failed_count > 0 THEN 'failed'
                  ELSE 'completed' END,
    started_at = coalesce(started_at, now()), finished_at = now(), updated_at = now()
WHERE id = ANY(CAST(:ids AS uuid[])) AND status IN ('pending', 'running')
  AND success_count + failed_count + skipped_count = lead_count
RETURNING id, status, request_id, lead_count, success_count, failed_count, skipped_count, unknown_count
""")
NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', CAST(id AS text)) FROM unnest(CAST(:ids AS uuid[])) AS id")


@dataclass(slots=True)
class Tally:
    """Deliveries of one push job that have just ended, by status; `unknown` are part of the failed."""

    success: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0


async def hold(connection: AsyncConnection, job_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Lock these push jobs, before any of their deliveries. Returns those that were cancelled."""
    rows = await connection.execute(HOLD, {"ids": sorted(job_ids)})
    return frozenset(row.id for row in rows if row.cancelled)


async def add(connection: AsyncConnection, tallies: Mapping[UUID, Tally]) -> None:
    """Move the counters of jobs that are held, end those of which nothing is left, tell those who watch."""
    if not tallies:
        return
    ids = sorted(tallies)
    added = await connection.execute(
        ADD,
        {
            "ids": ids,
            "success": [tallies[job].success for job in ids],
            "failed": [tallies[job].failed for job in ids],
            "skipped": [tallies[job].skipped for job in ids],
            "unknown": [tallies[job].unknown for job in ids],
        },
    )
    if not added.one().nothing_left:
        return
    for job in await connection.execute(FINISH, {"ids": ids}):
        # Said before the commit, so a failing one makes it twice; said once too often is better than a job without an end.
        log.info(
            "push_job.ended", job_id=str(job.id), asked_by_request=job.request_id, status=job.status,
            leads=job.lead_count, success=job.success_count, failed=job.failed_count, skipped=job.skipped_count,
            unknown=job.unknown_count,
        )  # fmt: skip


async def notify(connection: AsyncConnection, job_ids: Iterable[UUID]) -> None:
    """Wake whoever watches these jobs, once this transaction is committed."""
    await connection.execute(NOTIFY, {"ids": list(job_ids)})
