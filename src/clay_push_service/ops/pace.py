"""Reads how workspaces with a pace are served: why leads wait, and which workspace is the slowest. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement

REASONS = ("outage", "clay_limit", "queue", "pace", "sending")
"""Why leads have no outcome yet; each is always reported, also with 0."""


class ReasonCount(NamedTuple):
    """How many leads have no outcome yet, for one reason."""

    reason: str
    leads: int


@dataclass(frozen=True, slots=True)
class SlowestWorkspace:
    """The served workspace with the push job that has waited longest for its turn."""

    org_id: UUID
    workspace_id: UUID
    rate_limit_ms: int
    waited_seconds: float
    running_jobs: int


@dataclass(frozen=True, slots=True)
class PaceLoad:
    served_workspaces: int = 0
    waiting: Sequence[ReasonCount] = ()
    slowest: SlowestWorkspace | None = None


# From the counters of live push jobs: the log is not read. A pause of more than 2 s is not the pace, but a Retry-After.
WAITING = Statement(
    """
SELECT CASE WHEN version.state = 'waiting' THEN 'outage'
            WHEN workspace.next_slot_at > now() + interval '2 seconds' AND workspace.throttled_at IS NOT NULL THEN 'clay_limit'
            WHEN job.status = 'pending' THEN 'queue'
            WHEN workspace.rate_limit_ms > 0 THEN 'pace'
            ELSE 'sending' END AS reason,
       CAST(sum(job.lead_count - job.success_count - job.failed_count - job.skipped_count) AS bigint) AS leads
FROM clay.push_jobs AS job
JOIN clay.destination_versions AS version ON version.org_id = job.org_id AND version.id = job.destination_version_id
JOIN clay.destinations AS destination ON destination.org_id = job.org_id AND destination.id = job.destination_id
JOIN clay.workspaces AS workspace ON workspace.org_id = job.org_id AND workspace.id = destination.workspace_id
WHERE job.status IN ('pending', 'running')
GROUP BY 1
""",
    ReasonCount,
)
# A push job whose leads are all claimed has its turn, so it is left out.
SLOWEST = Statement(
    """
SELECT workspace.org_id, workspace.id AS workspace_id, workspace.rate_limit_ms,
       CAST(extract(epoch FROM now() - min(job.turn_at)) AS float) AS waited_seconds, count(*) AS running_jobs
FROM clay.workspaces AS workspace
JOIN clay.destinations AS destination ON destination.org_id = workspace.org_id AND destination.workspace_id = workspace.id
JOIN clay.push_jobs AS job ON job.org_id = workspace.org_id AND job.destination_id = destination.id AND job.status = 'running'
WHERE workspace.served_by IS NOT NULL AND EXISTS (
    SELECT 1 FROM clay.clay_push_log AS delivery
    WHERE delivery.job_id = job.id AND delivery.state = 'waiting' AND delivery.due_at <= now())
GROUP BY workspace.org_id, workspace.id
ORDER BY waited_seconds DESC LIMIT 1
""",
    SlowestWorkspace,
)
SERVED = Statement("SELECT count(*) FROM clay.workspaces WHERE served_by IS NOT NULL AND served_until > now()", int)


async def read_pace_load(connection: AsyncConnection) -> PaceLoad:
    """Reads the load in the caller's transaction."""
    found = {each.reason: each.leads for each in await WAITING.rows(connection)}
    waiting = [ReasonCount(reason, found.get(reason, 0)) for reason in REASONS]
    return PaceLoad(await SERVED.one(connection), waiting, await SLOWEST.one_or_none(connection))
