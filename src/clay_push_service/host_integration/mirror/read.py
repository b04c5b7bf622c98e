"""Reads push jobs with the host rows that show them, for the mirror to compare. Takes no locks, writes nothing."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.cause_counts import CauseCount, StoredCounts, read_causes
from clay_push_service.host_integration.attach.host_schema import JOBS, PROGRESS, HostSchema
from clay_push_service.host_integration.mirror.rows import HostRow, PushJob, StepRow, canonical
from clay_push_service.push_jobs.summary import STEPS
from clay_push_service.states import JobStatus

BATCH = 2_000
"""Push jobs compared in one pass, unsettled ones first."""

# First part: jobs not yet in `mirror`. `since` is before the start of the last pass: a transaction open then may have committed.
DUE = """
SELECT job.id FROM clay.push_jobs AS job
WHERE job.created_at > :since AND NOT EXISTS (SELECT 1 FROM clay.mirror WHERE mirror.job_id = job.id)
UNION ALL
SELECT mirror.job_id FROM clay.mirror WHERE mirror.settled_at IS NULL
UNION ALL
SELECT mirror.job_id FROM clay.mirror
JOIN clay.push_jobs AS job ON job.id = mirror.job_id JOIN {jobs} AS host ON host.id = mirror.host_job_id
WHERE mirror.settled_at > CAST(:settled_since AS timestamptz)
  AND (CAST(host.status AS text) <> job.status
       OR (SELECT count(*) FROM {progress} AS step WHERE step.job_id = host.id) < {steps})
"""
READ = """
WITH due AS MATERIALIZED ({due})
SELECT job.id, job.org_id, job.project_id, job.push_mode, job.status, job.cancel_requested_at, job.lead_count,
       job.success_count, job.failed_count, job.skipped_count, job.unknown_count, job.created_by_user_id,
       job.created_at, job.started_at, job.finished_at,
       CAST(job.cause_counts AS text) AS cause_counts,
       mirror.host_job_id, mirror.settled_at, mirror.marked_count, host.id AS host_id, {host_columns},
       (SELECT json_agg(json_build_object('step_number', step.step_number, 'step_name', step.step_name,
                                          'status', step.status, 'message', step.message) ORDER BY step.step_number)
        FROM {progress} AS step WHERE step.job_id = mirror.host_job_id)::text AS steps
FROM due
JOIN clay.push_jobs AS job ON job.id = due.id
LEFT JOIN clay.mirror ON mirror.job_id = job.id
LEFT JOIN {jobs} AS host ON host.id = mirror.host_job_id
ORDER BY mirror.settled_at IS NOT NULL, job.created_at
LIMIT :batch
"""
COMPARED = {
    "status": "text", "current_step": "integer", "progress_percentage": "numeric", "error_message": "text",
    "metadata": "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """A push job and its host rows. Without `host_job_id` it was never shown; without `shown` the host deleted the row."""

    job: PushJob
    host_job_id: UUID | None
    is_settled: bool
    marked_count: int
    shown: HostRow | None


async def read_due(
    connection: AsyncConnection, host_schema: HostSchema, since: datetime, settled_since: datetime | None
) -> Sequence[Pair]:
    """Reads jobs that may need an update; with `settled_since` also jobs settled after it whose host rows changed."""
    values = {"since": since, "settled_since": settled_since, "batch": BATCH}
    return await _read_pairs(connection, await _due(host_schema).rows(connection, values), host_schema)


async def read_pair(connection: AsyncConnection, host_schema: HostSchema, job_id: UUID) -> Pair:
    row = await _of_job(host_schema).one(connection, {"job_id": job_id, "batch": 1})
    [pair] = await _read_pairs(connection, [row], host_schema)
    return pair


class _PairRow(NamedTuple):
    id: UUID
    org_id: UUID
    project_id: UUID
    push_mode: str
    status: str
    cancel_requested_at: datetime | None
    lead_count: int
    success_count: int
    failed_count: int
    skipped_count: int
    unknown_count: int
    created_by_user_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cause_counts: str | None
    host_job_id: UUID | None
    settled_at: datetime | None
    marked_count: int | None
    host_id: UUID | None
    host_status: str
    """Null, as the fields below, without the host's row."""
    host_current_step: int | None
    host_progress_percentage: Decimal | None
    host_error_message: str | None
    host_metadata: str | None
    steps: str | None


@functools.lru_cache(maxsize=8)
def _due(host_schema: HostSchema) -> Statement[_PairRow]:
    due = DUE.format(jobs=host_schema.table(JOBS), progress=host_schema.table(PROGRESS), steps=len(STEPS))
    return Statement(_sql(host_schema, due), _PairRow)


@functools.lru_cache(maxsize=8)
def _of_job(host_schema: HostSchema) -> Statement[_PairRow]:
    return Statement(_sql(host_schema, "SELECT CAST(:job_id AS uuid) AS id"), _PairRow)


def _sql(host_schema: HostSchema, due: str) -> str:
    columns = ", ".join(
        f"CAST(host.{name} AS {kind}) AS host_{name}" if name in host_schema.jobs else f"NULL AS host_{name}"
        for name, kind in COMPARED.items()
    )
    return READ.format(
        due=due, host_columns=columns, progress=host_schema.table(PROGRESS), jobs=host_schema.table(JOBS)
    )


async def _read_pairs(connection: AsyncConnection, rows: Sequence[_PairRow], host_schema: HostSchema) -> list[Pair]:
    stored = [StoredCounts(row.id, row.cause_counts, row.failed_count, row.skipped_count) for row in rows]
    causes = await read_causes(connection, stored)
    return [_read_pair_row(row, causes.get(row.id, ()), host_schema) for row in rows]


def _read_pair_row(row: _PairRow, causes: Sequence[CauseCount], host_schema: HostSchema) -> Pair:
    """The reason and the leads that may be in Clay are shown when the job has finished."""
    is_finished = row.finished_at is not None
    cancelled = sum(each.leads for each in causes if each.cause is Cause.CANCELLED) if row.cancel_requested_at else 0
    has_reason = is_finished and (row.success_count == 0 or row.failed_count > 0)
    job = PushJob(
        row.id, row.org_id, row.project_id, row.push_mode, JobStatus(row.status), row.cancel_requested_at is not None,
        row.lead_count, row.success_count, row.failed_count, row.skipped_count, row.unknown_count,
        cancelled, row.created_by_user_id, row.created_at, row.started_at, row.finished_at,
        causes[0].cause if causes and has_reason else None, sum(each.unsure for each in causes) if is_finished else 0,
    )  # fmt: skip
    return Pair(
        job, row.host_job_id, row.settled_at is not None, row.marked_count or 0,
        _read_host_row(row, host_schema) if row.host_id is not None else None,
    )  # fmt: skip


def _read_host_row(row: _PairRow, host_schema: HostSchema) -> HostRow:
    has_message = "message" in host_schema.progress
    return HostRow(
        status=row.host_status,
        current_step=row.host_current_step if row.host_current_step is not None else -1,
        progress_percentage=float(row.host_progress_percentage) if row.host_progress_percentage is not None else -1.0,
        error_message=row.host_error_message,
        metadata=canonical(json.loads(row.host_metadata)) if row.host_metadata else "",
        steps=tuple(
            StepRow(step["step_number"], step["step_name"], step["status"], step["message"] if has_message else None)
            for step in json.loads(row.steps or "[]")
        ),
    )
