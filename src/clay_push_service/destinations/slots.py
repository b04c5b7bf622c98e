"""Slots of the pace, reserved in the destination's row, so that they hold for any number of workers and survive crashes.

Every statement that moves `next_slot_at` is here; none moves it below a slot that is given out. `SET_RATE` is for settings.
"""

from datetime import datetime
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.destinations.pace import NEWCOMER_HORIZON, Pace, Reservation, reserve

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
# No slot is ever given out further ahead than the longest horizon, so this cannot move below one, however often it runs.
# A pause that Clay asked for (15 minutes at most) stays. clock_timestamp(): this transaction may have waited for the row.
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
    """Reserve up to `wanted` slots. Returns them with the database's clock, to which they belong."""
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
