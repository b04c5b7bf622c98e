"""The pace of an organization's requests to Clay's public API, and the pause of its rules: one row for all processes.

Slots have equal distances, without a burst: at most `requests_per_minute` requests start in any minute.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.database.statement import Statement


class Slot(NamedTuple):
    wait: timedelta
    """Time until the reserved request may start, or, without a reservation, until a reservation is possible."""
    is_reserved: bool


# clock_timestamp(): now() is the start of the transaction, which may have waited for the row.
RESERVE = Statement(
    """
UPDATE clay.enrichment_settings
SET next_request_at = greatest(next_request_at, clock_timestamp()) + interval '60 seconds' / requests_per_minute
WHERE org_id = :org_id AND next_request_at <= clock_timestamp() + CAST(:patience AS interval)
RETURNING greatest(next_request_at - interval '60 seconds' / requests_per_minute - clock_timestamp(), interval '0') AS wait,
          true AS is_reserved
""",
    Slot,
)
WAIT = Statement(
    """
SELECT greatest(next_request_at - clock_timestamp(), interval '0') AS wait, false AS is_reserved
FROM clay.enrichment_settings WHERE org_id = :org_id
""",
    Slot,
)
POSTPONE = Statement("""
UPDATE clay.enrichment_settings
SET next_request_at = greatest(next_request_at, clock_timestamp() + CAST(:wait AS interval)) WHERE org_id = :org_id
""")


async def reserve_request(connection: AsyncConnection, org_id: UUID, patience_seconds: float) -> Slot:
    """Reserves the next request, unless it would start later than in `patience_seconds`. The organization's row exists."""
    patience = timedelta(seconds=patience_seconds)
    reserved = await RESERVE.one_or_none(connection, {"org_id": org_id, "patience": patience})
    return reserved or await WAIT.one(connection, {"org_id": org_id})


async def postpone_requests(connection: AsyncConnection, org_id: UUID, seconds: float) -> None:
    """Allows no request before the time of Clay's Retry-After."""
    await POSTPONE.execute(connection, {"org_id": org_id, "wait": timedelta(seconds=seconds)})


class Pause(NamedTuple):
    """The pause of an organization's rules: credits are used up, so rules enrich nothing until they are resumed."""

    since: datetime
    cause: str


PAUSE = Statement("""
UPDATE clay.enrichment_settings SET rules_paused_at = now(), rules_paused_cause = :cause
WHERE org_id = :org_id AND rules_paused_at IS NULL
""")
RESUME = Statement("""
UPDATE clay.enrichment_settings SET rules_paused_at = NULL, rules_paused_cause = NULL
WHERE org_id = :org_id AND rules_paused_at IS NOT NULL
""")
READ_PAUSE = Statement(
    """
SELECT rules_paused_at AS since, rules_paused_cause AS cause FROM clay.enrichment_settings
WHERE org_id = :org_id AND rules_paused_at IS NOT NULL
""",
    Pause,
)


async def pause_rules(connection: AsyncConnection, org_id: UUID, cause: ApiCause) -> bool:
    """Returns False if they were paused already."""
    return await PAUSE.execute(connection, {"org_id": org_id, "cause": cause}) > 0


async def resume_rules(connection: AsyncConnection, org_id: UUID) -> bool:
    """Returns False if they were not paused."""
    return await RESUME.execute(connection, {"org_id": org_id}) > 0


async def read_pause(connection: AsyncConnection, org_id: UUID) -> Pause | None:
    return await READ_PAUSE.one_or_none(connection, {"org_id": org_id})
