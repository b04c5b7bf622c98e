"""Confirms deliveries: a result from Clay names a delivery, so its row exists in Clay. Settles those of uncertain outcome.

Two steps, because a result may arrive while its delivery is still `sending`: `mark` records the time, and `settle` turns what is
not in flight into a success. `settle` runs again and again, so a delivery that ends as `unknown` later is settled then.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clay_push_service import logs
from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.cause_counts import EndedAs
from clay_push_service.destinations.quota import add_submissions_of_jobs
from clay_push_service.states import DeliveryStatus

BATCH = 500


class NamedDelivery(NamedTuple):
    id: UUID
    job_id: UUID
    contributor_id: UUID
    is_confirmed: bool


FIND = Statement(
    """
SELECT id, job_id, contributor_id, confirmed_at IS NOT NULL AS is_confirmed FROM clay.clay_push_log
WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[]))
""",
    NamedDelivery,
)
# Only deliveries of which Clay can have a row: accepted, in flight, or with an attempt of uncertain outcome.
MARK = Statement(
    """
UPDATE clay.clay_push_log AS delivery SET confirmed_at = named.at
FROM (SELECT log.id, each.at FROM clay.clay_push_log AS log
      JOIN unnest(CAST(:ids AS uuid[]), CAST(:times AS timestamptz[])) AS each (id, at) ON each.id = log.id
      WHERE log.org_id = :org_id AND log.confirmed_at IS NULL ORDER BY log.id FOR NO KEY UPDATE OF log) AS named
WHERE delivery.org_id = :org_id AND delivery.id = named.id
  AND (delivery.status = 'success' OR delivery.state = 'sending' OR delivery.uncertain_attempts > 0
       OR delivery.cause = 'unknown')
RETURNING delivery.id
""",
    UUID,
)
UNSETTLED = Statement(
    """
SELECT DISTINCT job_id FROM clay.clay_push_log
WHERE org_id = :org_id AND confirmed_at IS NOT NULL AND status <> 'success' AND state <> 'sending' LIMIT :rows
""",
    UUID,
)


ORGANIZATIONS = Statement(
    """
SELECT DISTINCT org_id FROM clay.clay_push_log
WHERE confirmed_at IS NOT NULL AND status <> 'success' AND state <> 'sending'
""",
    UUID,
)


class _Settled(NamedTuple):
    id: UUID
    job_id: UUID
    status: str
    cause: str | None
    is_unsure: bool


# A delivery that waits for another attempt ends here, too: Clay has it, so it is not sent again. `pushed_at` is the time of the
# confirmation, because the time of the accepted POST is not known.
SETTLE = Statement(
    """
WITH before AS (
    SELECT id, status, cause FROM clay.clay_push_log
    WHERE org_id = :org_id AND job_id = ANY(CAST(:job_ids AS uuid[])) AND confirmed_at IS NOT NULL
      AND status <> 'success' AND state <> 'sending'
    ORDER BY id FOR UPDATE)
UPDATE clay.clay_push_log AS delivery
SET status = 'success', state = 'done', cause = NULL, error_message = NULL, claim_token = NULL, lease_until = NULL,
    pushed_at = delivery.confirmed_at, finished_at = coalesce(delivery.finished_at, now())
FROM before WHERE delivery.org_id = :org_id AND delivery.id = before.id
RETURNING delivery.id, delivery.job_id, CAST(before.status AS text) AS status, before.cause,
          delivery.uncertain_attempts > 0 AS is_unsure
""",
    _Settled,
)

log = logs.get(__name__)


async def find(connection: Connection, org_id: UUID, delivery_ids: Collection[UUID]) -> dict[UUID, NamedDelivery]:
    """Those of `delivery_ids` that are deliveries of the organization."""
    rows = await FIND.rows(connection, {"org_id": org_id, "ids": list(delivery_ids)}) if delivery_ids else ()
    return {row.id: row for row in rows}


async def mark(
    connection: Connection, org_id: UUID, named: Collection[NamedDelivery], times: Mapping[UUID, datetime]
) -> set[UUID]:
    """Record the first result of each delivery. Returns those that were not confirmed before. Locks their push jobs."""
    new = [each for each in named if not each.is_confirmed]
    if not new:
        return set()
    await counters.lock_jobs(connection, {each.job_id for each in new})
    values = {"org_id": org_id, "ids": [each.id for each in new], "times": [times[each.id] for each in new]}
    return set(await MARK.rows(connection, values))


async def organizations_unsettled(connection: Connection) -> list[UUID]:
    """The organizations with confirmed deliveries that are neither successes nor in flight."""
    return list(await ORGANIZATIONS.rows(connection))


async def settle(connection: Connection, org_id: UUID) -> int:
    """Turn confirmed deliveries that are not in flight into successes, with their jobs' counters. Returns their number."""
    job_ids = await UNSETTLED.rows(connection, {"org_id": org_id, "rows": BATCH})
    if not job_ids:
        return 0
    await counters.lock_jobs(connection, job_ids)
    settled = await SETTLE.rows(connection, {"org_id": org_id, "job_ids": job_ids})
    counts: defaultdict[UUID, counters.Counts] = defaultdict(counters.Counts)
    uncounted: Counter[UUID] = Counter()
    for row in settled:
        counted = counts[row.job_id]
        counted.success += 1
        counted.failed -= row.status == "failed"
        counted.skipped -= row.status == "skipped"
        counted.unknown -= row.cause == Cause.UNKNOWN and row.status == "failed"
        if row.cause is not None and row.status != DeliveryStatus.PENDING:
            cause = Cause(row.cause)
            counted.causes[EndedAs(DeliveryStatus(row.status), cause, row.is_unsure or cause is Cause.UNKNOWN)] -= 1
        uncounted[row.job_id] += row.cause != Cause.UNKNOWN  # the quota counts an unknown delivery as a submission
    await counters.settle(connection, counts)
    await add_submissions_of_jobs(connection, uncounted)
    if settled:
        log.info("deliveries.settled", org_id=str(org_id), leads=len(settled))
    return len(settled)
