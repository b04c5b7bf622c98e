"""The counters of push jobs: updated in the transaction that ends deliveries; the job finishes when no delivery is left.

Every transaction that ends deliveries calls `add`, so a job finishes exactly once and its counters match its rows.

Lock order: a transaction that may wait for a delivery's row locks its push job first (`lock_jobs`), and the organization's
destination before that: destination → push jobs in the order of their ids → deliveries, versions. Two transactions that
need the same delivery meet at its job, which prevents deadlocks. Claim, mark and release never wait (SKIP LOCKED).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple
from uuid import UUID

from clay_push_service import logs
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.deliveries.cause_counts import EndedAs, add_causes

CHANNEL = "clay_push_jobs"

log = logs.get(__name__)


class _LockedJob(NamedTuple):
    id: UUID
    cancelled: bool


LOCK_JOBS = Statement(
    """
SELECT id, cancel_requested_at IS NOT NULL AS cancelled FROM clay.push_jobs
WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""",
    _LockedJob,
)


class _Added(NamedTuple):
    nothing_left: bool | None
    """Whether a job has no delivery left; None without a job."""
    notified: int


WINDOW: Final = timedelta(seconds=10)
"""The rate of an unpaced job is measured over one to two windows, so that an old outage does not lower it."""
_IS_CURRENT = f"window_since > now() - interval '{WINDOW.seconds} seconds'"
_IS_LAST = f"window_since > now() - interval '{2 * WINDOW.seconds} seconds'"
_ENDED = "success_count + moved.success + failed_count + moved.failed"
# One statement: every batch of results runs it. A window that has ended becomes the last one; after an outage both start again.
ADD = Statement(
    f"""
WITH added AS (
    UPDATE clay.push_jobs AS job
    SET success_count = success_count + moved.success, failed_count = failed_count + moved.failed,
        skipped_count = skipped_count + moved.skipped, unknown_count = unknown_count + moved.unknown, updated_at = now(),
        window_since = CASE WHEN {_IS_CURRENT} THEN window_since ELSE now() END,
        window_count = CASE WHEN {_IS_CURRENT} THEN window_count ELSE {_ENDED} END,
        last_window_since = CASE WHEN {_IS_CURRENT} THEN last_window_since WHEN {_IS_LAST} THEN window_since ELSE now() END,
        last_window_count = CASE WHEN {_IS_CURRENT} THEN last_window_count WHEN {_IS_LAST} THEN window_count ELSE {_ENDED} END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:success AS integer[]), CAST(:failed AS integer[]), CAST(:skipped AS integer[]),
                CAST(:unknown AS integer[])) AS moved (id, success, failed, skipped, unknown)
    WHERE job.id = moved.id
    RETURNING job.id, success_count + failed_count + skipped_count = lead_count AS nothing_left)
SELECT bool_or(nothing_left) AS nothing_left, count(pg_notify('{CHANNEL}', CAST(id AS text))) AS notified FROM added
""",
    _Added,
)


class FinishedJob(NamedTuple):
    id: UUID
    status: str
    request_id: str | None
    lead_count: int
    success_count: int
    failed_count: int
    skipped_count: int
    unknown_count: int


# All deliveries failed: failed. Some: completed, with warnings. None to send: completed. See the feature document, section 8.
FINISH = Statement(
    """
UPDATE clay.push_jobs
SET status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled'
                  WHEN success_count = 0 AND failed_count > 0 THEN 'failed'
                  ELSE 'completed' END,
    started_at = coalesce(started_at, now()), finished_at = now(), updated_at = now()
WHERE id = ANY(CAST(:ids AS uuid[])) AND status IN ('pending', 'running')
  AND success_count + failed_count + skipped_count = lead_count
RETURNING id, status, request_id, lead_count, success_count, failed_count, skipped_count, unknown_count
""",
    FinishedJob,
)
# Rare, so not part of the statement that every batch runs.
ADD_PAGES = Statement("""
UPDATE clay.push_jobs AS job SET page_count = page_count + moved.pages
FROM unnest(CAST(:ids AS uuid[]), CAST(:pages AS integer[])) AS moved (id, pages) WHERE job.id = moved.id
""")
# A job of which every lead failed, until Clay confirmed one of them.
NOT_FAILED = Statement("""
UPDATE clay.push_jobs SET status = 'completed', updated_at = now()
WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'failed' AND success_count > 0
""")
NOTIFY = Statement(f"SELECT pg_notify('{CHANNEL}', CAST(id AS text)) FROM unnest(CAST(:ids AS uuid[])) AS id")


@dataclass(slots=True)
class Counts:
    """Deliveries of one push job that end in this transaction, by status; `failed` includes `unknown`."""

    success: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0
    causes: Counter[EndedAs] = field(default_factory=Counter)
    """The failed and skipped ones by cause."""


async def lock_jobs(connection: Connection, job_ids: Iterable[UUID]) -> frozenset[UUID]:
    """Lock these push jobs, before any of their deliveries. Returns those that are cancelled."""
    rows = await LOCK_JOBS.rows(connection, {"ids": sorted(job_ids)})
    return frozenset(row.id for row in rows if row.cancelled)


async def add(connection: Connection, counts: Mapping[UUID, Counts]) -> None:
    """Add to the counters of locked jobs, finish those without a delivery left, and notify their live feeds."""
    if not counts:
        return
    ids = sorted(counts)
    await add_causes(connection, {job_id: each.causes for job_id, each in counts.items()})
    added = await ADD.one(
        connection,
        {
            "ids": ids,
            "success": [counts[job].success for job in ids],
            "failed": [counts[job].failed for job in ids],
            "skipped": [counts[job].skipped for job in ids],
            "unknown": [counts[job].unknown for job in ids],
        },
    )
    if not added.nothing_left:
        return
    for job in await FINISH.rows(connection, {"ids": ids}):
        # Logged before the commit: a commit that fails and is repeated logs it twice, which is better than never.
        log.info(
            "push_job.finished", job_id=str(job.id), accepted_by_request=job.request_id, status=job.status, leads=job.lead_count,
            success=job.success_count, failed=job.failed_count, skipped=job.skipped_count, unknown=job.unknown_count,
        )  # fmt: skip


async def settle(connection: Connection, counts: Mapping[UUID, Counts]) -> None:
    """Move leads of locked jobs between the counters, after a result from Clay has shown what became of them.

    Counts of statuses that leads leave are negative. A job that has finished as failed is completed after its first success.
    """
    await add(connection, counts)
    await NOT_FAILED.execute(connection, {"ids": sorted(counts)})


async def add_pages(connection: Connection, pages: Mapping[UUID, int]) -> None:
    """Count the POSTs that a web page answered, by push job; the jobs are locked."""
    if pages:
        await ADD_PAGES.execute(connection, {"ids": list(pages), "pages": list(pages.values())})


async def notify(connection: Connection, job_ids: Iterable[UUID]) -> None:
    """Notify the live feeds of these jobs when this transaction commits."""
    await NOTIFY.execute(connection, {"ids": list(job_ids)})
