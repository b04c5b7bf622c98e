"""Writes the mark "Pushed to Clay" on the host's Leads page: one success row in the host's `clay_push_log` per success.

The statement is idempotent: existing marks stay, and later failures are not written. The host's table may have a unique key
over the lead, or none.
"""

import functools
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.host_integration.attach.host_schema import LOG, LOG_CHANGES, LOG_COLUMNS, HostSchema, quoted
from clay_push_service.host_integration.mirror.read import Pair

BATCH = 2_000


class _MarkedBatch(NamedTuple):
    found: int
    written: int


# Leads that the host has deleted are skipped.
MARK = """
WITH pushed AS MATERIALIZED (
    SELECT delivery.seq, delivery.org_id, delivery.contributor_id AS {lead}, delivery.project_id,
           CAST(:host_job_id AS uuid) AS job_id, 'success' AS status, CAST(NULL AS text) AS error_message,
           coalesce(delivery.pushed_at, delivery.finished_at) AS pushed_at, delivery.clay_response_status
    FROM clay.clay_push_log AS delivery
    WHERE delivery.job_id = :job_id AND delivery.status = 'success'
      AND delivery.seq > (SELECT marked_seq FROM clay.mirror WHERE job_id = :job_id)
      AND EXISTS (SELECT 1 FROM {leads} AS lead WHERE lead.id = delivery.contributor_id)
      AND EXISTS (SELECT 1 FROM {projects} AS project WHERE project.id = delivery.project_id)
      AND NOT EXISTS (SELECT 1 FROM {log} AS mark WHERE {delivery_matches} AND mark.status = 'success'
                      AND mark.pushed_at >= coalesce(delivery.pushed_at, delivery.finished_at))
    ORDER BY delivery.seq LIMIT :batch
), moved AS (
    UPDATE {log} AS mark SET {sets} FROM pushed WHERE {pushed_matches} RETURNING pushed.seq
), made AS (
    INSERT INTO {log} ({columns}) SELECT {values} FROM pushed WHERE pushed.seq NOT IN (SELECT seq FROM moved)
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM pushed) AS found, (SELECT count(*) FROM moved) + (SELECT count(*) FROM made) AS written
"""
# Every delivery up to this seq has finished. Read BEFORE the successes, so that deliveries that finish in between are not skipped.
ENDED_UP_TO = Statement(
    """
SELECT coalesce((SELECT min(seq) - 1 FROM clay.clay_push_log
                 WHERE job_id = :job_id AND state <> 'done' AND seq > mirror.marked_seq),
                (SELECT max(seq) FROM clay.clay_push_log WHERE job_id = :job_id), 0)
FROM clay.mirror WHERE job_id = :job_id
""",
    int,
)
STORE_PROGRESS = Statement("""
UPDATE clay.mirror SET marked_count = :marked_count, marked_seq = greatest(marked_seq, :ended_up_to)
WHERE job_id = :job_id
""")


def has_unmarked_successes(pair: Pair, host_schema: HostSchema) -> bool:
    can_mark = {"org_id", host_schema.lead_id, "status", "pushed_at"} <= host_schema.log
    return can_mark and pair.shown is not None and pair.marked_count < pair.job.success_count


async def mark_successes(connection: AsyncConnection, host_schema: HostSchema, pair: Pair, host_job_id: UUID) -> bool:
    """Marks the next batch of this push job's successes. True: all are marked."""
    job = {"job_id": pair.job.id}
    ended_up_to = await ENDED_UP_TO.one(connection, job)
    values = {**job, "host_job_id": host_job_id, "batch": BATCH}
    batch = await _mark(host_schema).one(connection, values)
    if batch.found == BATCH and batch.written > 0:  # a full batch of which the host's table accepts no row is skipped
        return False
    await STORE_PROGRESS.execute(
        connection, {**job, "marked_count": pair.job.success_count, "ended_up_to": ended_up_to}
    )
    return True


@functools.lru_cache(maxsize=8)
def _mark(host_schema: HostSchema) -> Statement[_MarkedBatch]:
    key = host_schema.log_key or tuple(host_schema.log_columns(("org_id", "{lead}", "project_id")))
    changes = [column for column in host_schema.log_columns(LOG_CHANGES) if column not in host_schema.log_key]
    columns = host_schema.log_columns(LOG_COLUMNS)
    matches = " AND ".join(f"mark.{quoted(column)} = pushed.{quoted(column)}" for column in key)
    sql = MARK.format(
        lead=quoted(host_schema.lead_id),
        leads=host_schema.table(host_schema.leads),
        projects=host_schema.table("projects"),
        log=host_schema.table(LOG),
        sets=", ".join(f"{quoted(column)} = pushed.{quoted(column)}" for column in changes),
        # Without a unique key the host's rows are a history: rows of other attempts stay unchanged.
        pushed_matches=matches if host_schema.log_key else f"{matches} AND mark.status = 'success'",
        delivery_matches=" AND ".join(
            f"mark.{quoted(column)} = delivery.{'contributor_id' if column == host_schema.lead_id else quoted(column)}"
            for column in key
        ),
        columns=", ".join(map(quoted, columns)),
        values=", ".join("gen_random_uuid()" if column == "id" else f"pushed.{quoted(column)}" for column in columns),
    )
    return Statement(sql, _MarkedBatch)
