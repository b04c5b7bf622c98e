"""Retention: empties personal columns and error texts of old finished push jobs; keeps the ledger of what Clay accepted.

Kept permanently: organization, lead, project, table, status, cause, Clay's status code, attempts, times, payload hash.
The lead's id is kept, because otherwise the lead would be pushed and billed again. `erase` removes it on request.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.callers.sessions import delete_old_sessions
from clay_push_service.database.database import Database
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.inbound.results import delete_old_results, empty_old_bodies
from clay_push_service.enrichment.values.erase import delete_old_values
from clay_push_service.schedules.runs import delete_old_runs

BATCH_ROWS = 2_000
"""Deliveries emptied in one transaction: about 20 ms, the longest time that a worker waits to record results."""
BATCHES = 20
"""Transactions per pass; each sweep runs one pass. This is 80,000 rows a minute, more than a worker can push."""

# SKIP LOCKED: several workers empty different push jobs. By push job, not by row: this needs no index of the log by time.
NEXT = Statement(
    """
SELECT id FROM clay.push_jobs
WHERE finished_at IS NOT NULL AND emptied_at IS NULL AND finished_at < now() - :days * interval '1 day'
ORDER BY finished_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
""",
    UUID,
)
EMPTY = Statement("""
UPDATE clay.clay_push_log AS delivery SET username = NULL, full_name = NULL, error_message = NULL
FROM (SELECT id FROM clay.clay_push_log
      WHERE job_id = :job_id AND state = 'done'
        AND (username IS NOT NULL OR full_name IS NOT NULL OR error_message IS NOT NULL)
      LIMIT :rows) AS old
WHERE delivery.id = old.id
""")
EMPTIED = Statement(
    "UPDATE clay.push_jobs SET emptied_at = now(),"
    " filters = filters - 'search' - 'companies' - 'exclude_companies' WHERE id = :job_id"
)
# Inbox entries whose end is written to the host: lead ids and any other metadata.
EMPTY_INBOX = Statement("""
UPDATE clay.inbox SET metadata = '{}', end_message = NULL
WHERE id IN (SELECT id FROM clay.inbox
             WHERE done_at < now() - :days * interval '1 day' AND (end_status IS NULL OR written_at IS NOT NULL)
               AND (metadata <> '{}' OR end_message IS NOT NULL)
             LIMIT :rows FOR UPDATE SKIP LOCKED)
""")

log = logs.get(__name__)


@dataclass(slots=True)
class RetentionCounts:
    """Counts of one pass."""

    rows: int = 0
    jobs: int = 0


async def empty_old_jobs(database: Database, retention_days: int, *, batches: int = BATCHES) -> RetentionCounts:
    """Runs one pass of up to `batches` short transactions. Without work it reads one index."""
    emptied = RetentionCounts()
    for _ in range(batches):
        async with database.transaction() as connection:
            if not await _empty_batch(connection, retention_days, emptied):
                break
    async with database.transaction() as connection:
        inbox = await EMPTY_INBOX.execute(connection, {"days": retention_days, "rows": BATCH_ROWS})
        bodies = await empty_old_bodies(connection, BATCH_ROWS)
        results = await delete_old_results(connection, retention_days, BATCH_ROWS)
        values = await delete_old_values(connection, retention_days, BATCH_ROWS)
        sessions = await delete_old_sessions(connection, BATCH_ROWS)
        runs = await delete_old_runs(connection, retention_days, BATCH_ROWS)
    if emptied.jobs or emptied.rows or inbox or bodies or results or values or sessions or runs:
        metrics.EMPTIED.inc(emptied.rows)
        log.info(
            "retention.emptied", rows=emptied.rows, jobs=emptied.jobs, inbox=inbox, result_bodies=bodies, results=results,
            values=values, sessions=sessions, schedule_runs=runs,
        )  # fmt: skip
    return emptied


async def _empty_batch(connection: AsyncConnection, retention_days: int, emptied: RetentionCounts) -> bool:
    """Returns False if there is nothing to empty."""
    job_id = await NEXT.one_or_none(connection, {"days": retention_days})
    if job_id is None:
        return False
    rows = await EMPTY.execute(connection, {"job_id": job_id, "rows": BATCH_ROWS})
    emptied.rows += rows
    if rows < BATCH_ROWS:
        await EMPTIED.execute(connection, {"job_id": job_id})
        emptied.jobs += 1
    return True
