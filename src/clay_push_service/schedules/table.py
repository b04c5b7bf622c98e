"""SQL of schedules: the only module that changes `clay.schedules`, except for what an erasure empties (`erase`).

Lock order: the row of a schedule before the organization's destination, and so before push jobs and deliveries.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.schedules.due_times import next_due, spread_seconds
from clay_push_service.schedules.schedule import PauseReason, Schedule, ScheduleValues
from clay_push_service.schedules.spec import from_spec, kind_of, to_spec
from clay_push_service.schedules.timing import TimingKind
from clay_push_service.schedules.zones import TZDATA_VERSION
from clay_push_service.states import SyncedLeads

MAX_SCHEDULES: Final = 100
"""Most schedules of one organization."""
RETRY_SECONDS: Final = 30
"""Delay before a run that ended with an unexpected error starts again."""


class _Row(NamedTuple):
    id: UUID
    org_id: UUID
    project_id: UUID
    destination_id: UUID | None
    name: str
    kind: str
    spec: str
    time_zone: str
    filters: str
    mode: str
    max_leads: int | None
    catch_up_seconds: int
    pause_after: int
    next_due_at: datetime | None
    next_run_at: datetime | None
    attempts: int
    paused_because: str | None
    paused_at: datetime | None
    counted_from: datetime
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    segment_id: UUID | None
    segment_name: str | None
    now: datetime


COLUMNS = """id, org_id, project_id, destination_id, name, kind, CAST(spec AS text) AS spec, time_zone,
    CAST(filters AS text) AS filters, mode, max_leads, catch_up_seconds, pause_after, next_due_at, next_run_at, attempts,
    paused_because, paused_at, counted_from, created_by, created_at, updated_by, updated_at, segment_id,
    (SELECT segment.name FROM clay.segments AS segment
     WHERE segment.org_id = schedules.org_id AND segment.id = schedules.segment_id) AS segment_name, clock_timestamp() AS now"""
LIST = Statement(f"SELECT {COLUMNS} FROM clay.schedules WHERE org_id = :org_id ORDER BY created_at, id", _Row)
READ = Statement(f"SELECT {COLUMNS} FROM clay.schedules WHERE org_id = :org_id AND id = :id", _Row)
LOCK = Statement(f"SELECT {COLUMNS} FROM clay.schedules WHERE org_id = :org_id AND id = :id FOR UPDATE", _Row)
# SKIP LOCKED: each worker takes a different schedule. A locked one is being run.
TAKE_DUE = Statement(
    f"""
SELECT {COLUMNS} FROM clay.schedules WHERE next_run_at <= now() ORDER BY next_run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
""",
    _Row,
)
LOCK_NEW = Statement(
    "SELECT pg_advisory_xact_lock(hashtextextended('clay.schedules ' || CAST(CAST(:org_id AS uuid) AS text), 0))"
)
COUNT = Statement("SELECT count(*) FROM clay.schedules WHERE org_id = :org_id", int)
CREATE = Statement("""
INSERT INTO clay.schedules (id, org_id, project_id, destination_id, name, kind, spec, time_zone, filters, mode, max_leads,
    catch_up_seconds, pause_after, segment_id, next_due_at, next_run_at, tzdata_version, created_by, updated_by)
VALUES (:id, :org_id, :project_id, :destination_id, :name, :kind, CAST(:spec AS jsonb), :time_zone, CAST(:filters AS jsonb),
    :mode, :max_leads, :catch_up_seconds, :pause_after, :segment_id, :next_due_at, :next_run_at, :tzdata_version, :actor,
    :actor)
""")
REPLACE = Statement("""
UPDATE clay.schedules
SET project_id = :project_id, destination_id = :destination_id, name = :name, kind = :kind, spec = CAST(:spec AS jsonb),
    time_zone = :time_zone, filters = CAST(:filters AS jsonb), mode = :mode, max_leads = :max_leads,
    catch_up_seconds = :catch_up_seconds, pause_after = :pause_after, segment_id = :segment_id, updated_by = :actor, updated_at = now()
WHERE org_id = :org_id AND id = :id
""")
SET_NEXT = Statement("""
UPDATE clay.schedules
SET next_due_at = :next_due_at, next_run_at = :next_run_at, tzdata_version = :tzdata_version, attempts = 0
WHERE org_id = :org_id AND id = :id AND paused_because IS NULL
""")
POSTPONE = Statement("""
UPDATE clay.schedules
SET attempts = attempts + 1, next_run_at = now() + :seconds * interval '1 second'
WHERE org_id = :org_id AND id = :id AND next_due_at = :due_at
""")
PAUSE = Statement("""
UPDATE clay.schedules
SET paused_because = :reason, paused_at = now(), next_due_at = NULL, next_run_at = NULL, attempts = 0
WHERE org_id = :org_id AND id = :id AND paused_because IS NULL
""")
RESUME = Statement("""
UPDATE clay.schedules
SET paused_because = NULL, paused_at = NULL, next_due_at = :next_due_at, next_run_at = :next_run_at,
    tzdata_version = :tzdata_version, attempts = 0, counted_from = clock_timestamp()
WHERE org_id = :org_id AND id = :id AND paused_because IS NOT NULL
""")
DELETE = Statement("DELETE FROM clay.schedules WHERE org_id = :org_id AND id = :id")
# Schedules computed with an older release of tzdata. A due time that has passed stays: it is run, or recorded as missed.
TAKE_OUTDATED = Statement(
    f"""
SELECT {COLUMNS} FROM clay.schedules
WHERE next_due_at > now() AND tzdata_version < :tzdata_version ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
""",
    _Row,
)


def _schedule(row: _Row) -> Schedule:
    kind = TimingKind(row.kind)
    values = ScheduleValues(
        row.name, row.project_id, row.destination_id,
        from_spec(kind, cast("Mapping[str, object]", json.loads(row.spec))), row.time_zone,
        LeadFilters() if row.segment_id else LeadFilters.model_validate_json(row.filters), SyncedLeads(row.mode),
        row.max_leads, timedelta(seconds=row.catch_up_seconds), row.pause_after, row.segment_id,
    )  # fmt: skip
    return Schedule(
        row.id, row.org_id, values, row.next_due_at, row.next_run_at, row.attempts,
        None if row.paused_because is None else PauseReason(row.paused_because), row.paused_at, row.counted_from,
        row.created_by, row.created_at, row.updated_by, row.updated_at, row.now, row.segment_name,
    )  # fmt: skip


async def list_schedules(connection: AsyncConnection, org_id: UUID) -> Sequence[Schedule]:
    """Returns all schedules of the organization, oldest first."""
    return [_schedule(row) for row in await LIST.rows(connection, {"org_id": org_id})]


async def require_schedule(
    connection: AsyncConnection, org_id: UUID, schedule_id: UUID, *, lock: bool = False
) -> Schedule:
    """Raises 404 `schedule_not_found`, also for a schedule of another organization. `lock`: waits for its current run to end."""
    statement = LOCK if lock else READ
    row = await statement.one_or_none(connection, {"org_id": org_id, "id": schedule_id})
    if row is None:
        raise NotFoundError("Your organization has no schedule with this id.", code="schedule_not_found")
    return _schedule(row)


async def take_due(connection: AsyncConnection) -> Schedule | None:
    """Locks the schedule that has been due for the longest time and that no other worker runs."""
    row = await TAKE_DUE.one_or_none(connection)
    return None if row is None else _schedule(row)


async def create_schedule(
    connection: AsyncConnection, org_id: UUID, schedule_id: UUID, values: ScheduleValues, now: datetime, actor: str
) -> None:
    """Raises 409 `too_many_schedules`."""
    await LOCK_NEW.execute(connection, {"org_id": org_id})
    if await COUNT.one(connection, {"org_id": org_id}) >= MAX_SCHEDULES:
        raise ConflictError(
            f"Your organization has {MAX_SCHEDULES} schedules, which is the limit. Delete one first.",
            code="too_many_schedules",
        )
    stored = {"org_id": org_id, "id": schedule_id, "actor": actor, **_columns(values)}
    await CREATE.execute(connection, {**stored, **_next(schedule_id, values, now)})


async def replace_schedule(connection: AsyncConnection, schedule: Schedule, values: ScheduleValues, actor: str) -> None:
    """The schedule must be locked. A paused one stays paused; otherwise the next due time is computed again from now."""
    key = {"org_id": schedule.org_id, "id": schedule.id}
    await REPLACE.execute(connection, {**key, **_columns(values), "actor": actor})
    await SET_NEXT.execute(connection, {**key, **_next(schedule.id, values, schedule.now)})


async def set_next_due(connection: AsyncConnection, schedule: Schedule, due: datetime) -> None:
    """Sets the next due time after a run. The schedule must be locked."""
    values = {"next_due_at": due, "next_run_at": due + schedule.spread, "tzdata_version": TZDATA_VERSION}
    await SET_NEXT.execute(connection, {"org_id": schedule.org_id, "id": schedule.id, **values})


async def postpone(connection: AsyncConnection, schedule: Schedule) -> None:
    """Postpones a run after an unexpected error: the same due time is tried again later."""
    key = {"org_id": schedule.org_id, "id": schedule.id, "due_at": schedule.next_due_at}
    await POSTPONE.execute(connection, {**key, "seconds": RETRY_SECONDS})


async def pause_schedule(connection: AsyncConnection, schedule: Schedule, reason: PauseReason) -> bool:
    """Returns False if the schedule was paused before."""
    key = {"org_id": schedule.org_id, "id": schedule.id}
    return await PAUSE.execute(connection, {**key, "reason": reason}) > 0


async def resume_schedule(connection: AsyncConnection, schedule: Schedule) -> bool:
    """Continues with the next due time. Earlier failures no longer count. Returns False if the schedule was not paused."""
    key = {"org_id": schedule.org_id, "id": schedule.id}
    return await RESUME.execute(connection, {**key, **_next(schedule.id, schedule.values, schedule.now)}) > 0


async def delete_schedule(connection: AsyncConnection, schedule: Schedule) -> None:
    """Deletes the schedule and its runs. The push jobs stay."""
    await DELETE.execute(connection, {"org_id": schedule.org_id, "id": schedule.id})


async def recompute_outdated(connection: AsyncConnection, tzdata_version: str = TZDATA_VERSION) -> bool:
    """Computes the next due time of one schedule with newer time zone rules. Returns False if all are up to date."""
    row = await TAKE_OUTDATED.one_or_none(connection, {"tzdata_version": tzdata_version})
    if row is None:
        return False
    schedule = _schedule(row)
    values = {**_next(schedule.id, schedule.values, schedule.now), "tzdata_version": tzdata_version}
    await SET_NEXT.execute(connection, {"org_id": schedule.org_id, "id": schedule.id, **values})
    return True


def _columns(values: ScheduleValues) -> dict[str, object]:
    return {
        "project_id": values.project_id, "destination_id": values.destination_id, "name": values.name,
        "kind": kind_of(values.timing), "spec": json.dumps(to_spec(values.timing)), "time_zone": values.time_zone,
        "filters": _stored_filters(values), "mode": values.mode, "max_leads": values.max_leads, "segment_id": values.segment_id,
        "catch_up_seconds": values.catch_up // timedelta(seconds=1), "pause_after": values.pause_after,
    }  # fmt: skip


def _stored_filters(values: ScheduleValues) -> str:
    """Returns the stored filters; with a segment, filters that the release before refuses. It ignores segments, and would push every lead."""
    if values.segment_id is not None:
        return json.dumps({"segment": str(values.segment_id)})
    return values.filters.model_dump_json(exclude_defaults=True)


def _next(schedule_id: UUID, values: ScheduleValues, now: datetime) -> dict[str, object]:
    due = next_due(values.timing, values.time_zone, now)
    start = due + timedelta(seconds=spread_seconds(schedule_id))
    return {"next_due_at": due, "next_run_at": start, "tzdata_version": TZDATA_VERSION}
