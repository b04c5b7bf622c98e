"""Reads push jobs for the API: stored counters, and status texts, rates and causes derived from them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination as cursor
from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.deliveries.cause_counts import StoredCounts, read_causes
from clay_push_service.deliveries.counters import WINDOW
from clay_push_service.destinations.pace import Pace
from clay_push_service.errors import NotFoundError
from clay_push_service.mappings.ref import MappingRef, named_version
from clay_push_service.push_jobs.queries.job_rows import READ_ONE, READ_PAGE, JobRow
from clay_push_service.push_jobs.summary import ENDED, progress, progress_percent, steps, summary, warnings
from clay_push_service.push_jobs.views import CauseView, DestinationRef, JobPage, JobView, ProjectRef, Waiting
from clay_push_service.states import JobStatus, PushMode

NOTICEABLE = timedelta(seconds=2)
"""A shorter wait is normal at the pace, and is not reported."""
WORKER_GONE = timedelta(seconds=30)
"""A worker writes a heartbeat every 5 s; `/status` uses the same limit for live workers."""
UNDRAINED = timedelta(seconds=120)
"""The sweep wakes a push job that no worker drains after 10 to 20 s; `/status` warns after the same time."""


def not_found() -> NotFoundError:
    return NotFoundError("Your organization has no push job with this id.", code="job_not_found")


async def read_job(connection: AsyncConnection, org_id: UUID, job_id: UUID) -> JobView:
    """Raises 404 `job_not_found`, also for a job of another organization."""
    row = await READ_ONE.one_or_none(connection, {"org_id": org_id, "job_id": job_id})
    if row is None:
        raise not_found()
    causes, unsure = await _causes(connection, [row])
    return _view(row, causes[job_id], unsure[job_id])


async def read_jobs(
    connection: AsyncConnection,
    org_id: UUID,
    *,
    project_id: UUID | None = None,
    status: JobStatus | None = None,
    after: str | None = None,
    limit: int = 20,
) -> JobPage:
    """A page of jobs, newest first."""
    before, before_id = _position(after)
    rows = await READ_PAGE.rows(
        connection,
        {
            "org_id": org_id,
            "project_id": project_id,
            "status": status,
            "before": before,
            "before_id": before_id,
            "limit": limit + 1,
        },
    )
    page = rows[:limit]
    causes, unsure = await _causes(connection, page)
    more = (
        cursor.encode(page[-1].created_at.astimezone(UTC).isoformat(), str(page[-1].id)) if len(rows) > limit else None
    )
    return JobPage(jobs=[_view(row, causes[row.id], unsure[row.id]) for row in page], next_cursor=more)


def _position(after: str | None) -> tuple[datetime | None, UUID | None]:
    if after is None:
        return None, None
    created_at, job_id = cursor.decode(after, 2)
    return cursor.moment(created_at), cursor.identifier(job_id)


async def _causes(
    connection: AsyncConnection, rows: Sequence[JobRow]
) -> tuple[dict[UUID, list[CauseView]], Counter[UUID]]:
    """The causes of each job, and the number of its leads that may be in Clay."""
    causes: defaultdict[UUID, list[CauseView]] = defaultdict(list)
    unsure: Counter[UUID] = Counter()
    stored = [StoredCounts(row.id, row.cause_counts, row.failed_count, row.skipped_count) for row in rows]
    for job_id, counts in (await read_causes(connection, stored)).items():
        for found in counts:
            explanation = EXPLANATIONS[found.cause]
            unsure[job_id] += found.unsure
            causes[job_id].append(
                CauseView(
                    cause=found.cause,
                    count=found.leads,
                    message=explanation.message,
                    remedy=explanation.remedy,
                    who=explanation.who,
                    retryable=explanation.retryable,
                )
            )
    return causes, unsure


def _view(row: JobRow, causes: list[CauseView], unsure: int) -> JobView:
    status = JobStatus(row.status)
    pending = row.lead_count - row.success_count - row.failed_count - row.skipped_count
    waiting = _waiting(row) if status is JobStatus.RUNNING else None
    stalled = _stalled(row) if status not in ENDED and waiting is None else None
    rate = _rate(row) if status is JobStatus.RUNNING and waiting is None and stalled is None else None
    counts = (row.success_count, row.failed_count, row.skipped_count)
    cancelled = sum(
        each.count for each in causes if each.cause is Cause.CANCELLED
    )  # skipped, but counted as leads to send
    to_send = row.lead_count - row.skipped_count + cancelled
    return JobView(
        id=row.id,
        push_mode=PushMode(row.push_mode),
        project=ProjectRef(id=row.project_id, name=row.project_name),
        destination=DestinationRef(id=row.destination_id, name=row.destination_name),
        table_name=row.table_name,
        mapping=MappingRef.of(
            named_version(row.mapping_id, row.mapping_name, row.mapping_number, row.mapping_version_id)
        ),
        created_by=row.created_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        retry_of=row.retry_of,
        status=status,
        waiting=waiting,
        warnings=warnings(status, *counts, unsure, pages=row.page_count, stalled=stalled),
        summary=summary(row.push_mode, row.lead_count, *counts, causes[0].message if causes else None)
        if status in ENDED
        else None,
        steps=steps(status),
        progress=progress(row.success_count, to_send),
        progress_percent=progress_percent(row.success_count, row.failed_count, to_send),
        lead_count=row.lead_count,
        success_count=row.success_count,
        failed_count=row.failed_count,
        skipped_count=row.skipped_count,
        pending_count=pending,
        unknown_count=row.unknown_count,
        web_page_count=row.page_count,
        rate=round(rate, 2) if rate else None,
        eta_seconds=round(pending / rate, 1) if rate else None,
        causes=causes,
    )


def _waiting(row: JobRow) -> Waiting | None:
    if row.destination_state == "waiting":
        return Waiting(reason=Cause(row.state_reason or Cause.CLAY_UNAVAILABLE), until=row.probe_at)
    if row.next_slot_at - row.now > NOTICEABLE + timedelta(milliseconds=row.rate_limit_ms):
        return Waiting(reason="throttled", until=row.next_slot_at)
    if row.due_at is not None and row.due_at - row.now > NOTICEABLE:
        return Waiting(reason="retrying", until=row.due_at)
    return None


def _stalled(row: JobRow) -> str | None:
    """Why nothing is sent although leads are due; None: a worker drains the job, or no lead is due yet."""
    if row.due_at is None or row.due_at > row.now:
        return None
    if row.worker_seen_at is None or row.now - row.worker_seen_at > WORKER_GONE:
        return (
            "No worker is running, so nothing is sent. The leads stay queued; ask the NexusLeads operator to start one."
        )
    # A running job whose workspace is served waits for its turn.
    served_until = row.served_until if row.status == JobStatus.RUNNING and row.served_until else row.due_at
    idle = row.now - max(row.due_at, row.drained_at or row.created_at, served_until)
    if idle > UNDRAINED:
        return (
            f"No worker has worked on this push for {idle.total_seconds():,.0f} s. The leads stay queued; ask the NexusLeads"
            " operator to look at the workers."
        )
    return None


def _rate(row: JobRow) -> float | None:
    """Leads a second: the pace in force, or without a pace the measured rate; None: unknown."""
    if row.rate_limit_ms:
        pace = Pace(float(row.rate_limit_ms), row.next_slot_at, row.throttled_ms, row.throttled_at, row.recovery_ms)
        return timedelta(seconds=1) / pace.interval(row.now)
    if row.window_since is None or row.last_window_since is None or row.last_window_count is None:
        return None
    if row.now - row.window_since > 2 * WINDOW:  # no result since
        return None
    ended = row.success_count + row.failed_count - row.last_window_count
    elapsed = (row.now - row.last_window_since).total_seconds()
    return ended / elapsed if ended > 0 and elapsed > 0 else None
