"""The lease of a workspace: which worker serves it. It saves work and is not needed for correctness: slots and claims are safe without it.

`slots` renews it with each reservation. Two workers that serve one workspace for a moment send at its pace and no lead twice.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.destinations.slots import WorkspaceKey

LEASE = timedelta(seconds=4)
"""A dead worker's workspaces are adopted after this time; a worker that is stopped for less keeps its own."""


EXCESS_FACTOR = 1.2
"""A worker hands workspaces over when it serves more than this multiple of its share."""


class Served(NamedTuple):
    """A workspace that this worker serves. `woken_at`: its last wake-up."""

    org_id: UUID
    id: UUID
    woken_at: datetime | None

    @property
    def key(self) -> WorkspaceKey:
        return WorkspaceKey(self.org_id, self.id)


class ServingResult(NamedTuple):
    """The result of a wake-up. `is_served`: by this worker; otherwise another one serves it and notices the wake-up."""

    is_served: bool
    woken_at: datetime


class ServingShare(NamedTuple):
    """How many workspaces this worker and all workers serve, and the number of live workers."""

    own: int
    served: int
    workers: int

    @property
    def missing(self) -> int:
        """How many more workspaces this worker takes at once; others have less than their share."""
        return max(math.ceil(self.served / max(self.workers, 1)) - self.own, 0)

    @property
    def excess(self) -> int:
        """How many workspaces this worker hands over: a tenth at a time, since each pauses for a moment."""
        fair = math.ceil(self.served / max(self.workers, 1))
        return min(self.own - fair, max(self.own // 10, 1)) if self.own > fair * EXCESS_FACTOR + 1 else 0


# The wake-up's push job is already `running` in this transaction. The worker that serves the workspace compares `woken_at`
# under the row's lock before it lets go of it, so it claims at least once after this commit.
TAKE = Statement(
    """
UPDATE clay.workspaces
SET woken_at = clock_timestamp(),
    served_by = CASE WHEN served_until > clock_timestamp() AND NOT :by_force THEN served_by
                     ELSE CAST(:worker_id AS uuid) END,
    served_until = CASE WHEN served_until > clock_timestamp() AND served_by <> CAST(:worker_id AS uuid) AND NOT :by_force
                        THEN served_until ELSE clock_timestamp() + CAST(:lease AS interval) END
WHERE org_id = :org_id AND id = :id
RETURNING served_by = CAST(:worker_id AS uuid) AS is_served, woken_at
""",
    ServingResult,
)
# LATERAL: one index lookup for each workspace; see `slots.LOCK_SERVED`.
RENEW = Statement(
    """
WITH own AS MATERIALIZED (
    SELECT held.org_id, held.id FROM unnest(CAST(:orgs AS uuid[]), CAST(:ids AS uuid[])) AS named (org_id, id)
    CROSS JOIN LATERAL (
        SELECT org_id, id, served_by FROM clay.workspaces WHERE org_id = named.org_id AND id = named.id
        FOR NO KEY UPDATE SKIP LOCKED OFFSET 0) AS held
    WHERE held.served_by = CAST(:worker_id AS uuid)),
renewed AS (
    UPDATE clay.workspaces AS workspace SET served_until = clock_timestamp() + CAST(:lease AS interval)
    FROM own WHERE workspace.org_id = own.org_id AND workspace.id = own.id)
SELECT workspace.org_id, workspace.id, workspace.woken_at
FROM unnest(CAST(:orgs AS uuid[]), CAST(:ids AS uuid[])) AS named (org_id, id)
CROSS JOIN LATERAL (
    SELECT org_id, id, woken_at, served_by FROM clay.workspaces
    WHERE org_id = named.org_id AND id = named.id OFFSET 0) AS workspace
WHERE workspace.served_by = CAST(:worker_id AS uuid)
""",
    Served,
)
ADOPT = Statement(
    """
WITH expired AS MATERIALIZED (
    SELECT org_id, id FROM clay.workspaces
    WHERE served_by IS NOT NULL AND served_until <= clock_timestamp() - CAST(:overdue AS interval)
      AND NOT id = ANY(CAST(:held AS uuid[]))
    LIMIT :most FOR NO KEY UPDATE SKIP LOCKED)
UPDATE clay.workspaces AS workspace
SET served_by = :worker_id, served_until = clock_timestamp() + CAST(:lease AS interval)
FROM expired WHERE workspace.org_id = expired.org_id AND workspace.id = expired.id
RETURNING workspace.org_id, workspace.id, workspace.woken_at
""",
    Served,
)
RELEASE_WORKSPACES = Statement(
    """
WITH seen AS MATERIALIZED (
    SELECT held.org_id, held.id
    FROM unnest(CAST(:orgs AS uuid[]), CAST(:ids AS uuid[]), CAST(:woken AS timestamptz[])) AS seen (org_id, id, woken_at)
    CROSS JOIN LATERAL (
        SELECT org_id, id, woken_at, served_by FROM clay.workspaces WHERE org_id = seen.org_id AND id = seen.id
        FOR NO KEY UPDATE SKIP LOCKED OFFSET 0) AS held
    WHERE held.served_by = CAST(:worker_id AS uuid) AND held.woken_at IS NOT DISTINCT FROM seen.woken_at)
UPDATE clay.workspaces AS workspace SET served_by = NULL, served_until = NULL
FROM seen WHERE workspace.org_id = seen.org_id AND workspace.id = seen.id
RETURNING workspace.id
""",
    UUID,
)
# Both tables are read by their few live rows. A worker of a release before 0021 has no share.
COUNT = Statement(
    """
SELECT count(*) FILTER (WHERE served_by = CAST(:worker_id AS uuid)) AS own, count(*) AS served,
       (SELECT count(*) FROM clay.workers WHERE serves_workspaces AND seen_at > now() - interval '15 seconds') AS workers
FROM clay.workspaces WHERE served_by IS NOT NULL
""",
    ServingShare,
)
HAND_OVER = Statement("""
UPDATE clay.workspaces SET served_until = clock_timestamp()
WHERE served_by = CAST(:worker_id AS uuid) AND id = ANY(CAST(:ids AS uuid[]))
""")


async def take_workspace(
    connection: Connection, workspace: WorkspaceKey, worker_id: UUID, *, by_force: bool = False
) -> ServingResult:
    """Note a wake-up, in the transaction that opened its push job, and take the workspace if no worker serves it.

    `by_force`: take it in any case, for a probe: only the worker that took the probe sends it.
    """
    values = {**workspace._asdict(), "worker_id": worker_id, "lease": LEASE, "by_force": by_force}
    return await TAKE.one(connection, values)


async def renew(connection: Connection, workspaces: Collection[WorkspaceKey], worker_id: UUID) -> Sequence[Served]:
    """Renew the leases of these workspaces. Returns those that this worker still serves."""
    return await RENEW.rows(connection, {**_keys(workspaces), "worker_id": worker_id, "lease": LEASE})


async def adopt(
    connection: Connection, worker_id: UUID, held: Collection[UUID], most: int, overdue: timedelta = timedelta(0)
) -> Sequence[Served]:
    """Take up to `most` workspaces whose lease ended at least `overdue` ago: their worker died, or handed them over.

    `held`: workspaces that this worker serves; one whose lease it renews late must not count as a dead worker's.
    """
    values = {"worker_id": worker_id, "held": list(held), "most": most, "overdue": overdue, "lease": LEASE}
    return await ADOPT.rows(connection, values)


async def count_share(connection: Connection, worker_id: UUID) -> ServingShare:
    """Count what this worker serves, and all."""
    return await COUNT.one(connection, {"worker_id": worker_id})


async def release_workspaces(
    connection: Connection, workspaces: Mapping[WorkspaceKey, datetime | None], worker_id: UUID
) -> set[UUID]:
    """End the service of workspaces without due deliveries. Returns their ids, without those that were woken since.

    The values are the wake-ups that this worker had seen before it found no due delivery.
    """
    values = {**_keys(workspaces), "woken": list(workspaces.values()), "worker_id": worker_id}
    return set(await RELEASE_WORKSPACES.rows(connection, values))


async def hand_over(connection: Connection, workspace_ids: Collection[UUID], worker_id: UUID) -> None:
    """End the leases of workspaces with due deliveries, so that other workers adopt them."""
    await HAND_OVER.execute(connection, {"ids": list(workspace_ids), "worker_id": worker_id})


def _keys(workspaces: Collection[WorkspaceKey]) -> dict[str, object]:
    return {"orgs": [each.org_id for each in workspaces], "ids": [each.id for each in workspaces]}
