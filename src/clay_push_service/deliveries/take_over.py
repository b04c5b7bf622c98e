"""Takes over what a dead worker had claimed, and proves suspects: deliveries that lost a claim before they were sent.

Building a lead's payload may kill the worker. A suspect is claimed alone and its payload is built; if the worker survives,
its lost claims are forgotten and it waits for its turn like any other. A delivery that kills a worker later, while it is sent,
ends as `unknown` and is not sent again.
"""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.deliveries.claim import Claimed
from clay_push_service.deliveries.claim_turns import ClaimedRow, ClaimedTurn

# The sweep returns them, and counts the lost claim. A worker that is alive all the same finds no row to mark.
EXPIRE = Statement("""
WITH held AS MATERIALIZED (
    SELECT delivery.id FROM clay.clay_push_log AS delivery
    JOIN clay.destinations AS destination
      ON destination.org_id = delivery.org_id AND destination.id = delivery.destination_id
    WHERE delivery.state = 'claimed' AND delivery.lease_until > now() AND destination.workspace_id = ANY(CAST(:workspaces AS uuid[]))
    FOR UPDATE OF delivery SKIP LOCKED)
UPDATE clay.clay_push_log AS delivery SET lease_until = now() - interval '1 millisecond' FROM held WHERE delivery.id = held.id
""")


# Those with the fewest lost claims first: most of them lost it because of another delivery.
CLAIM_SUSPECT = Statement(
    """
WITH suspect AS MATERIALIZED (
    SELECT delivery.id, job.destination_id, job.destination_version_id, job.mapping_version_id, job.turn_at,
           destination.workspace_id
    FROM clay.clay_push_log AS delivery
    JOIN clay.push_jobs AS job
      ON job.org_id = delivery.org_id AND job.id = delivery.job_id AND job.status = 'running' AND job.cancel_requested_at IS NULL
    JOIN clay.destinations AS destination ON destination.org_id = job.org_id AND destination.id = job.destination_id
    JOIN clay.destination_versions AS version
      ON version.org_id = job.org_id AND version.id = job.destination_version_id AND version.state = 'open'
    WHERE delivery.state = 'waiting' AND delivery.lost_claims > 0 AND delivery.due_at <= now()
      AND destination.workspace_id = ANY(CAST(:workspaces AS uuid[]))
    ORDER BY delivery.lost_claims, delivery.seq LIMIT 1 FOR UPDATE OF delivery SKIP LOCKED)
UPDATE clay.clay_push_log AS delivery
SET state = 'claimed', claim_token = :token, lease_until = now() + CAST(:lease AS interval)
FROM suspect WHERE delivery.id = suspect.id
RETURNING suspect.workspace_id, delivery.org_id, delivery.project_id, suspect.destination_id,
          suspect.destination_version_id AS version_id, delivery.job_id, suspect.turn_at AS waiting_since,
          delivery.id, delivery.contributor_id, delivery.attempts, delivery.revision, delivery.supersedes,
          suspect.mapping_version_id
""",
    ClaimedRow,
)
RESET_LOST_CLAIMS = Statement("""
WITH ours AS MATERIALIZED (
    SELECT id FROM clay.clay_push_log WHERE id = :id AND claim_token = :token FOR UPDATE SKIP LOCKED)
UPDATE clay.clay_push_log AS delivery SET state = 'waiting', lost_claims = 0, claim_token = NULL, lease_until = NULL
FROM ours WHERE delivery.id = ours.id
""")


async def expire_claims(connection: Connection, workspace_ids: Collection[UUID]) -> int:
    """End the leases of claims in adopted workspaces, so that the next sweep returns them. Returns their number."""
    return await EXPIRE.execute(connection, {"workspaces": list(workspace_ids)})


async def claim_suspect(
    connection: Connection, workspace_ids: Collection[UUID], token: UUID, lease: timedelta
) -> ClaimedTurn | None:
    """Claim one due delivery that lost a claim; None: these workspaces have none."""
    values = {"workspaces": list(workspace_ids), "token": token, "lease": lease}
    row = await CLAIM_SUSPECT.one_or_none(connection, values)
    return None if row is None else row.turn(token)


async def reset_lost_claims(connection: Connection, claimed: Claimed) -> None:
    """Release a suspect whose payload was built."""
    await RESET_LOST_CLAIMS.execute(connection, {"id": claimed.delivery_id, "token": claimed.token})
