"""SQL of the runs of schedules: the only module that changes `clay.schedule_runs`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination
from clay_push_service.database.statement import Statement
from clay_push_service.schedules.plan import PastRun, ScheduleOutcome

BY_TIME: Final = "time"
"""Value of `started_by` for a run at its due time."""


@dataclass(frozen=True, slots=True)
class TableRun:
    """The outcome of a run for one Clay table that routes chose."""

    destination_id: UUID
    name: str
    """As it was at the time of the run."""
    outcome: ScheduleOutcome
    lead_count: int
    message: str


class ScheduleRun(NamedTuple):
    due_at: datetime
    started_by: str
    outcome: str
    message: str
    job_ids: Sequence[UUID]
    lead_count: int
    started_at: datetime
    destinations: Sequence[TableRun] | None = None
    """By Clay table; None: routes did not decide."""


class _RunRow(NamedTuple):
    schedule_id: UUID
    due_at: datetime
    started_by: str
    outcome: str
    message: str
    job_ids: Sequence[UUID]
    lead_count: int
    started_at: datetime
    destinations: Sequence[Mapping[str, str | int]] | None


EXISTS = Statement(
    """
SELECT EXISTS (SELECT 1 FROM clay.schedule_runs
               WHERE org_id = :org_id AND schedule_id = :schedule_id AND due_at = :due_at) AS found
""",
    bool,
)
# The primary key makes a second run for the same due time fail.
ADD = Statement("""
INSERT INTO clay.schedule_runs (org_id, schedule_id, due_at, started_by, outcome, message, job_ids, lead_count, destinations)
VALUES (:org_id, :schedule_id, :due_at, :started_by, :outcome, :message, CAST(:job_ids AS uuid[]), :lead_count,
    CAST(:destinations AS jsonb))
""")
ADD_MISSED = Statement("""
INSERT INTO clay.schedule_runs (org_id, schedule_id, due_at, started_by, outcome, message)
SELECT :org_id, :schedule_id, missed.due_at, 'time', 'missed', missed.message
FROM unnest(CAST(:due_at AS timestamptz[]), CAST(:messages AS text[])) AS missed (due_at, message)
ON CONFLICT DO NOTHING
""")
PAGE = Statement(
    """
SELECT schedule_id, due_at, started_by, outcome, message, job_ids, lead_count, started_at, destinations
FROM clay.schedule_runs
WHERE org_id = :org_id AND schedule_id = :schedule_id AND (CAST(:before AS timestamptz) IS NULL OR due_at < :before)
ORDER BY due_at DESC LIMIT :limit
""",
    _RunRow,
)
LAST = Statement(
    """
SELECT schedule.id AS schedule_id, run.due_at, run.started_by, run.outcome, run.message, run.job_ids, run.lead_count,
       run.started_at, run.destinations
FROM clay.schedules AS schedule
JOIN LATERAL (SELECT * FROM clay.schedule_runs
              WHERE org_id = schedule.org_id AND schedule_id = schedule.id ORDER BY due_at DESC LIMIT 1) AS run ON true
WHERE schedule.org_id = :org_id AND (CAST(:schedule_id AS uuid) IS NULL OR schedule.id = :schedule_id)
""",
    _RunRow,
)


class _PastRow(NamedTuple):
    outcome: str
    job_failed: bool


PAST = Statement(
    """
SELECT run.outcome, coalesce((SELECT bool_and(job.status = 'failed') FROM clay.push_jobs AS job
                              WHERE job.org_id = run.org_id AND job.id = ANY(run.job_ids)), false) AS job_failed
FROM clay.schedule_runs AS run
WHERE run.org_id = :org_id AND run.schedule_id = :schedule_id AND run.started_at >= :since
  AND run.outcome NOT IN ('overlap', 'missed', 'paused')
ORDER BY run.due_at DESC LIMIT :limit
""",
    _PastRow,
)
# Reads only the newest run that queued a push job: no run queues one while an earlier one is live.
LIVE_JOB = Statement(
    """
SELECT job.id FROM (
    SELECT org_id, job_ids FROM clay.schedule_runs
    WHERE org_id = :org_id AND schedule_id = :schedule_id AND outcome = 'queued' ORDER BY due_at DESC LIMIT 1) AS run
JOIN clay.push_jobs AS job ON job.org_id = run.org_id AND job.id = ANY(run.job_ids)
WHERE job.status IN ('pending', 'running') LIMIT 1
""",
    UUID,
)
DELETE_OLD = Statement("""
DELETE FROM clay.schedule_runs
WHERE (org_id, schedule_id, due_at) IN (
    SELECT org_id, schedule_id, due_at FROM clay.schedule_runs
    WHERE started_at < now() - :days * interval '1 day' LIMIT :rows FOR UPDATE SKIP LOCKED)
""")


async def has_run(connection: AsyncConnection, org_id: UUID, schedule_id: UUID, due_at: datetime) -> bool:
    return await EXISTS.one(connection, {"org_id": org_id, "schedule_id": schedule_id, "due_at": due_at})


async def add_run(
    connection: AsyncConnection,
    org_id: UUID,
    schedule_id: UUID,
    due_at: datetime,
    started_by: str,
    outcome: ScheduleOutcome,
    message: str,
    job_ids: Sequence[UUID] = (),
    lead_count: int = 0,
    destinations: Sequence[TableRun] | None = None,
) -> None:
    stored = None if destinations is None else json.dumps([_stored(each) for each in destinations])
    values = {
        "org_id": org_id, "schedule_id": schedule_id, "due_at": due_at, "started_by": started_by, "outcome": outcome,
        "message": message, "job_ids": list(job_ids), "lead_count": lead_count, "destinations": stored,
    }  # fmt: skip
    await ADD.execute(connection, values)


async def add_missed(
    connection: AsyncConnection, org_id: UUID, schedule_id: UUID, due_at: Sequence[datetime], messages: Sequence[str]
) -> None:
    values = {"org_id": org_id, "schedule_id": schedule_id, "due_at": list(due_at), "messages": list(messages)}
    await ADD_MISSED.execute(connection, values)


async def read_runs(
    connection: AsyncConnection, org_id: UUID, schedule_id: UUID, cursor: str | None, limit: int
) -> tuple[Sequence[ScheduleRun], str | None]:
    """Returns the runs newest first, with the cursor of the next page."""
    before = None if cursor is None else pagination.moment(pagination.decode(cursor, 1)[0])
    values = {"org_id": org_id, "schedule_id": schedule_id, "before": before, "limit": limit + 1}
    rows = await PAGE.rows(connection, values)
    page = rows[:limit]
    return [_run(row) for row in page], pagination.encode(page[-1].due_at.isoformat()) if len(rows) > limit else None


async def read_last_runs(
    connection: AsyncConnection, org_id: UUID, schedule_id: UUID | None = None
) -> dict[UUID, ScheduleRun]:
    """Returns the last run of each schedule, or of one, by schedule."""
    rows = await LAST.rows(connection, {"org_id": org_id, "schedule_id": schedule_id})
    return {row.schedule_id: _run(row) for row in rows}


def _run(row: _RunRow) -> ScheduleRun:
    found = None if row.destinations is None else [_table_run(each) for each in row.destinations]
    return ScheduleRun(
        row.due_at, row.started_by, row.outcome, row.message, row.job_ids, row.lead_count, row.started_at, found
    )


def _stored(table: TableRun) -> dict[str, str | int]:
    return {
        "destination_id": str(table.destination_id), "name": table.name, "outcome": table.outcome.value,
        "lead_count": table.lead_count, "message": table.message,
    }  # fmt: skip


def _table_run(stored: Mapping[str, str | int]) -> TableRun:
    return TableRun(
        UUID(str(stored["destination_id"])), str(stored["name"]), ScheduleOutcome(str(stored["outcome"])),
        int(stored["lead_count"]), str(stored["message"]),
    )  # fmt: skip


async def read_past(
    connection: AsyncConnection, org_id: UUID, schedule_id: UUID, since: datetime, limit: int
) -> Sequence[PastRun]:
    """Returns the last runs since `since`, newest first, without runs that say nothing about failures."""
    values = {"org_id": org_id, "schedule_id": schedule_id, "since": since, "limit": limit}
    return [PastRun(ScheduleOutcome(row.outcome), row.job_failed) for row in await PAST.rows(connection, values)]


async def find_live_job(connection: AsyncConnection, org_id: UUID, schedule_id: UUID) -> UUID | None:
    """Returns an unfinished push job of the last run, also one that waits for Clay."""
    return await LIVE_JOB.one_or_none(connection, {"org_id": org_id, "schedule_id": schedule_id})


async def delete_old_runs(connection: AsyncConnection, days: int, rows: int) -> int:
    return await DELETE_OLD.execute(connection, {"days": days, "rows": rows})
