"""SQL of the runs of auto-enrich rules: the only module that changes `clay.auto_enrich_runs`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement


class RuleRunOutcome(StrEnum):
    QUEUED = "queued"
    NOTHING_NEW = "nothing_new"
    OFF = "off"
    PAUSED = "paused"
    """Credits are used up, until an owner resumes the rules."""
    REFUSED = "refused"
    """No budget, key, routine or table; `message` gives the reason."""


class DueRun(NamedTuple):
    id: UUID
    org_id: UUID
    project_id: UUID
    source_job_id: UUID | None
    reason: str


class RuleRun(NamedTuple):
    id: UUID
    source_job_id: UUID | None
    reason: str
    outcome: str | None
    message: str | None
    job_ids: Sequence[UUID]
    lead_count: int
    created_at: datetime
    done_at: datetime | None


# One run for each scan; none for a project whose rule is off.
QUEUE_SCAN_RUN = Statement("""
INSERT INTO clay.auto_enrich_runs (id, org_id, project_id, source_job_id, reason)
SELECT gen_random_uuid(), rule.org_id, rule.project_id, :source_job_id, 'scan' FROM clay.auto_enrich_rules AS rule
WHERE rule.org_id = :org_id AND rule.project_id = :project_id AND rule.enabled
ON CONFLICT (org_id, source_job_id) DO NOTHING
""")
QUEUE_STALE_RUNS = Statement("""
INSERT INTO clay.auto_enrich_runs (id, org_id, project_id, reason)
SELECT gen_random_uuid(), rule.org_id, rule.project_id, 'stale' FROM clay.auto_enrich_rules AS rule
WHERE rule.enabled AND rule.stale_months IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM clay.auto_enrich_runs AS run
    WHERE run.org_id = rule.org_id AND run.project_id = rule.project_id AND run.reason = 'stale'
      AND (run.done_at IS NULL OR run.created_at > now() - interval '24 hours'))
ON CONFLICT DO NOTHING
""")
TAKE = Statement(
    """
SELECT id, org_id, project_id, source_job_id, reason FROM clay.auto_enrich_runs
WHERE done_at IS NULL AND due_at <= now() ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
""",
    DueRun,
)
POSTPONE = Statement(
    "UPDATE clay.auto_enrich_runs SET due_at = now() + CAST(:delay AS interval) WHERE org_id = :org_id AND id = :id"
)
FINISH = Statement("""
UPDATE clay.auto_enrich_runs
SET outcome = :outcome, message = :message, job_ids = CAST(:job_ids AS uuid[]), lead_count = :lead_count, done_at = now()
WHERE org_id = :org_id AND id = :id AND done_at IS NULL
""")
READ = Statement(
    """
SELECT id, source_job_id, reason, outcome, message, job_ids, lead_count, created_at, done_at FROM clay.auto_enrich_runs
WHERE org_id = :org_id AND project_id = :project_id ORDER BY created_at DESC, id DESC LIMIT 10
""",
    RuleRun,
)


async def queue_scan_run(connection: AsyncConnection, org_id: UUID, project_id: UUID, source_job_id: UUID) -> None:
    """Queue the rule's run after a scan, in the caller's transaction. Once for each scan."""
    values = {"org_id": org_id, "project_id": project_id, "source_job_id": source_job_id}
    await QUEUE_SCAN_RUN.execute(connection, values)


async def queue_stale_runs(connection: AsyncConnection) -> None:
    """Queue a run for each rule with `stale_months`, at most once a day."""
    await QUEUE_STALE_RUNS.execute(connection)


async def take_run(connection: AsyncConnection) -> DueRun | None:
    """Locks the run that has been due for the longest time."""
    return await TAKE.one_or_none(connection)


async def postpone_run(connection: AsyncConnection, run: DueRun, delay: timedelta) -> None:
    await POSTPONE.execute(connection, {"org_id": run.org_id, "id": run.id, "delay": delay})


async def finish_run(
    connection: AsyncConnection,
    run: DueRun,
    outcome: RuleRunOutcome,
    message: str,
    job_ids: Sequence[UUID] = (),
    lead_count: int = 0,
) -> None:
    values = {
        "org_id": run.org_id, "id": run.id, "outcome": outcome, "message": message, "job_ids": list(job_ids),
        "lead_count": lead_count,
    }  # fmt: skip
    await FINISH.execute(connection, values)


async def read_runs(connection: AsyncConnection, org_id: UUID, project_id: UUID) -> Sequence[RuleRun]:
    """Returns the last ten runs, newest first."""
    return await READ.rows(connection, {"org_id": org_id, "project_id": project_id})
