"""Opens a push job for a slice: checks whether it may be sent now and where to; ends or postpones it otherwise."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.clay.cause import Cause
from clay_push_service.clay.webhook_client import Target
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.destinations.guard import BlockedError, Policy, check_url
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.destinations.slots import WorkspaceKey
from clay_push_service.destinations.state import Version, close_version, read_version, take_probe
from clay_push_service.states import DestinationState, JobStatus


class _LockedJob(NamedTuple):
    id: UUID
    org_id: UUID
    project_id: UUID
    destination_version_id: UUID
    mapping_version_id: UUID | None
    status: str
    created_at: datetime
    cancel_requested_at: datetime | None
    pending_count: int


LOCK = Statement(
    """
SELECT id, org_id, project_id, destination_version_id, mapping_version_id, status, created_at, cancel_requested_at,
       lead_count - success_count - failed_count - skipped_count AS pending_count
FROM clay.push_jobs WHERE id = :job_id AND status IN ('pending', 'running') FOR NO KEY UPDATE
""",
    _LockedJob,
)
START = Statement("""
UPDATE clay.push_jobs SET status = 'running', started_at = coalesce(started_at, now()), drained_at = now(),
       updated_at = CASE WHEN status = 'running' THEN updated_at ELSE now() END
WHERE id = :job_id
""")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A push job that may be sent now. `probe`: only one lead, to find out whether an outage is over."""

    id: UUID
    org_id: UUID
    project_id: UUID
    version_id: UUID
    destination_id: UUID
    workspace: WorkspaceKey
    target: Target
    rate_limit_ms: int
    pending_count: int
    probe: bool
    mapping_version_id: UUID | None = None
    """What its leads are sent with; None: the standard payload."""


@dataclass(frozen=True, slots=True)
class Postponed:
    seconds: float


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide whether a job may be opened."""

    policy: Policy
    probe_seconds: float
    give_up_seconds: float


async def lock_job(connection: AsyncConnection, job_id: UUID) -> "JobRow | None":
    """Lock a live push job for this slice's first transaction; None when it has ended."""
    row = await LOCK.one_or_none(connection, {"job_id": job_id})
    if row is None:
        return None
    return JobRow(
        row.id, row.org_id, row.project_id, row.destination_version_id, JobStatus(row.status), row.created_at,
        row.pending_count, row.cancel_requested_at is not None, row.mapping_version_id,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobRow:
    id: UUID
    org_id: UUID
    project_id: UUID
    version_id: UUID
    status: JobStatus
    created_at: datetime
    pending_count: int
    cancelled: bool
    mapping_version_id: UUID | None


async def open_job(  # noqa: PLR0911 - one return for each reason not to send
    connection: AsyncConnection, job: JobRow, box: SecretBox, rules: Rules, *, available: bool
) -> OpenJob | Postponed | None:
    """Return None if the job has ended, here or before. `available`: the gate's result."""
    job_log = log.bind(job_id=str(job.id), org_id=str(job.org_id))
    if job.cancelled:
        await end_queued(connection, [job.id], Cause.CANCELLED)
        return None
    await START.execute(connection, {"job_id": job.id})
    if job.status is JobStatus.PENDING:
        job_log.info("push_job.started", leads=job.pending_count)
        await counters.notify(connection, [job.id])
        if not available:
            job_log.info("push_job.gated")
            await end_queued(connection, [job.id], Cause.NOT_AVAILABLE)
            return None
    version = await read_version(connection, job.org_id, job.version_id)
    if version is None or version.sealed_url is None:
        await end_queued(connection, [job.id], Cause.DESTINATION_REMOVED)
        return None
    if version.state is DestinationState.CLOSED:
        await end_queued(connection, [job.id], Cause(version.state_reason or Cause.WEBHOOK_GONE))
        return None
    probe = version.state is DestinationState.WAITING
    if probe:
        waited = version.now - max(version.state_since, job.created_at)
        if waited > timedelta(seconds=rules.give_up_seconds):
            await end_queued(connection, [job.id], Cause.CLAY_UNAVAILABLE)
            return None
        if not await take_probe(connection, version.id, rules.probe_seconds):
            probe_at = version.probe_at or version.now
            return Postponed(max((probe_at - version.now).total_seconds(), 0.5))
    target = unseal_target(version, box, rules.policy)
    if isinstance(target, Cause):
        await close_version(connection, version.id, target)
        await end_queued(connection, [job.id], target)
        return None
    return OpenJob(
        job.id, job.org_id, job.project_id, version.id, version.destination_id,
        WorkspaceKey(job.org_id, version.workspace_id), target, version.rate_limit_ms, job.pending_count,
        probe=probe, mapping_version_id=job.mapping_version_id,
    )  # fmt: skip


def unseal_target(version: Version, box: SecretBox, policy: Policy) -> Target | Cause:
    """Unseal and check the webhook. The caller closes the destination of one that cannot be unsealed or is not allowed.

    The destination's other jobs end when they are opened. A worker that starts with corrected keys or allowed hosts
    opens the destination again.
    """
    version_log = log.bind(org_id=str(version.org_id), version_id=str(version.id))
    try:
        url = box.open(version.sealed_url or b"", version.org_id, version.id)
        token = box.open(version.sealed_token, version.org_id, version.id) if version.sealed_token else None
        return Target(check_url(url, policy), token)
    except SecretError:
        version_log.error("destination.secret_unreadable")
        metrics.SECRETS_UNREADABLE.inc()
        return Cause.SECRET_UNREADABLE
    except BlockedError as error:
        version_log.error("destination.blocked", reason=error.reason)
        return Cause.BLOCKED
