"""Slots of the pace, reserved in the destination's row, so that they hold for any number of workers and survive crashes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.destinations.pace import Pace, Reservation, reserve

# clock_timestamp() and not now(), and outside of what locks: we may have waited for the row.
LOCK = text("""
WITH locked AS MATERIALIZED (
    SELECT rate_limit_ms, next_slot_at, throttled_ms, throttled_at
    FROM clay.destinations WHERE org_id = :org_id FOR NO KEY UPDATE)
SELECT *, clock_timestamp() AS now FROM locked
""")
MOVE = text("UPDATE clay.destinations SET next_slot_at = :next_slot_at WHERE org_id = :org_id")
THROTTLE = text("""
UPDATE clay.destinations
SET next_slot_at = :next_slot_at, throttled_ms = :throttled_ms, throttled_at = :throttled_at
WHERE org_id = :org_id
""")


async def _locked(connection: AsyncConnection, org_id: UUID) -> tuple[Pace, datetime] | None:
    row = (await connection.execute(LOCK, {"org_id": org_id})).one_or_none()
    if row is None:
        return None
    return Pace(float(row.rate_limit_ms), row.next_slot_at, row.throttled_ms, row.throttled_at), row.now


async def reserve_slots(
    connection: AsyncConnection, org_id: UUID, wanted: int, *, newcomer: bool = False
) -> tuple[Reservation, datetime]:
    """Reserve up to `wanted` slots. Returns them with the database's clock, to which they belong."""
    locked = await _locked(connection, org_id)
    if locked is None:
        raise LookupError("the organization has no destination")
    pace, now = locked
    reservation = reserve(pace, now, wanted, newcomer=newcomer)
    if reservation.slots:
        await connection.execute(MOVE, {"org_id": org_id, "next_slot_at": reservation.next_slot_at})
    return reservation, now


async def throttle(connection: AsyncConnection, org_id: UUID, retry_after_seconds: float) -> None:
    """Clay answered 429: move the next slot and halve the pace, for every worker."""
    locked = await _locked(connection, org_id)
    if locked is None:
        return
    pace, now = locked
    slower = pace.throttle(now, retry_after_seconds)
    await connection.execute(
        THROTTLE,
        {
            "org_id": org_id,
            "next_slot_at": slower.next_slot_at,
            "throttled_ms": slower.throttled_ms,
            "throttled_at": slower.throttled_at,
        },
    )
