"""A push job's counters, moved in the transaction that moves its deliveries, and its end when nothing is left.

Everything that ends deliveries goes through `add`, so a job ends exactly once and its counters are its rows.

Whoever may have to wait for a delivery's row holds its push job's row first (`hold`), and an organization's destination
before that: destination → push jobs in the order of their ids → deliveries, versions. Two who want the same delivery meet
at its job, so nobody waits in a circle. Claims, marks and what is given back wait for nobody (SKIP LOCKED).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from clay_push_service import logs
from clay_push_service.database.statement import Connection, Statement

CHANNEL = "clay_push_jobs"

log = logs.get(__name__)

HOLD = Statement("""
SELECT id, cancel_requested_at IS NOT NULL AS cancelled FROM clay.push_jobs
WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""")
# One statement, because every batch of results runs it.
ADD = Statement(f"""
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
FINISH = Statement("""
UPDATE clay.push_jobs
SET status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                  WHEN success_count = 0 AND failed_count > 0 THEN 'failed'
                  ELSE 'completed' END,
    started_at = coalesce(started_at, now()), finished_at = now(), updated_at = now()
WHERE id = ANY(CAST(:ids AS uuid[])) AND status IN ('pending', 'running')
  AND success_count + failed_count + skipped_count = lead_count
RETURNING id, status, request_id, lead_count, success_count, failed_count, skipped_count, unknown_count
""")
# Rare, so apart from the statement that every batch runs.
ADD_PAGES = Statement("""
UPDATE clay.push_jobs AS job SET page_count = page_count + moved.pages
FROM unnest(CAST(:ids AS uuid[]), CAST(:pages AS integer[])) AS moved (id, pages) WHERE job.id = moved.id
""")
NOTIFY = Statement(f"SELECT pg_notify('{CHANNEL}', CAST(id AS text)) FROM unnest(CAST(:ids AS uuid[])) AS id")


@dataclass(slots=True)
class Tally:
    """Deliveries of one push job that have just ended, by status; `unknown` are part of the failed."""

    success: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0


async def hold(connection: Connection, job_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Lock these push jobs, before any of their deliveries. Returns those that were cancelled."""
    rows = await HOLD.rows(connection, {"ids": sorted(job_ids)})
    return frozenset(job_id for job_id, cancelled in rows if cancelled)


async def add(connection: Connection, tallies: Mapping[UUID, Tally]) -> None:
    """Move the counters of jobs that are held, end those of which nothing is left, tell those who watch."""
    if not tallies:
        return
    ids = sorted(tallies)
    [[nothing_left, _]] = await ADD.rows(
        connection,
        {
            "ids": ids,
            "success": [tallies[job].success for job in ids],
            "failed": [tallies[job].failed for job in ids],
            "skipped": [tallies[job].skipped for job in ids],
            "unknown": [tallies[job].unknown for job in ids],
        },
    )
    if not nothing_left:
        return
    for job_id, status, request_id, leads, success, failed, skipped, unknown in await FINISH.rows(
        connection, {"ids": ids}
    ):
        # Said before the commit, so a failing one makes it twice; said once too often is better than a job without an end.
        log.info(
            "push_job.ended", job_id=str(job_id), asked_by_request=request_id, status=status, leads=leads,
            success=success, failed=failed, skipped=skipped, unknown=unknown,
        )  # fmt: skip


async def add_pages(connection: Connection, pages: Mapping[UUID, int]) -> None:
    """Count leads that a web page took, by push job; the jobs are held."""
    if pages:
        await ADD_PAGES.rows(connection, {"ids": list(pages), "pages": list(pages.values())})


async def notify(connection: Connection, job_ids: Iterable[UUID]) -> None:
    """Wake whoever watches these jobs, once this transaction is committed."""
    await NOTIFY.rows(connection, {"ids": list(job_ids)})
