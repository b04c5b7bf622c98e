"""Claims due deliveries with a lease and a token, on the database's clock; marks them `sending` before any byte leaves.

Claimed is not sent. Every statement names the state it expects, so a lost claim (its lease expired, its job was cancelled,
its destination closed) matches no row.

The token fences one claim: each call of `claim` needs a new token. A statement of an earlier claim that is repeated or
arrives late matches no row, even if the same worker has claimed the delivery again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.leads.revision import Revision

# These statements never wait for a row. Transactions that hold one (a cancel, a closing destination, the sweep) lock the push
# job before its deliveries, the opposite order, and end or release the deliveries anyway.
CLAIM = """
WITH due AS (
    SELECT id FROM clay.clay_push_log
    WHERE job_id = :job_id AND state = 'waiting' AND due_at <= now() AND lost_claims {suspects}
    ORDER BY seq LIMIT :wanted FOR UPDATE SKIP LOCKED),
drained AS (
    UPDATE clay.push_jobs SET drained_at = now()
    WHERE id = (SELECT id FROM clay.push_jobs
                WHERE id = :job_id AND status IN ('pending', 'running') AND EXISTS (SELECT 1 FROM due)
                FOR NO KEY UPDATE SKIP LOCKED))
UPDATE clay.clay_push_log AS delivery
SET state = 'claimed', claim_token = :token, lease_until = now() + CAST(:lease AS interval)
FROM due WHERE delivery.id = due.id
RETURNING delivery.seq, delivery.id, delivery.contributor_id, delivery.attempts, delivery.revision, delivery.supersedes
"""


class ClaimedRow(NamedTuple):
    seq: int
    id: UUID
    contributor_id: UUID
    attempts: int
    revision: int | None
    supersedes: UUID | None


CLAIM_FRESH = Statement(CLAIM.format(suspects="= 0"), ClaimedRow)
CLAIM_SUSPECT = Statement(CLAIM.format(suspects="> 0"), ClaimedRow)

# Rows are found by id alone: with a condition on the state the planner may scan a partial index that holds everything ever
# claimed until it is vacuumed (5 ms per window instead of 2).
MARK_SENDING = Statement(
    """
WITH ours AS MATERIALIZED (
    SELECT id, state FROM clay.clay_push_log
    WHERE id = ANY(CAST(:ids AS uuid[])) AND claim_token = :token FOR UPDATE SKIP LOCKED)
UPDATE clay.clay_push_log AS delivery SET state = 'sending', lease_until = now() + CAST(:lease AS interval)
FROM ours WHERE delivery.id = ours.id AND ours.state = 'claimed'
RETURNING delivery.id
""",
    UUID,
)

RELEASE = Statement("""
WITH ours AS MATERIALIZED (
    SELECT id FROM clay.clay_push_log
    WHERE id = ANY(CAST(:ids AS uuid[])) AND claim_token = :token FOR UPDATE SKIP LOCKED)
UPDATE clay.clay_push_log AS delivery SET state = 'waiting', claim_token = NULL, lease_until = NULL
FROM ours WHERE delivery.id = ours.id
""")


class _NextDue(NamedTuple):
    seconds: Decimal | None


# One due delivery decides; only without one must all be read.
NEXT_DUE = Statement(
    """
SELECT CASE WHEN EXISTS (SELECT 1 FROM clay.clay_push_log WHERE job_id = :job_id AND state = 'waiting' AND due_at <= now())
            THEN 0.0
            ELSE (SELECT extract(epoch FROM min(due_at) - now()) FROM clay.clay_push_log
                  WHERE job_id = :job_id AND state = 'waiting') END AS seconds
""",
    _NextDue,
)


@dataclass(slots=True)
class Claimed:
    delivery_id: UUID
    lead_id: UUID
    attempts: int
    """POSTs made before, without those that use no attempt (429, a probe)."""
    token: UUID
    """The fence of this claim."""
    revision: Revision | None = None
    """None: the lead is sent for the first time, or without a revision."""


async def claim(
    connection: Connection, job_id: UUID, token: UUID, wanted: int, lease: timedelta, *, suspects: bool = False
) -> list[Claimed]:
    """Claim up to `wanted` due deliveries of one push job. `suspects`: only those that lost an earlier claim before sending.

    `token` must be new for every call: it fences these claims against all earlier ones of the same deliveries.
    """
    values = {"job_id": job_id, "token": token, "wanted": wanted, "lease": lease}
    rows = await (CLAIM_SUSPECT if suspects else CLAIM_FRESH).rows(connection, values)
    return [
        Claimed(row.id, row.contributor_id, row.attempts, token, Revision.of(row.revision, row.supersedes))
        for row in sorted(rows, key=attrgetter("seq"))
    ]


async def mark_sending(
    connection: Connection, token: UUID, delivery_ids: Sequence[UUID], lease: timedelta
) -> set[UUID]:
    """Mark claimed deliveries; if the worker dies now they become `unknown`. Returns the marked ones; only they may be sent."""
    return set(await MARK_SENDING.rows(connection, {"ids": delivery_ids, "token": token, "lease": lease}))


async def release(connection: Connection, token: UUID, delivery_ids: Sequence[UUID]) -> None:
    """Release deliveries that were claimed, or marked and certainly not sent."""
    await RELEASE.execute(connection, {"ids": delivery_ids, "token": token})


async def seconds_to_next_delivery(connection: Connection, job_id: UUID) -> float | None:
    """Seconds until the job's next waiting delivery is due (0: now); None: no delivery waits."""
    seconds = (await NEXT_DUE.one(connection, {"job_id": job_id})).seconds
    return None if seconds is None else float(seconds)
