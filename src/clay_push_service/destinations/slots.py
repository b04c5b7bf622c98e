"""Reserves slots of the pace in the row of the destination, so that the pace holds for any number of workers and after crashes.

This module owns every statement that changes `next_slot_at`; none sets it before a reserved slot. `SET_RATE` is for settings.
"""

from datetime import datetime
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.destinations.pace import NEWCOMER_HORIZON, Pace, Reservation, reserve

# clock_timestamp() instead of now(), and outside the locking query: the statement may have waited for the row.
LOCK = Statement("""
WITH locked AS MATERIALIZED (
    SELECT rate_limit_ms, next_slot_at, throttled_ms, throttled_at
    FROM clay.destinations WHERE org_id = :org_id FOR NO KEY UPDATE)
SELECT *, clock_timestamp() AS now FROM locked
""")
MOVE = Statement("UPDATE clay.destinations SET next_slot_at = :next_slot_at WHERE org_id = :org_id")
THROTTLE = Statement("""
UPDATE clay.destinations
SET next_slot_at = :next_slot_at, throttled_ms = :throttled_ms, throttled_at = :throttled_at
WHERE org_id = :org_id
""")
# No slot is reserved further ahead than the longest horizon, so this never sets next_slot_at before a reserved slot.
# A pause that Clay requested (at most 15 minutes) stays. clock_timestamp(): the transaction may have waited for the row.
SET_RATE = Statement(f"""
UPDATE clay.destinations
SET rate_limit_ms = CAST(:rate_limit_ms AS integer),
    next_slot_at = CASE WHEN throttled_at > now() - interval '15 minutes' THEN next_slot_at
                        ELSE least(next_slot_at, clock_timestamp() + interval '{NEWCOMER_HORIZON.total_seconds()} seconds'
                                   + CAST(:rate_limit_ms AS integer) * interval '1 millisecond') END,
    updated_at = now()
WHERE org_id = :org_id
""")


async def _locked(connection: Connection, org_id: UUID) -> tuple[Pace, datetime] | None:
    for rate_limit_ms, next_slot_at, throttled_ms, throttled_at, now in await LOCK.rows(connection, {"org_id": org_id}):
        return Pace(float(rate_limit_ms), next_slot_at, throttled_ms, throttled_at), now
    return None


async def reserve_slots(
    connection: Connection, org_id: UUID, wanted: int, *, newcomer: bool = False
) -> tuple[Reservation, datetime]:
    """Reserve up to `wanted` slots. Returns them with the time of the database's clock, on which they are."""
    locked = await _locked(connection, org_id)
    if locked is None:
        raise LookupError("the organization has no destination")
    pace, now = locked
    reservation = reserve(pace, now, wanted, newcomer=newcomer)
    if reservation.slots:
        await MOVE.rows(connection, {"org_id": org_id, "next_slot_at": reservation.next_slot_at})
    return reservation, now


async def set_rate(connection: Connection, org_id: UUID, rate_limit_ms: int) -> None:
    """Set the delay between two leads; a shorter one holds within about a second."""
    await SET_RATE.rows(connection, {"org_id": org_id, "rate_limit_ms": rate_limit_ms})


async def throttle(connection: Connection, org_id: UUID, retry_after_seconds: float) -> None:
    """Apply a 429: move the next slot and halve the pace, for every worker."""
    locked = await _locked(connection, org_id)
    if locked is None:
        return
    pace, now = locked
    slower = pace.throttle(now, retry_after_seconds)
    await THROTTLE.rows(
        connection,
        {
            "org_id": org_id,
            "next_slot_at": slower.next_slot_at,
            "throttled_ms": slower.throttled_ms,
            "throttled_at": slower.throttled_at,
        },
    )
