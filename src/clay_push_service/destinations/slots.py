"""Slots of the pace, reserved in the destination's row, so that they hold for any number of workers and survive crashes."""

from datetime import datetime
from uuid import UUID

from clay_push_service.database import Connection, Statement
from clay_push_service.destinations.pace import Pace, Reservation, reserve

# clock_timestamp() and not now(), and outside of what locks: we may have waited for the row.
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


async def _locked(connection: Connection, org_id: UUID) -> tuple[Pace, datetime] | None:
    for rate_limit_ms, next_slot_at, throttled_ms, throttled_at, now in await LOCK.rows(connection, {"org_id": org_id}):
        return Pace(float(rate_limit_ms), next_slot_at, throttled_ms, throttled_at), now
    return None


async def reserve_slots(
    connection: Connection, org_id: UUID, wanted: int, *, newcomer: bool = False
) -> tuple[Reservation, datetime]:
    """Reserve up to `wanted` slots. Returns them with the database's clock, to which they belong."""
    locked = await _locked(connection, org_id)
    if locked is None:
        raise LookupError("the organization has no destination")
    pace, now = locked
    reservation = reserve(pace, now, wanted, newcomer=newcomer)
    if reservation.slots:
        await MOVE.rows(connection, {"org_id": org_id, "next_slot_at": reservation.next_slot_at})
    return reservation, now


async def throttle(connection: Connection, org_id: UUID, retry_after_seconds: float) -> None:
    """Clay answered 429: move the next slot and halve the pace, for every worker."""
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
