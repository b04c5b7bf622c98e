"""Reserves slots of the pace in the row of the workspace, so that the pace holds for any number of workers and after crashes.

This module owns every statement that changes `clay.workspaces`; none sets `next_slot_at` before a reserved slot. All
destinations of a workspace share its pace: Clay limits requests per workspace. `SET_RATE` is for settings.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.destinations.pace import (
    FIRST_SLOT_HORIZON,
    SERVED_EARLIEST,
    SERVED_HORIZON,
    Pace,
    Reservation,
    reserve,
)


class _LockedPace(NamedTuple):
    rate_limit_ms: int
    next_slot_at: datetime
    throttled_ms: float | None
    throttled_at: datetime | None
    recovery_ms: float | None
    now: datetime


class _LockedWorkspace(NamedTuple):
    org_id: UUID
    id: UUID
    woken_at: datetime | None
    rate_limit_ms: int
    next_slot_at: datetime
    throttled_ms: float | None
    throttled_at: datetime | None
    recovery_ms: float | None
    now: datetime


# clock_timestamp() instead of now(), and outside the locking query: the statement may have waited for the row.
LOCK = Statement(
    """
WITH locked AS MATERIALIZED (
    SELECT rate_limit_ms, next_slot_at, throttled_ms, throttled_at, recovery_ms
    FROM clay.workspaces WHERE org_id = :org_id AND id = :id FOR NO KEY UPDATE)
SELECT rate_limit_ms, next_slot_at, throttled_ms, throttled_at, recovery_ms, clock_timestamp() AS now FROM locked
""",
    _LockedPace,
)
MOVE = Statement("UPDATE clay.workspaces SET next_slot_at = :next_slot_at WHERE org_id = :org_id AND id = :id")
THROTTLE = Statement("""
UPDATE clay.workspaces
SET next_slot_at = :next_slot_at, throttled_ms = :throttled_ms, throttled_at = :throttled_at,
    recovery_ms = :recovery_ms
WHERE org_id = :org_id AND id = :id
""")
# No slot is reserved further ahead than the longest horizon, so this never sets next_slot_at before a reserved slot.
# A pause that Clay requested (at most 15 minutes) stays. clock_timestamp(): the transaction may have waited for the row.
SET_RATE = Statement(f"""
UPDATE clay.workspaces
SET rate_limit_ms = CAST(:rate_limit_ms AS integer),
    next_slot_at = CASE WHEN throttled_at > now() - interval '15 minutes' THEN next_slot_at
                        ELSE least(next_slot_at, clock_timestamp() + interval '{FIRST_SLOT_HORIZON.total_seconds()} seconds'
                                   + CAST(:rate_limit_ms AS integer) * interval '1 millisecond') END,
    updated_at = now()
WHERE org_id = :org_id AND id = :id
""")


# For the pacer, which never waits for a row: a workspace that another transaction holds is reserved a moment later.
# One index lookup for each workspace. OFFSET 0 keeps `served_by` out of it: the planner expects few workspaces of a worker, and
# would read all of them for each one (700 x 700 rows, 50 ms).
LOCK_SERVED = Statement(
    """
WITH locked AS MATERIALIZED (
    SELECT held.* FROM unnest(CAST(:orgs AS uuid[]), CAST(:ids AS uuid[])) AS wanted (org_id, id)
    CROSS JOIN LATERAL (
        SELECT org_id, id, woken_at, rate_limit_ms, next_slot_at, throttled_ms, throttled_at, recovery_ms, served_by
        FROM clay.workspaces WHERE org_id = wanted.org_id AND id = wanted.id
        FOR NO KEY UPDATE SKIP LOCKED OFFSET 0) AS held
    WHERE held.served_by = CAST(:worker_id AS uuid))
SELECT org_id, id, woken_at, rate_limit_ms, next_slot_at, throttled_ms, throttled_at, recovery_ms, clock_timestamp() AS now
FROM locked
""",
    _LockedWorkspace,
)
MOVE_SERVED = Statement("""
UPDATE clay.workspaces AS workspace
SET next_slot_at = moved.next_slot_at, served_until = clock_timestamp() + CAST(:lease AS interval)
FROM unnest(CAST(:orgs AS uuid[]), CAST(:ids AS uuid[]), CAST(:next_slots AS timestamptz[])) AS moved (org_id, id, next_slot_at)
WHERE workspace.org_id = moved.org_id AND workspace.id = moved.id
""")
# Serves a new organization's first settings and a repeated save alike.
ENSURE = Statement("""
INSERT INTO clay.workspaces (org_id) VALUES (:org_id) ON CONFLICT (org_id) WHERE is_default DO NOTHING
""")


class WorkspaceKey(NamedTuple):
    """The key of a workspace."""

    org_id: UUID
    id: UUID


async def ensure_default_workspace(connection: Connection, org_id: UUID) -> None:
    """Create the organization's default workspace, if it has none."""
    await ENSURE.execute(connection, {"org_id": org_id})


async def _lock(connection: Connection, workspace: WorkspaceKey) -> tuple[Pace, datetime]:
    """Returns the pace with the time of the database's clock. Raises LookupError for an unknown workspace."""
    row = await LOCK.one_or_none(connection, workspace._asdict())
    if row is None:
        raise LookupError(f"there is no workspace {workspace.id} of organization {workspace.org_id}")
    pace = Pace(float(row.rate_limit_ms), row.next_slot_at, row.throttled_ms, row.throttled_at, row.recovery_ms)
    return pace, row.now


async def reserve_slots(
    connection: Connection, workspace: WorkspaceKey, wanted: int, *, is_first_slot: bool = False
) -> tuple[Reservation, datetime]:
    """Reserve up to `wanted` slots. Returns them with the time of the database's clock, on which they are."""
    pace, now = await _lock(connection, workspace)
    reservation = reserve(pace, now, wanted, is_first_slot=is_first_slot)
    if reservation.slots:
        await MOVE.execute(connection, {**workspace._asdict(), "next_slot_at": reservation.next_slot_at})
    return reservation, now


class ServedReservation(NamedTuple):
    """Slots of a workspace that this worker serves. `woken_at`: the last wake-up of a push job of the workspace."""

    reservation: Reservation
    woken_at: datetime | None
    now: datetime
    """The database's clock."""


async def reserve_served(
    connection: Connection,
    wanted: Mapping[WorkspaceKey, int],
    worker_id: UUID,
    lease: timedelta,
) -> dict[UUID, ServedReservation]:
    """Reserve slots of many workspaces and renew their leases, in the caller's transaction. Returns them by workspace.

    Absent: workspaces that another worker serves, and those that another transaction holds now.
    """
    rows = await LOCK_SERVED.rows(
        connection,
        {"orgs": [each.org_id for each in wanted], "ids": [each.id for each in wanted], "worker_id": worker_id},
    )
    reserved: dict[WorkspaceKey, ServedReservation] = {}
    for row in rows:
        key = WorkspaceKey(row.org_id, row.id)
        pace = Pace(float(row.rate_limit_ms), row.next_slot_at, row.throttled_ms, row.throttled_at, row.recovery_ms)
        reservation = reserve(pace, row.now, wanted[key], earliest=SERVED_EARLIEST, within=SERVED_HORIZON)
        reserved[key] = ServedReservation(reservation, row.woken_at, row.now)
    moved = {key: each.reservation.next_slot_at for key, each in reserved.items() if each.reservation.slots}
    if moved:
        await MOVE_SERVED.execute(
            connection,
            {
                "orgs": [key.org_id for key in moved],
                "ids": [key.id for key in moved],
                "next_slots": list(moved.values()),
                "lease": lease,
            },
        )
    return {key.id: each for key, each in reserved.items()}


async def set_rate(connection: Connection, workspace: WorkspaceKey, rate_limit_ms: int) -> None:
    """Set the delay between two leads; a shorter one holds within about a second."""
    await SET_RATE.execute(connection, {**workspace._asdict(), "rate_limit_ms": rate_limit_ms})


async def throttle(
    connection: Connection, workspace: WorkspaceKey, retry_after_seconds: float, answered_in_ms: int
) -> None:
    """Apply a 429, for every worker: move the next slot and lower the rate. `answered_in_ms`: from the POST to its response."""
    pace, now = await _lock(connection, workspace)
    slower = pace.throttle(now, retry_after_seconds, now - timedelta(milliseconds=answered_in_ms))
    await THROTTLE.execute(
        connection,
        {
            **workspace._asdict(),
            "next_slot_at": slower.next_slot_at,
            "throttled_ms": slower.throttled_ms,
            "throttled_at": slower.throttled_at,
            "recovery_ms": slower.recovery_ms,
        },
    )
