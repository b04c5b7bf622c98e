"""Writes one push job's rows in the host's `sourcing_jobs` and `job_progress`, in the caller's transaction and under its lock.

Values pass as JSON through the table's row type, so that a column stays writable after the host alters its type. Rows that the
host deletes stay deleted.
"""

import functools
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.host_integration.attach.host_schema import (
    JOB_CHANGES,
    JOB_COLUMNS,
    JOBS,
    PROGRESS,
    PROGRESS_CHANGES,
    PROGRESS_COLUMNS,
    HostSchema,
    present,
    quoted,
)
from clay_push_service.host_integration.attach.triggers import WRITER, WRITER_SETTING
from clay_push_service.host_integration.mirror.read import Pair
from clay_push_service.host_integration.mirror.rows import (
    JOB_TYPE,
    HostRow,
    PushJob,
    StepRow,
    Value,
    host_row,
    step_status,
)
from clay_push_service.push_jobs.summary import STEPS
from clay_push_service.states import JobStatus

TOTAL_STEPS = 3
NOW = "now"
"""PostgreSQL converts this word to the transaction's time."""

TIMEOUTS = Statement("SELECT set_config('lock_timeout', '1s', true), set_config('statement_timeout', '5s', true)")
WRITE_AS_MIRROR = Statement(f"SELECT set_config('{WRITER_SETTING}', '{WRITER}', true)")


class _Existing(NamedTuple):
    project: bool
    user_id: UUID | None


@functools.lru_cache(maxsize=8)
def _existing(host_schema: HostSchema) -> Statement[_Existing]:
    return Statement(
        f"""
SELECT EXISTS (SELECT 1 FROM {host_schema.table("projects")} WHERE id = :project_id) AS project,
       (SELECT id FROM {host_schema.table("users")} WHERE id = :user_id) AS user_id
""",
        _Existing,
    )


RECORD = Statement("""
INSERT INTO clay.mirror (job_id, org_id, host_job_id, settled_at)
SELECT id, org_id, :host_job_id, :settled_at FROM clay.push_jobs WHERE id = :job_id
""")
SETTLE = Statement("UPDATE clay.mirror SET settled_at = now() WHERE job_id = :job_id AND settled_at IS NULL")
UNSETTLE = Statement("UPDATE clay.mirror SET settled_at = NULL WHERE job_id = :job_id AND settled_at IS NOT NULL")

Cell = Value | UUID | datetime | Mapping[str, str | int]


async def set_writer(connection: AsyncConnection) -> None:
    """For this transaction: 1 s per lock, 5 s per statement, and the triggers accept its writes."""
    await TIMEOUTS.execute(connection)
    await WRITE_AS_MIRROR.execute(connection)


async def write_job(connection: AsyncConnection, host_schema: HostSchema, pair: Pair) -> bool:
    """Writes the host's rows of this push job. False: the project or the row no longer exists in the host."""
    job = pair.job
    wanted = host_row(job)
    if pair.host_job_id is None:
        return await _insert(connection, host_schema, job, wanted)
    if pair.shown is None:
        await SETTLE.execute(connection, {"job_id": job.id})
        return False
    await _change(connection, host_schema, pair.host_job_id, job, wanted)
    await _write_steps(connection, host_schema, pair.host_job_id, job, wanted.steps, pair.shown.steps)
    return True


async def _insert(connection: AsyncConnection, host_schema: HostSchema, job: PushJob, wanted: HostRow) -> bool:
    """Inserts the row under the push job's id. Never `pending`: the host's processor claims such rows."""
    values = {"project_id": job.project_id, "user_id": job.created_by_user_id}
    existing = await _existing(host_schema).one(connection, values)
    if not existing.project:
        settled = {"job_id": job.id, "host_job_id": job.id, "settled_at": job.finished_at or job.created_at}
        await RECORD.execute(connection, settled)
        return False
    row: dict[str, Cell] = _changes(job, wanted) | {
        "id": job.id,
        "project_id": job.project_id,
        "job_type": JOB_TYPE,
        "created_by": existing.user_id,
        "created_at": job.created_at,
    }
    columns = present(JOB_COLUMNS, host_schema.jobs)
    if not await _insert_row(
        connection, host_schema, JOBS, columns, row
    ):  # the row exists from before `clay.mirror` was emptied
        await _change(connection, host_schema, job.id, job, wanted)
    await _write_steps(connection, host_schema, job.id, job, wanted.steps, ())
    await RECORD.execute(connection, {"job_id": job.id, "host_job_id": job.id, "settled_at": None})
    return True


async def end_row(
    connection: AsyncConnection,
    host_schema: HostSchema,
    host_job_id: UUID,
    status: JobStatus,
    message: str,
    metadata: str,
) -> None:
    """Ends a host row that shows no push job. A row that the host cancelled stays cancelled."""
    row: dict[str, Cell] = {
        "status": status.value,
        "total_steps": TOTAL_STEPS,
        "current_step": TOTAL_STEPS,
        "progress_percentage": 100,
        "started_at": NOW,
        "completed_at": NOW,
        "error_message": message if status is JobStatus.FAILED else None,
        "metadata": json.loads(metadata),
        "updated_at": NOW,
    }
    if status is JobStatus.CANCELLED:
        del row["error_message"]
    where: dict[str, Cell] = {"id": host_job_id}
    columns = present(tuple(row), host_schema.jobs)
    if not await _update_row(connection, host_schema, JOBS, columns, row, where):
        return
    step: dict[str, Cell] = {
        "id": uuid4(), "job_id": host_job_id, "step_number": TOTAL_STEPS, "step_name": STEPS[-1],
        "status": step_status(status), "message": message, "started_at": NOW, "completed_at": NOW, "created_at": NOW,
    }  # fmt: skip
    where = {"job_id": host_job_id, "step_number": TOTAL_STEPS}
    if not await _update_row(
        connection, host_schema, PROGRESS, present(PROGRESS_CHANGES, host_schema.progress), step, where
    ):
        await _insert_row(connection, host_schema, PROGRESS, present(PROGRESS_COLUMNS, host_schema.progress), step)


async def _change(
    connection: AsyncConnection, host_schema: HostSchema, host_job_id: UUID, job: PushJob, wanted: HostRow
) -> None:
    row = _changes(job, wanted)
    await _update_row(connection, host_schema, JOBS, present(JOB_CHANGES, host_schema.jobs), row, {"id": host_job_id})


def _changes(job: PushJob, wanted: HostRow) -> dict[str, Cell]:
    return {
        "status": wanted.status,
        "total_steps": TOTAL_STEPS,
        "current_step": wanted.current_step,
        "progress_percentage": wanted.progress_percentage,
        "started_at": job.started_at or job.created_at,
        "completed_at": job.finished_at,
        "error_message": wanted.error_message,
        "metadata": json.loads(wanted.metadata),
        "updated_at": NOW,
    }


async def _write_steps(
    connection: AsyncConnection,
    host_schema: HostSchema,
    host_job_id: UUID,
    job: PushJob,
    wanted: Iterable[StepRow],
    shown: Iterable[StepRow],
) -> None:
    existing = {step.number: step for step in shown}
    for step in wanted:
        if existing.get(step.number) == step:
            continue
        has_started = step.status != "pending"
        row: dict[str, Cell] = {
            "id": uuid4(),
            "job_id": host_job_id,
            "step_number": step.number,
            "step_name": step.name,
            "status": step.status,
            "message": step.message,
            "started_at": (job.created_at if step.number == 1 else job.started_at or job.created_at)
            if has_started
            else None,
            "completed_at": _ended_at(job, step),
            "created_at": job.created_at,
        }
        where: dict[str, Cell] = {"job_id": host_job_id, "step_number": step.number}
        changes = present(PROGRESS_CHANGES, host_schema.progress)
        if not await _update_row(connection, host_schema, PROGRESS, changes, row, where):
            await _insert_row(connection, host_schema, PROGRESS, present(PROGRESS_COLUMNS, host_schema.progress), row)


def _ended_at(job: PushJob, step: StepRow) -> datetime | None:
    return job.created_at if step.number == 1 else job.finished_at


async def _insert_row(
    connection: AsyncConnection, host_schema: HostSchema, table: str, columns: list[str], row: Mapping[str, Cell]
) -> int:
    name, names = host_schema.table(table), ", ".join(map(quoted, columns))
    statement = (
        f"INSERT INTO {name} ({names}) SELECT {names} "
        f"FROM jsonb_populate_record(CAST(NULL AS {name}), CAST(:row AS jsonb)) ON CONFLICT (id) DO NOTHING"
    )
    return await _prepare(statement).execute(connection, {"row": _json(row)})


async def _update_row(
    connection: AsyncConnection,
    host_schema: HostSchema,
    table: str,
    columns: list[str],
    row: Mapping[str, Cell],
    where: Mapping[str, Cell],
) -> int:
    name = host_schema.table(table)
    sets = ", ".join(f"{quoted(column)} = given.{quoted(column)}" for column in columns)
    matches = " AND ".join(f"target.{quoted(column)} = :{column}" for column in where)
    statement = (
        f"UPDATE {name} AS target SET {sets} "
        f"FROM jsonb_populate_record(CAST(NULL AS {name}), CAST(:row AS jsonb)) AS given WHERE {matches}"
    )
    return await _prepare(statement).execute(connection, {"row": _json(row), **where})


@functools.lru_cache(maxsize=64)
def _prepare(sql: str) -> "Statement[None]":
    return Statement(sql)


def _json(row: Mapping[str, Cell]) -> str:
    return json.dumps(row, default=lambda value: value.isoformat() if isinstance(value, datetime) else str(value))
