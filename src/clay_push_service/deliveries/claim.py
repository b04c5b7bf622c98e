"""Claims on due deliveries: taken with a lease and a token on the database's clock, marked `sending` before any byte leaves.

Claimed is not sent. Every statement names the state it expects, so a claim that was lost (its lease expired, its job was
cancelled, its destination closed) simply finds no row.

The token is the fence of one claim: each call of `claim` needs a token of its own. A statement of an earlier claim that is
repeated or arrives late matches no row, even when the same worker has claimed the lead again.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement

# Nothing here waits for a row: whoever holds one just now (a cancel, a closing destination, the sweep) locks the push job
# first and the deliveries after it, which is the other way round, and ends or returns them anyway.
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
RETURNING delivery.seq, delivery.id, delivery.contributor_id, delivery.attempts
"""
CLAIM_FRESH = Statement(CLAIM.format(suspects="= 0"))
CLAIM_SUSPECT = Statement(CLAIM.format(suspects="> 0"))

# What is still ours is found by id alone: a condition on the state would let the planner go through a partial index with
# everything that ever was claimed, until it is vacuumed (5 ms a window instead of 2).
MARK_SENDING = Statement("""
WITH ours AS MATERIALIZED (
    SELECT id, state FROM clay.clay_push_log
    WHERE id = ANY(CAST(:ids AS uuid[])) AND claim_token = :token FOR UPDATE SKIP LOCKED)
UPDATE clay.clay_push_log AS delivery SET state = 'sending', lease_until = now() + CAST(:lease AS interval)
FROM ours WHERE delivery.id = ours.id AND ours.state = 'claimed'
RETURNING delivery.id
""")

RELEASE = Statement("""
WITH ours AS MATERIALIZED (
    SELECT id FROM clay.clay_push_log
    WHERE id = ANY(CAST(:ids AS uuid[])) AND claim_token = :token FOR UPDATE SKIP LOCKED)
UPDATE clay.clay_push_log AS delivery SET state = 'waiting', claim_token = NULL, lease_until = NULL
FROM ours WHERE delivery.id = ours.id
""")

# The first that is due is enough; only where none is do all have to be looked at.
NEXT_DUE = Statement("""
SELECT CASE WHEN EXISTS (SELECT 1 FROM clay.clay_push_log WHERE job_id = :job_id AND state = 'waiting' AND due_at <= now())
            THEN 0.0
            ELSE (SELECT extract(epoch FROM min(due_at) - now()) FROM clay.clay_push_log
                  WHERE job_id = :job_id AND state = 'waiting') END
""")


@dataclass(slots=True)
class Claimed:
    delivery_id: UUID
    lead_id: UUID
    attempts: int
    """POSTs made before, without those that only waited (429, a probe)."""
    token: UUID
    """The fence of this claim."""


async def claim(
    connection: Connection, job_id: UUID, token: UUID, wanted: int, lease: timedelta, *, suspects: bool = False
) -> list[Claimed]:
    """Claim up to `wanted` due deliveries of one push job; `suspects`: those whose claim was lost before it was sent.

    `token` must be new for every call: it fences these claims against all earlier ones of the same leads.
    """
    values = {"job_id": job_id, "token": token, "wanted": wanted, "lease": lease}
    rows = await (CLAIM_SUSPECT if suspects else CLAIM_FRESH).rows(connection, values)
    return [
        Claimed(delivery_id, lead_id, attempts, token)
        for _, delivery_id, lead_id, attempts in sorted(rows, key=operator.itemgetter(0))
    ]


async def mark_sending(
    connection: Connection, token: UUID, delivery_ids: Sequence[UUID], lease: timedelta
) -> set[UUID]:
    """From here on a dead worker's row becomes `unknown`. Returns those still ours; only they may be sent."""
    marked = await MARK_SENDING.rows(connection, {"ids": delivery_ids, "token": token, "lease": lease})
    return {delivery_id for (delivery_id,) in marked}


async def release(connection: Connection, token: UUID, delivery_ids: Sequence[UUID]) -> None:
    """Give back what was claimed, or marked and surely not sent."""
    await RELEASE.rows(connection, {"ids": delivery_ids, "token": token})


async def seconds_to_next(connection: Connection, job_id: UUID) -> float | None:
    """When the job's next waiting delivery is due, in seconds from now (0: it is); None: nothing waits."""
    [[seconds]] = await NEXT_DUE.rows(connection, {"job_id": job_id})
    return None if seconds is None else float(seconds)
