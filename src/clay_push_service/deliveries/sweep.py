"""The sweep: repairs what a dead, frozen or cut-off worker left: expired leases, lost wake-ups, stuck queue jobs.

Every worker sweeps, one at a time. All times are of the database's clock.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics, queue
from clay_push_service.clay.cause import EXPLANATIONS, MAYBE_SENT, Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.cause_counts import EndedAs
from clay_push_service.destinations.quota import add_submissions_of_jobs
from clay_push_service.states import DeliveryStatus

LOST_CLAIMS_TO_POISON = 4
"""The first loss may be caused by another lead of the batch; after it a lead is tried alone, three times."""
IDLE_SECONDS = 10
"""A live push job with due leads has lost its wake-up if no slice ran for this long and none is queued."""
SOON_SECONDS = 60
"""A wake-up queued within this time counts (an outage's probe, for example). A later one may belong to a wait that has ended
because the webhook or the pace was changed."""
STUCK_SECONDS = 300
"""A slice lasts 30 s at most; a queue job in state `doing` for this long has lost its worker."""
LOGGED_IDS = 100
"""Delivery ids in one log line; a worker has at most a window of them in flight per push job."""

ONE_AT_A_TIME = Statement("SELECT pg_try_advisory_xact_lock(hashtext('clay_push_sweep'))", bool)
EXPIRED = Statement(
    """
SELECT DISTINCT job_id FROM clay.clay_push_log WHERE state IN ('sending', 'claimed') AND lease_until < now()
""",
    UUID,
)


class _EndedDelivery(NamedTuple):
    id: UUID
    job_id: UUID


UNKNOWN = Statement(
    """
UPDATE clay.clay_push_log
SET status = 'failed', state = 'done', cause = 'unknown', error_message = :message, attempts = attempts + 1,
    uncertain_attempts = uncertain_attempts + 1, claim_token = NULL, lease_until = NULL, finished_at = now()
WHERE job_id = ANY(CAST(:job_ids AS uuid[])) AND state = 'sending' AND lease_until < now()
RETURNING id, job_id
""",
    _EndedDelivery,
)


class _ReturnedDelivery(NamedTuple):
    id: UUID
    job_id: UUID
    status: str
    is_unsure: bool


RETURNED = Statement(
    """
UPDATE clay.clay_push_log
SET state = CASE WHEN lost_claims + 1 >= :poison THEN 'done' ELSE 'waiting' END,
    status = CASE WHEN lost_claims + 1 >= :poison THEN 'failed' ELSE 'pending' END,
    cause = CASE WHEN lost_claims + 1 >= :poison THEN 'poison' ELSE cause END,
    error_message = CASE WHEN lost_claims + 1 < :poison THEN error_message
                         WHEN uncertain_attempts > 0 THEN concat_ws(' ', CAST(:message AS text), CAST(:maybe_sent AS text))
                         ELSE :message END,
    finished_at = CASE WHEN lost_claims + 1 >= :poison THEN now() END,
    lost_claims = lost_claims + 1, claim_token = NULL, lease_until = NULL
WHERE job_id = ANY(CAST(:job_ids AS uuid[])) AND state = 'claimed' AND lease_until < now()
RETURNING id, job_id, status, uncertain_attempts > 0 AS is_unsure
""",
    _ReturnedDelivery,
)
# A worker serves its workspace and claims its leads, or the pace pauses: one wake-up is queued for the end of the pause.
WAITS_FOR_ITS_TURN = """(job.status = 'running' AND job.cancel_requested_at IS NULL AND EXISTS (
    SELECT 1 FROM clay.destinations AS destination
    JOIN clay.workspaces AS workspace
      ON workspace.org_id = destination.org_id AND workspace.id = destination.workspace_id
    JOIN clay.destination_versions AS version
      ON version.org_id = job.org_id AND version.id = job.destination_version_id AND version.state = 'open'
    WHERE destination.org_id = job.org_id AND destination.id = job.destination_id
      AND (workspace.served_until > now() OR workspace.next_slot_at > now() + interval '2 seconds')))"""
IDLE = Statement(
    f"""
SELECT id FROM clay.push_jobs AS job
WHERE status IN ('pending', 'running') AND coalesce(drained_at, created_at) < now() - :idle * interval '1 second'
  AND EXISTS (SELECT 1 FROM clay.clay_push_log WHERE job_id = job.id AND state = 'waiting' AND due_at <= now())
  AND NOT EXISTS (SELECT 1 FROM clay.procrastinate_jobs
                  WHERE status = 'todo' AND task_name = '{queue.DRAIN}' AND args ->> 'job_id' = CAST(job.id AS text)
                    AND (scheduled_at IS NULL OR scheduled_at <= now() + :soon * interval '1 second'))
  AND NOT {WAITS_FOR_ITS_TURN}
""",
    UUID,
)
STUCK = Statement(
    f"""
DELETE FROM clay.procrastinate_jobs AS job
WHERE status = 'doing' AND task_name = '{queue.DRAIN}'
  AND NOT EXISTS (SELECT 1 FROM clay.procrastinate_events AS event
                  WHERE event.job_id = job.id AND event.at > now() - :stuck * interval '1 second')
RETURNING id
""",
    int,
)
OLD_KEYS = Statement("DELETE FROM clay.idempotency_keys WHERE created_at < now() - interval '24 hours'")
OLD_WORKERS = Statement("DELETE FROM clay.workers WHERE seen_at < now() - interval '1 hour'")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class SweepCounts:
    unknown: int = 0
    returned: int = 0
    poison: int = 0
    woken: int = 0
    stuck: int = 0

    def __bool__(self) -> bool:
        return any((self.unknown, self.returned, self.poison, self.woken, self.stuck))


async def sweep(connection: AsyncConnection, *, idle_seconds: float = IDLE_SECONDS) -> SweepCounts:
    """Run one sweep, in one transaction; does nothing while another worker sweeps."""
    if not await ONE_AT_A_TIME.one(connection):
        return SweepCounts()
    counts: defaultdict[UUID, counters.Counts] = defaultdict(counters.Counts)
    expired = await EXPIRED.rows(connection)
    await counters.lock_jobs(connection, expired)
    lost = await _end_unknown(connection, expired, counts)
    posts = {job_id: each.unknown for job_id, each in counts.items()}
    returned, poison = await _return_claimed(connection, expired, counts)
    await counters.add(connection, counts)
    await add_submissions_of_jobs(connection, posts)
    idle = await IDLE.rows(connection, {"idle": idle_seconds, "soon": SOON_SECONDS})
    wakes = {row.job_id for row in returned} | set(idle)
    for job_id in wakes:
        await queue.wake(connection, job_id)
    stuck = await STUCK.rows(connection, {"stuck": STUCK_SECONDS})
    await OLD_KEYS.execute(connection)
    await OLD_WORKERS.execute(connection)
    swept = SweepCounts(len(lost), len(returned) - len(poison), len(poison), len(wakes), len(stuck))
    _report(swept)
    _log_ids("sweep.unknown", lost)
    _log_ids("sweep.poison", poison)
    return swept


async def _end_unknown(
    connection: AsyncConnection, job_ids: Sequence[UUID], counts: defaultdict[UUID, counters.Counts]
) -> Sequence[_EndedDelivery]:
    """End deliveries whose worker was lost after they were marked `sending`; add them to `counts`."""
    lost = await UNKNOWN.rows(connection, {"job_ids": job_ids, "message": EXPLANATIONS[Cause.UNKNOWN].message})
    for row in lost:
        counts[row.job_id].failed += 1
        counts[row.job_id].unknown += 1
        counts[row.job_id].causes[EndedAs(DeliveryStatus.FAILED, Cause.UNKNOWN, is_unsure=True)] += 1
    return lost


async def _return_claimed(
    connection: AsyncConnection, job_ids: Sequence[UUID], counts: defaultdict[UUID, counters.Counts]
) -> tuple[Sequence[_ReturnedDelivery], Sequence[_ReturnedDelivery]]:
    """Return expired claims to the queue. Also returns those that failed as `poison`, and adds them to `counts`."""
    values = {
        "job_ids": job_ids,
        "poison": LOST_CLAIMS_TO_POISON,
        "message": EXPLANATIONS[Cause.POISON].message,
        "maybe_sent": MAYBE_SENT,
    }
    returned = await RETURNED.rows(connection, values)
    poison = [row for row in returned if row.status == "failed"]
    for delivery in poison:
        counts[delivery.job_id].failed += 1
        counts[delivery.job_id].causes[EndedAs(DeliveryStatus.FAILED, Cause.POISON, delivery.is_unsure)] += 1
    return returned, poison


def _report(swept: SweepCounts) -> None:
    for kind in ("unknown", "returned", "poison", "woken", "stuck"):
        metrics.SWEPT.labels(kind=kind).inc(getattr(swept, kind))
    if swept:
        log.warning("sweep.repaired", unknown=swept.unknown, returned=swept.returned, poison=swept.poison,
                    woken=swept.woken, stuck=swept.stuck)  # fmt: skip


def _log_ids(event: str, rows: Sequence[_EndedDelivery | _ReturnedDelivery]) -> None:
    """Log which deliveries are not sent again: one line per push job, with the ids that its page and its CSV show."""
    by_job: defaultdict[UUID, list[str]] = defaultdict(list)
    for row in rows:
        by_job[row.job_id].append(str(row.id))
    for job_id, ids in by_job.items():
        log.warning(event, job_id=str(job_id), leads=len(ids), delivery_ids=ids[:LOGGED_IDS])
