"""Writes what became of deliveries: rows, counters, the destination's fuel and health, one transaction for many results.

Fenced by the claim token: a result whose claim was lost changes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.deliveries.cause import EXPLANATIONS, Cause
from clay_push_service.deliveries.health import Health
from clay_push_service.deliveries.outcome import Outcome, Streaks, Verdict
from clay_push_service.models import DeliveryState, DeliveryStatus, DestinationState
from clay_push_service.push_jobs import tally
from clay_push_service.push_jobs.end_queued import end_queued_of_version

WRITE = text("""
UPDATE clay.clay_push_log AS delivery
SET status = result.status, state = result.state, cause = result.cause, error_message = result.message,
    clay_response_status = coalesce(result.response, delivery.clay_response_status),
    attempts = delivery.attempts + result.attempted, due_at = now() + result.delay * interval '1 second',
    duration_ms = coalesce(result.duration_ms, delivery.duration_ms),
    payload_hash = coalesce(result.payload_hash, delivery.payload_hash),
    pushed_at = CASE WHEN result.status = 'success' THEN now() END,
    finished_at = CASE WHEN result.state = 'done' THEN now() END,
    lost_claims = 0, claim_token = NULL, lease_until = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS uuid[]), CAST(:statuses AS text[]), CAST(:states AS text[]),
            CAST(:causes AS text[]), CAST(:messages AS text[]), CAST(:responses AS integer[]),
            CAST(:attempted AS integer[]), CAST(:delays AS double precision[]), CAST(:durations AS integer[]),
            CAST(:hashes AS bytea[]))
     AS result (id, token, status, state, cause, message, response, attempted, delay, duration_ms, payload_hash)
WHERE delivery.id = result.id AND delivery.claim_token = result.token
RETURNING delivery.id
""")
# Nearly always: everything was taken, and the destination is open and stays so.
ALL_TAKEN = text("""
UPDATE clay.destination_versions SET fuel_used = fuel_used + :fuel, refusals = 0, outages = 0
WHERE id = :id AND state = 'open' RETURNING id
""")
LOCK_VERSIONS = text("""
SELECT id, state, state_reason, refusals, outages FROM clay.destination_versions
WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
""")
UPDATE_VERSION = text("""
UPDATE clay.destination_versions
SET fuel_used = fuel_used + :fuel, refusals = :refusals, outages = :outages, state = :state, state_reason = :reason,
    state_since = CASE WHEN state = :state THEN state_since ELSE now() END,
    probe_at = CASE WHEN :state = 'waiting'
                    THEN coalesce(probe_at, now() + :probe_seconds * interval '1 second') END
WHERE id = :id
""")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one claimed delivery. `delay_seconds`: when it is due again, if it is not done."""

    delivery_id: UUID
    job_id: UUID
    version_id: UUID
    claim_token: UUID
    outcome: Outcome
    delay_seconds: float = 0.0
    duration_ms: int | None = None
    payload_hash: bytes | None = None
    detail: str | None = None
    """Said instead of the cause's own sentence; never holds a URL, a token or the lead's data."""
    sent: bool = True
    """False: it never came to a POST, so it says nothing of the destination's health."""

    @property
    def status(self) -> DeliveryStatus:
        match self.outcome.verdict:
            case Verdict.SUCCESS:
                return DeliveryStatus.SUCCESS
            case Verdict.FAILED:
                return DeliveryStatus.FAILED
            case Verdict.RETRY | Verdict.WAIT:
                return DeliveryStatus.PENDING

    @property
    def message(self) -> str | None:
        cause = self.outcome.cause
        return self.detail or (EXPLANATIONS[cause].message if cause else None)


async def record(connection: AsyncConnection, results: Sequence[Result], probe_seconds: float) -> list[Result]:
    """Write results, oldest first. Returns those that held: the others had lost their claim."""
    statuses = [result.status for result in results]
    rows = await connection.execute(
        WRITE,
        {
            "ids": [result.delivery_id for result in results],
            "tokens": [result.claim_token for result in results],
            "statuses": statuses,
            "states": [
                DeliveryState.WAITING if status is DeliveryStatus.PENDING else DeliveryState.DONE for status in statuses
            ],
            "causes": [result.outcome.cause for result in results],
            "messages": [result.message for result in results],
            "responses": [result.outcome.status for result in results],
            "attempted": [int(result.sent and result.outcome.uses_attempt) for result in results],
            "delays": [result.delay_seconds for result in results],
            "durations": [result.duration_ms for result in results],
            "hashes": [result.payload_hash for result in results],
        },
    )
    written = {row.id for row in rows}
    held = [result for result in results if result.delivery_id in written]
    tallies: defaultdict[UUID, tally.Tally] = defaultdict(tally.Tally)
    for result in held:
        counted = tallies[result.job_id]
        match result.status:
            case DeliveryStatus.SUCCESS:
                counted.success += 1
            case DeliveryStatus.FAILED:
                counted.failed += 1
                counted.unknown += result.outcome.cause is Cause.UNKNOWN
            case _:
                pass
    await tally.add(connection, tallies)
    await _move_destinations(connection, [result for result in held if result.sent], probe_seconds)
    return held


async def _move_destinations(connection: AsyncConnection, sent: Sequence[Result], probe_seconds: float) -> None:
    outcomes: defaultdict[UUID, list[Outcome]] = defaultdict(list)
    for result in sent:
        outcomes[result.version_id].append(result.outcome)
    if not outcomes:
        return
    if len(outcomes) == 1 and all(outcome.resets_streaks for outcome in next(iter(outcomes.values()))):
        [(version_id, taken)] = outcomes.items()
        values = {"id": version_id, "fuel": sum(outcome.fuel for outcome in taken)}
        if (await connection.execute(ALL_TAKEN, values)).one_or_none() is not None:
            return
    for row in (await connection.execute(LOCK_VERSIONS, {"ids": sorted(outcomes)})).all():
        before = Health(
            DestinationState(row.state),
            Streaks(row.refusals, row.outages),
            Cause(row.state_reason) if row.state_reason else None,
        )
        after = before.after(outcomes[row.id])
        await connection.execute(
            UPDATE_VERSION,
            {
                "id": row.id,
                "fuel": sum(outcome.fuel for outcome in outcomes[row.id]),
                "refusals": after.streaks.refusals,
                "outages": after.streaks.outages,
                "state": after.state,
                "reason": after.reason,
                "probe_seconds": probe_seconds,
            },
        )
        if after.state is DestinationState.CLOSED is not before.state and after.reason is not None:
            await end_queued_of_version(connection, row.id, after.reason)
