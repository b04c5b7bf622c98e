"""Reads enrichment jobs and their items."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination as cursor
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.jobs.schemas import (
    EnrichmentCauseView,
    EnrichmentItemPage,
    EnrichmentJobPage,
    EnrichmentJobView,
)
from clay_push_service.enrichment.jobs.views import ItemRow, JobRow, view_item, view_job
from clay_push_service.enrichment.ledger.causes import ITEM_EXPLANATIONS, ItemCause
from clay_push_service.enrichment.ledger.states import EnrichmentJobStatus, ItemOutcome
from clay_push_service.errors import NotFoundError


class _CauseCount(NamedTuple):
    job_id: UUID
    cause: str
    leads: int


READ = """
SELECT job.id, job.kind, job.way, job.mode, job.legal_basis, job.again, job.project_id, job.status, job.created_by, job.created_at,
       job.started_at, job.finished_at, job.lead_count, job.found_count, job.partial_count, job.nothing_count,
       job.failed_count, job.expired_count, job.skipped_count, job.cancelled_count, job.credits_low, job.credits_high,
       job.actions_low, job.actions_high, job.credits, job.actions, clock_timestamp() AS now,
       CASE WHEN job.status IN ('pending', 'running') THEN (
           SELECT max(seen_at) FROM clay.workers) END AS worker_seen_at,
       CASE WHEN job.status IN ('pending', 'running') THEN (
           SELECT min(due_at) FROM clay.enrichment_items
           WHERE org_id = job.org_id AND job_id = job.id AND state = 'queued') END AS due_at,
       CASE WHEN job.status IN ('pending', 'running') THEN (
           SELECT next_request_at FROM clay.enrichment_settings WHERE org_id = job.org_id) END AS next_request_at,
       CASE WHEN job.status IN ('pending', 'running') THEN (
           SELECT count(*) FROM clay.enrichment_items
           WHERE org_id = job.org_id AND job_id = job.id AND state = 'held') ELSE 0 END AS held
FROM clay.enrichment_jobs AS job WHERE job.org_id = :org_id
"""
READ_ONE = Statement(f"{READ} AND job.id = :job_id", JobRow)
READ_PAGE = Statement(
    f"""{READ} AND (CAST(:before AS timestamptz) IS NULL OR (job.created_at, job.id) < (:before, :before_id))
  AND (CAST(:status AS text) IS NULL OR job.status = :status)
  AND (CAST(:project_id AS uuid) IS NULL OR job.project_id = :project_id)
ORDER BY job.created_at DESC, job.id DESC LIMIT :limit""",
    JobRow,
)
CAUSES = Statement(
    """
SELECT job_id, cause, count(*) AS leads FROM clay.enrichment_items
WHERE org_id = :org_id AND job_id = ANY(CAST(:job_ids AS uuid[])) AND cause IS NOT NULL
GROUP BY job_id, cause ORDER BY count(*) DESC, cause
""",
    _CauseCount,
)
EXISTS = Statement("SELECT 1 FROM clay.enrichment_jobs WHERE org_id = :org_id AND id = :job_id", int)
READ_ITEMS = Statement(
    """
SELECT id, seq, lead_id, project_id, state, outcome, cause, missing, found, not_found, credits, actions, cost_basis,
       delivery_id, created_at, started_at, deadline_at, finished_at
FROM clay.enrichment_items
WHERE org_id = :org_id AND job_id = :job_id AND seq > :after
  AND (CAST(:outcome AS text) IS NULL OR outcome = :outcome)
  AND (CAST(:cause AS text) IS NULL OR cause = :cause)
ORDER BY seq LIMIT :limit
""",
    ItemRow,
)


async def require_job(connection: AsyncConnection, org_id: UUID, job_id: UUID) -> None:
    """Raises 404 `enrichment_job_not_found`, also for a job of another organization."""
    if not await EXISTS.rows(connection, {"org_id": org_id, "job_id": job_id}):
        raise job_not_found()


async def read_job(connection: AsyncConnection, org_id: UUID, job_id: UUID) -> EnrichmentJobView:
    """Raises 404 `enrichment_job_not_found`."""
    row = await READ_ONE.one_or_none(connection, {"org_id": org_id, "job_id": job_id})
    if row is None:
        raise job_not_found()
    [view] = await _views(connection, org_id, [row])
    return view


async def read_jobs(
    connection: AsyncConnection,
    org_id: UUID,
    *,
    status: EnrichmentJobStatus | None,
    project_id: UUID | None,
    after: str | None,
    limit: int,
) -> EnrichmentJobPage:
    before, before_id = None, None
    if after is not None:
        created_at, job_id = cursor.decode(after, 2)
        before, before_id = cursor.moment(created_at), cursor.identifier(job_id)
    values = {
        "org_id": org_id, "before": before, "before_id": before_id, "status": status, "project_id": project_id,
        "limit": limit + 1,
    }  # fmt: skip
    rows = await READ_PAGE.rows(connection, values)
    page = rows[:limit]
    more = None
    if len(rows) > limit:
        more = cursor.encode(page[-1].created_at.astimezone(UTC).isoformat(), str(page[-1].id))
    return EnrichmentJobPage(jobs=await _views(connection, org_id, page), next_cursor=more)


async def read_items(
    connection: AsyncConnection,
    org_id: UUID,
    job_id: UUID,
    *,
    outcome: ItemOutcome | None,
    cause: ItemCause | None = None,
    after: str | None,
    limit: int,
) -> EnrichmentItemPage:
    """Raises 404 `enrichment_job_not_found`."""
    await require_job(connection, org_id, job_id)
    seq = 0
    if after is not None:
        [key] = cursor.decode(after, 1)
        seq = cursor.serial(key)
    values = {
        "org_id": org_id, "job_id": job_id, "after": seq, "outcome": outcome, "cause": cause, "limit": limit + 1,
    }  # fmt: skip
    rows = await READ_ITEMS.rows(connection, values)
    page = rows[:limit]
    return EnrichmentItemPage(
        items=[view_item(row) for row in page], next_cursor=cursor.encode(page[-1].seq) if len(rows) > limit else None
    )


async def _views(connection: AsyncConnection, org_id: UUID, rows: Sequence[JobRow]) -> list[EnrichmentJobView]:
    causes: defaultdict[UUID, list[EnrichmentCauseView]] = defaultdict(list)
    if rows:
        for found in await CAUSES.rows(connection, {"org_id": org_id, "job_ids": [row.id for row in rows]}):
            cause = ItemCause(found.cause)
            explanation = ITEM_EXPLANATIONS[cause]
            causes[found.job_id].append(
                EnrichmentCauseView(
                    cause=cause,
                    count=found.leads,
                    message=explanation.message,
                    remedy=explanation.remedy,
                    who=explanation.who,
                )
            )
    return [view_job(row, causes[row.id]) for row in rows]


def job_not_found() -> NotFoundError:
    return NotFoundError("Your organization has no enrichment job with this id.", code="enrichment_job_not_found")
