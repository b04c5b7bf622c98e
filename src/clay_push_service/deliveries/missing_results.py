"""Finds deliveries whose result from Clay is missing, and marks destinations whose results have stopped as suspect.

A missing result: Clay accepted the lead after the newest delivery that was confirmed, and longer ago than the window. Earlier
deliveries without a result are no evidence: later ones were confirmed, so their rows never send a result, for example because a
required column is empty. A destination that never confirmed a delivery has no missing results: its table may send none.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.deliveries.suspicion import SuspectDestination, clear_suspect, mark_suspect, read_all_suspect

OPEN_CONFIRMATIONS = 20
"""Fewer missing results may be chance, such as a few rows that a condition of the table hides."""
LEAST_WINDOW_SECONDS = 30 * 60.0
WINDOW_TIMES_P95 = 10
REASONS = (
    "The Clay workspace has used up its credits. Check the balance in Clay.",
    "The Clay table is full. Check its number of rows in Clay, and start a new table.",
    "Auto-run is off, for the table or for the column that sends results. Check it in Clay.",
)
"""The three usual reasons why results stop, the most frequent first."""


class ResultHistory(NamedTuple):
    """What the last 1,000 confirmed deliveries to the current Clay table of a destination show."""

    org_id: UUID
    destination_id: UUID
    table_epoch: int
    suspect_since: datetime | None
    after: datetime
    """When the newest confirmed delivery was sent, or a person last pushed missing leads again."""
    last_result_at: datetime
    p95_seconds: float
    """The time from Clay's response to the result, for 95 % of the deliveries."""
    now: datetime

    @property
    def window_seconds(self) -> float:
        return window_seconds(self.p95_seconds)


HISTORY = Statement(
    """
SELECT destination.org_id, destination.id AS destination_id, destination.table_epoch, destination.suspect_since,
       greatest(max(recent.finished_at), destination.results_checked_at) AS after, max(recent.confirmed_at) AS last_result_at,
       CAST(percentile_disc(0.95) WITHIN GROUP (
           ORDER BY greatest(extract(epoch FROM recent.confirmed_at - recent.finished_at), 0)) AS double precision) AS p95_seconds,
       now() AS now
FROM clay.destinations AS destination
JOIN LATERAL (SELECT finished_at, confirmed_at FROM clay.clay_push_log
              WHERE org_id = destination.org_id AND destination_id = destination.id
                AND table_epoch = destination.table_epoch AND confirmed_at IS NOT NULL AND finished_at IS NOT NULL
              ORDER BY finished_at DESC LIMIT 1000) AS recent ON true
WHERE destination.archived_at IS NULL AND (CAST(:org_id AS uuid) IS NULL OR destination.org_id = :org_id AND
      CASE WHEN CAST(:destination_id AS uuid) IS NULL THEN destination.is_default ELSE destination.id = :destination_id END)
GROUP BY destination.org_id, destination.id
""",
    ResultHistory,
)


class MissingResult(NamedTuple):
    """A delivery that Clay accepted and that has no result."""

    seq: int
    id: UUID
    lead_id: UUID
    project_id: UUID
    job_id: UUID
    username: str | None
    full_name: str | None
    accepted_at: datetime


FROM_GAP = """
FROM clay.push_jobs AS job
JOIN clay.clay_push_log AS delivery ON delivery.org_id = job.org_id AND delivery.job_id = job.id
WHERE job.org_id = :org_id AND job.destination_id = :destination_id AND job.table_epoch = :table_epoch
  AND coalesce(job.finished_at, 'infinity') > :after
  AND delivery.status = 'success' AND delivery.confirmed_at IS NULL AND delivery.finished_at > :after
  AND delivery.finished_at <= now() - :window_seconds * interval '1 second'
  AND NOT EXISTS (SELECT 1 FROM clay.erased_leads AS erased
                  WHERE erased.org_id = delivery.org_id AND erased.reference = delivery.contributor_id)
"""
MISSING = Statement(
    f"""
SELECT delivery.seq, delivery.id, delivery.contributor_id AS lead_id, delivery.project_id, delivery.job_id,
       delivery.username, delivery.full_name, delivery.finished_at AS accepted_at
{FROM_GAP} AND delivery.seq > :after_seq
ORDER BY delivery.seq LIMIT :limit
""",
    MissingResult,
)
COUNT = Statement(f"SELECT count(*) AS missing {FROM_GAP}", int)
ENOUGH = Statement(f"SELECT count(*) AS missing FROM (SELECT 1 {FROM_GAP} LIMIT {OPEN_CONFIRMATIONS}) AS found", int)

log = logs.get(__name__)


def window_seconds(p95_seconds: float) -> float:
    """How long a result may take before it is missing."""
    return max(LEAST_WINDOW_SECONDS, WINDOW_TIMES_P95 * p95_seconds)


def results_stopped(missing: int, seconds_since_last_result: float, window: float) -> bool:
    return missing >= OPEN_CONFIRMATIONS and seconds_since_last_result >= window


async def read_history(
    connection: Connection, org_id: UUID, destination_id: UUID | None = None
) -> ResultHistory | None:
    """Of the organization's default destination, or of this one; None: it has confirmed no delivery to its current Clay table."""
    return await HISTORY.one_or_none(connection, {"org_id": org_id, "destination_id": destination_id})


async def count_missing(connection: Connection, history: ResultHistory) -> int:
    return await COUNT.one(connection, _gap(history))


async def read_missing(
    connection: Connection, history: ResultHistory, *, after_seq: int = 0, limit: int
) -> Sequence[MissingResult]:
    """In the order of the log."""
    return await MISSING.rows(connection, {**_gap(history), "after_seq": after_seq, "limit": limit})


def _gap(history: ResultHistory) -> dict[str, object]:
    return {
        "org_id": history.org_id,
        "destination_id": history.destination_id,
        "table_epoch": history.table_epoch,
        "after": history.after,
        "window_seconds": history.window_seconds,
    }


async def check_destinations(connection: AsyncConnection) -> set[SuspectDestination]:
    """Mark every destination whose results have stopped, and clear the flag of the others. Returns the suspect ones."""
    suspect = set()
    for history in await HISTORY.rows(connection, {"org_id": None, "destination_id": None}):
        missing = await ENOUGH.one(connection, _gap(history))
        silent_seconds = (history.now - history.last_result_at).total_seconds()
        if results_stopped(missing, silent_seconds, history.window_seconds):
            suspect.add(SuspectDestination(history.org_id, history.destination_id))
    known = await read_all_suspect(connection)
    for each in sorted(suspect - known):
        if await mark_suspect(connection, each.org_id, each.id):
            log.warning("destination.results_stopped", org_id=str(each.org_id), destination_id=str(each.id))
    for each in sorted(known - suspect):
        if await clear_suspect(connection, each.org_id, each.id):
            log.info("destination.results_returned", org_id=str(each.org_id), destination_id=str(each.id))
    return suspect
