"""Claims due deliveries of many workspaces in one statement, by turns, and marks them `sending` in one; see `claim` for the rules.

Within a workspace its destinations take turns, and within a destination its running push jobs do: the job whose last turn is
the oldest goes first. `turn_at` is only a turn; which deliveries are claimed is in their rows.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.deliveries.claim import Claimed
from clay_push_service.leads.revision import Revision

MOST_JOBS = 50
"""Push jobs that one claim looks at per destination."""


class WantedTurns(NamedTuple):
    """How many deliveries of one workspace to claim."""

    org_id: UUID
    workspace_id: UUID
    leads: int


class ClaimedTurn(NamedTuple):
    """A claimed delivery of one workspace. `waiting_since`: the last turn of its push job before this claim."""

    workspace_id: UUID
    org_id: UUID
    project_id: UUID
    destination_id: UUID
    version_id: UUID
    job_id: UUID
    waiting_since: datetime
    claimed: Claimed
    mapping_version_id: UUID | None = None
    """What the push job is sent with; None: the standard payload."""


class ClaimedRow(NamedTuple):
    """A row of a claim by turns."""

    workspace_id: UUID
    org_id: UUID
    project_id: UUID
    destination_id: UUID
    version_id: UUID
    job_id: UUID
    waiting_since: datetime
    id: UUID
    contributor_id: UUID
    attempts: int
    revision: int | None
    supersedes: UUID | None
    mapping_version_id: UUID | None

    def turn(self, token: UUID) -> ClaimedTurn:
        revision = Revision.of(self.revision, self.supersedes)
        claimed = Claimed(self.id, self.contributor_id, self.attempts, token, revision)
        return ClaimedTurn(
            self.workspace_id, self.org_id, self.project_id, self.destination_id, self.version_id, self.job_id,
            self.waiting_since, claimed, self.mapping_version_id,
        )  # fmt: skip


# Jobs are found by their destination alone, which belongs to the organization: with a condition on the organization the planner
# expects few jobs and reads all of them instead of the first by turn (2,000 instead of 8). OFFSET 0 prevents joins, which
# have the same effect.
# Jobs are found by the index on (destination_id, turn_at) of running jobs, their deliveries by the index of waiting ones.
# Deliveries are locked by id alone (see `claim.MARK_SENDING`); a row that another transaction holds or has taken is skipped.
# LATERAL with a lock is always one index lookup for each row. The planner expects few rows of an array and of window functions,
# and would compare each of 500 rows with each of 500 locked ones (30 ms).
CLAIM_TURNS = Statement(
    f"""
WITH wanted AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:orgs AS uuid[]), CAST(:workspaces AS uuid[]), CAST(:leads AS integer[]))
        AS wanted (org_id, workspace_id, leads)),
due AS (
    SELECT wanted.workspace_id, wanted.leads, destination.id AS destination_id, job.id AS job_id, job.org_id, job.project_id,
           job.destination_version_id, job.mapping_version_id, job.turn_at, delivery.id, delivery.seq,
           row_number() OVER (PARTITION BY job.id ORDER BY delivery.seq) AS round
    FROM wanted
    JOIN clay.destinations AS destination
      ON destination.org_id = wanted.org_id AND destination.workspace_id = wanted.workspace_id
    CROSS JOIN LATERAL (
        SELECT live.id, live.org_id, live.project_id, live.destination_version_id, live.mapping_version_id, live.turn_at
        FROM clay.push_jobs AS live
        WHERE live.destination_id = destination.id AND live.status = 'running' AND live.cancel_requested_at IS NULL
          AND EXISTS (SELECT 1 FROM clay.destination_versions AS version
                      WHERE version.id = live.destination_version_id AND version.org_id = live.org_id AND version.state = 'open' OFFSET 0)
          AND EXISTS (SELECT 1 FROM clay.clay_push_log AS waiting
                      WHERE waiting.job_id = live.id AND waiting.state = 'waiting' AND waiting.due_at <= now()
                        AND waiting.lost_claims = 0 OFFSET 0)
        ORDER BY live.turn_at LIMIT least(wanted.leads, {MOST_JOBS})) AS job
    CROSS JOIN LATERAL (
        SELECT waiting.id, waiting.seq FROM clay.clay_push_log AS waiting
        WHERE waiting.job_id = job.id AND waiting.state = 'waiting' AND waiting.due_at <= now() AND waiting.lost_claims = 0
        ORDER BY waiting.seq LIMIT wanted.leads) AS delivery),
in_destination AS (
    SELECT *, row_number() OVER (PARTITION BY destination_id ORDER BY round, turn_at, seq) AS place FROM due),
in_workspace AS (
    SELECT *, row_number() OVER (PARTITION BY workspace_id ORDER BY place, turn_at, seq) AS number FROM in_destination),
chosen AS MATERIALIZED (SELECT * FROM in_workspace WHERE number <= leads),
locked AS MATERIALIZED (
    SELECT chosen.*, row_now.state FROM chosen CROSS JOIN LATERAL (
        SELECT state FROM clay.clay_push_log WHERE id = chosen.id FOR UPDATE SKIP LOCKED) AS row_now),
held AS MATERIALIZED (
    SELECT id, status FROM clay.push_jobs
    WHERE id = ANY(ARRAY(SELECT job_id FROM chosen)) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED),
turned AS (
    UPDATE clay.push_jobs AS job SET turn_at = clock_timestamp(), drained_at = now()
    FROM held WHERE job.id = held.id AND held.status = 'running')
UPDATE clay.clay_push_log AS delivery
SET state = 'claimed', claim_token = :token, lease_until = now() + CAST(:lease AS interval)
FROM locked
WHERE delivery.id = locked.id AND locked.state = 'waiting'
RETURNING locked.workspace_id, locked.org_id, locked.project_id, locked.destination_id,
          locked.destination_version_id AS version_id, locked.job_id, locked.turn_at AS waiting_since,
          delivery.id, delivery.contributor_id, delivery.attempts, delivery.revision, delivery.supersedes,
          locked.mapping_version_id
""",
    ClaimedRow,
)
# One index lookup for each row, as in CLAIM_TURNS: by its id, as in `claim.MARK_SENDING`, and with its own claim's token.
CLAIMED_BY_WORKER = """
WITH ours AS MATERIALIZED (
    SELECT held.id, held.state
    FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS uuid[])) AS planned (id, token)
    CROSS JOIN LATERAL (
        SELECT id, state FROM clay.clay_push_log
        WHERE id = planned.id AND claim_token = planned.token FOR UPDATE SKIP LOCKED) AS held)
"""
MARK_TURNS = Statement(
    f"""{CLAIMED_BY_WORKER}
UPDATE clay.clay_push_log AS delivery SET state = 'sending', lease_until = now() + CAST(:lease AS interval)
FROM ours WHERE delivery.id = ours.id AND ours.state = 'claimed'
RETURNING delivery.id
""",
    UUID,
)
RELEASE_TURNS = Statement(
    f"""{CLAIMED_BY_WORKER}
UPDATE clay.clay_push_log AS delivery SET state = 'waiting', claim_token = NULL, lease_until = NULL
FROM ours WHERE delivery.id = ours.id
RETURNING delivery.job_id
""",
    UUID,
)
CANCELLED = Statement(
    """
SELECT id FROM clay.push_jobs
WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'running' AND cancel_requested_at IS NOT NULL
""",
    UUID,
)


async def claim_turns(
    connection: Connection, wanted: Sequence[WantedTurns], token: UUID, lease: timedelta
) -> list[ClaimedTurn]:
    """Claim due deliveries of these workspaces, without those that lost a claim. `token` must be new for every call."""
    rows = await CLAIM_TURNS.rows(
        connection,
        {
            "orgs": [each.org_id for each in wanted],
            "workspaces": [each.workspace_id for each in wanted],
            "leads": [each.leads for each in wanted],
            "token": token,
            "lease": lease,
        },
    )
    return [row.turn(token) for row in rows]


async def mark_turns(connection: Connection, claims: Sequence[Claimed], lease: timedelta) -> set[UUID]:
    """Mark claimed deliveries of any workspaces; see `claim.mark_sending`."""
    return set(await MARK_TURNS.rows(connection, {**_held(claims), "lease": lease}))


async def release_turns(connection: Connection, claims: Sequence[Claimed]) -> list[UUID]:
    """Release deliveries that were claimed, or marked and certainly not sent.

    Returns the push jobs among them that are cancelled: the caller ends what is queued for them.
    """
    jobs = set(await RELEASE_TURNS.rows(connection, _held(claims)))
    return list(await CANCELLED.rows(connection, {"ids": list(jobs)})) if jobs else []


def _held(claims: Sequence[Claimed]) -> dict[str, object]:
    return {"ids": [each.delivery_id for each in claims], "tokens": [each.token for each in claims]}
