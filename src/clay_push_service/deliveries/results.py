"""Writes results of deliveries: rows, counters, the destination's quota and health; one transaction for many results.

Fenced by the claim's token and attempt number: a result whose claim was lost changes nothing, and neither does one that is
written again because the response to its COMMIT was lost.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from clay_push_service import queue
from clay_push_service.clay.cause import EXPLANATIONS, MAYBE_SENT, Cause
from clay_push_service.clay.outcome import Outcome, Streaks, Verdict
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.cause_counts import WITHOUT_SUCCESS, EndedDelivery, count_by_cause
from clay_push_service.deliveries.destination_health import Health
from clay_push_service.destinations.quota import add_submissions
from clay_push_service.destinations.read_health import read_health
from clay_push_service.destinations.state import count_accepted, lock_health, update_health
from clay_push_service.states import DeliveryState, DeliveryStatus, DestinationState

STATUS_AFTER = {
    Verdict.SUCCESS: DeliveryStatus.SUCCESS,
    Verdict.FAILED: DeliveryStatus.FAILED,
    Verdict.RETRY: DeliveryStatus.PENDING,
    Verdict.WAIT: DeliveryStatus.PENDING,
}
# The values that many results share are sent once, as a kind: nearly always all results are of one kind.
WRITE = Statement(
    """
UPDATE clay.clay_push_log AS delivery
SET status = kind.status, state = kind.state, cause = kind.cause,
    uncertain_attempts = delivery.uncertain_attempts + kind.uncertain,
    error_message = kind.message || CASE
        WHEN kind.state = 'done' AND kind.cause <> 'unknown' AND delivery.uncertain_attempts + kind.uncertain > 0
        THEN ' ' || CAST(:maybe_sent AS text) ELSE '' END,
    clay_response_status = kind.response, attempts = delivery.attempts + kind.attempted,
    due_at = now() + kind.delay * interval '1 second',
    duration_ms = coalesce(result.duration_ms, delivery.duration_ms),
    payload_hash = CASE WHEN num_nonnulls(delivery.username, delivery.full_name) > 0  -- not erased meanwhile
                        THEN coalesce(result.payload_hash, delivery.payload_hash) END,
    pushed_at = CASE WHEN kind.status = 'success' THEN now() END,
    finished_at = CASE WHEN kind.state = 'done' THEN now() END,
    lost_claims = 0, claim_token = NULL, lease_until = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS integer[]), CAST(:durations AS integer[]), CAST(:hashes AS bytea[]))
     AS result (id, kind, duration_ms, payload_hash)
JOIN unnest(CAST(:tokens AS uuid[]), CAST(:earlier AS integer[]), CAST(:statuses AS text[]), CAST(:states AS text[]), CAST(:causes AS text[]),
            CAST(:messages AS text[]), CAST(:responses AS integer[]), CAST(:attempted AS integer[]),
            CAST(:delays AS double precision[]), CAST(:uncertain AS integer[]))
     WITH ORDINALITY
     AS kind (token, earlier, status, state, cause, message, response, attempted, delay, uncertain, number)
     ON kind.number = result.kind
WHERE delivery.id = result.id AND delivery.claim_token = kind.token AND delivery.attempts = kind.earlier
RETURNING delivery.id
""",
    UUID,
)


@dataclass(slots=True)
class Result:
    """The result of one claimed delivery. `delay_seconds`: until it is due again, if it is not done."""

    delivery_id: UUID
    job_id: UUID
    version_id: UUID
    claim_token: UUID
    outcome: Outcome
    delay_seconds: float = 0.0
    attempts: int = 0
    """POSTs made before this one, as the claim counted them."""
    duration_ms: int | None = None
    late_seconds: float | None = None
    """From the slot to the first byte sent; None: no slot, or no byte was sent."""
    payload_hash: bytes | None = None
    detail: str | None = None
    """Replaces the cause's message; never holds a URL, a token or the lead's data."""
    sent: bool = True
    """False: there was no POST, so the result does not affect the destination's health."""

    def kind(self, *, cancelled: bool) -> "_Kind":
        """`cancelled`: the push job is cancelled, so the delivery ends instead of waiting for another attempt."""
        outcome = self.outcome
        cause, detail, delay = outcome.cause, self.detail, self.delay_seconds
        # An excluded lead was not sent by the organization's own choice: nothing failed.
        status = DeliveryStatus.SKIPPED if cause is Cause.EXCLUDED else STATUS_AFTER[outcome.verdict]
        if status is DeliveryStatus.PENDING and cancelled:
            status, cause, detail, delay = DeliveryStatus.SKIPPED, Cause.CANCELLED, None, 0.0
        return _Kind(
            self.claim_token, self.attempts, status, cause, detail, outcome.status,
            int(self.sent and outcome.uses_attempt), delay, int(self.sent and outcome.is_uncertain),
        )  # fmt: skip


class _Kind(NamedTuple):
    """The values of WRITE that many results share."""

    token: UUID
    earlier_attempts: int
    status: DeliveryStatus
    cause: Cause | None
    detail: str | None
    response_status: int | None
    added_attempts: int
    delay_seconds: float
    added_uncertain: int


@dataclass(frozen=True, slots=True)
class RecordedResults:
    """`written`: the results that were written, with their status; the others had lost their claim."""

    written: list[tuple[Result, DeliveryStatus]]
    closed: Mapping[UUID, Cause]
    """Versions of destinations that these results have closed. The caller ends what is queued for them in another
    transaction: in this one it would wait for other jobs' rows while it holds the version that others wait for."""


async def record(connection: Connection, results: Sequence[Result], probe_seconds: float) -> RecordedResults:
    """Write results, oldest first."""
    if not results:
        return RecordedResults([], {})
    cancelled = await counters.lock_jobs(connection, {result.job_id for result in results})
    kind_of_result = [result.kind(cancelled=result.job_id in cancelled) for result in results]
    number_of_kind: dict[_Kind, int] = {}
    numbers = [number_of_kind.setdefault(kind, len(number_of_kind) + 1) for kind in kind_of_result]
    ids = await _write(connection, results, numbers, list(number_of_kind))
    written = [
        (result, kind) for result, kind in zip(results, kind_of_result, strict=True) if result.delivery_id in ids
    ]
    await _add_to_counters(connection, written)
    await _wake_waiting_jobs(connection, written)
    closed = await _update_destinations(connection, [each for each, _ in written if each.sent], probe_seconds)
    return RecordedResults([(result, kind.status) for result, kind in written], closed)


async def _add_to_counters(connection: Connection, written: Sequence[tuple[Result, _Kind]]) -> None:
    ended = [
        EndedDelivery(result.delivery_id, result.job_id, kind.status, kind.cause)
        for result, kind in written
        if kind.cause and kind.status in WITHOUT_SUCCESS
    ]
    counts: defaultdict[UUID, counters.Counts] = defaultdict(counters.Counts)
    for job_id, causes in (await count_by_cause(connection, ended)).items():
        counts[job_id].causes = causes
    for result, kind in written:
        counted = counts[result.job_id]
        counted.success += kind.status is DeliveryStatus.SUCCESS
        counted.skipped += kind.status is DeliveryStatus.SKIPPED
        if kind.status is DeliveryStatus.FAILED:
            counted.failed += 1
            counted.unknown += result.outcome.cause is Cause.UNKNOWN
    await counters.add_pages(connection, Counter(result.job_id for result, _ in written if result.outcome.is_page))
    await counters.add(connection, counts)


async def _wake_waiting_jobs(connection: Connection, written: Sequence[tuple[Result, _Kind]]) -> None:
    """Every delivery that waits needs a wake-up: the slice that sent it may have ended, and the next one too."""
    due: dict[UUID, float] = {}
    for result, kind in written:
        if kind.status is DeliveryStatus.PENDING:
            seconds = max(result.delay_seconds, result.outcome.retry_after_seconds or 0.0)
            due[result.job_id] = min(due.get(result.job_id, seconds), seconds)
    for job_id, seconds in due.items():
        await queue.wake(connection, job_id, delay_seconds=seconds)


async def _write(
    connection: Connection, results: Sequence[Result], numbers: Sequence[int], kinds: Sequence[_Kind]
) -> set[UUID]:
    tokens, earlier_attempts, statuses, causes, details, response_statuses, attempts, delays, uncertain = zip(
        *kinds, strict=True
    )
    rows = await WRITE.rows(
        connection,
        {
            "ids": [result.delivery_id for result in results],
            "kinds": numbers,
            "durations": [result.duration_ms for result in results],
            "hashes": [result.payload_hash for result in results],
            "tokens": tokens,
            "earlier": earlier_attempts,
            "statuses": statuses,
            "states": [
                DeliveryState.WAITING if status is DeliveryStatus.PENDING else DeliveryState.DONE for status in statuses
            ],
            "causes": causes,
            "messages": [
                detail or (EXPLANATIONS[cause].message if cause else None)
                for cause, detail in zip(causes, details, strict=True)
            ],
            "responses": response_statuses,
            "attempted": attempts,
            "delays": delays,
            "uncertain": uncertain,
            "maybe_sent": MAYBE_SENT,
        },
    )
    return set(rows)


async def _update_destinations(
    connection: Connection, sent: Sequence[Result], probe_seconds: float
) -> dict[UUID, Cause]:
    """Update quota and health. Returns the versions that were closed, with the cause."""
    outcomes: defaultdict[UUID, list[Outcome]] = defaultdict(list)
    for result in sent:
        outcomes[result.version_id].append(result.outcome)
    closed: dict[UUID, Cause] = {}
    if not outcomes:
        return closed
    if len(outcomes) == 1 and all(outcome.resets_streaks for outcome in next(iter(outcomes.values()))):
        [(version_id, accepted)] = outcomes.items()
        if await count_accepted(connection, version_id, sum(outcome.submissions for outcome in accepted)):
            return closed
    # Nearly always Clay accepted every lead of an open version without streaks, so that nothing of it changes.
    unchanged = {
        stored.id
        for stored in await read_health(connection, outcomes)
        if (stored.state, stored.refusals, stored.outages) == (DestinationState.OPEN, 0, 0)
        and all(outcome.resets_streaks for outcome in outcomes[stored.id])
    }
    changing = outcomes.keys() - unchanged
    for stored in await lock_health(connection, changing) if changing else ():
        before = Health(
            DestinationState(stored.state),
            Streaks(stored.refusals, stored.outages),
            Cause(stored.state_reason) if stored.state_reason else None,
        )
        after = before.after(outcomes[stored.id])
        changed = stored._replace(
            state=after.state, state_reason=after.reason, refusals=after.streaks.refusals, outages=after.streaks.outages
        )
        await update_health(connection, changed, probe_seconds)
        if after.state is DestinationState.CLOSED is not before.state and after.reason is not None:
            closed[stored.id] = after.reason
        if after.state is DestinationState.OPEN is not before.state:
            await queue.wake_live(connection, stored.org_id)
    submissions = {
        version_id: sum(each.submissions for each in of_version) for version_id, of_version in outcomes.items()
    }
    await add_submissions(connection, submissions)
    return closed
