"""What the host should show of a push job: its job row and three steps, as values. Pure; never a lead's id, never `pending`.

The host's processor claims whatever is pending and pushes what `metadata.lead_ids` names; so our rows have neither.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.push_jobs.summary import (
    ENDED,
    leads,
    maybe_in_clay_warning,
    progress,
    progress_percent,
    steps,
    summary,
)
from clay_push_service.states import JobStatus

JOB_TYPE: Final = "clay_push"
MANAGED_BY: Final = "clay-push"

Value = str | int | float | None
Metadata = Mapping[str, str | int]

CURRENT_STEP: Final[Mapping[JobStatus, int]] = {
    JobStatus.PENDING: 1,
    JobStatus.RUNNING: 2,
    JobStatus.COMPLETED: 3,
    JobStatus.FAILED: 3,
    JobStatus.CANCELLED: 3,
}


@dataclass(frozen=True, slots=True)
class PushJob:
    """A push job as the mirror reads it."""

    id: UUID
    org_id: UUID
    project_id: UUID
    push_mode: str
    status: JobStatus
    cancel_requested: bool
    lead_count: int
    success_count: int
    failed_count: int
    skipped_count: int
    unknown_count: int
    cancelled_count: int
    """Part of the skipped, though they were to be sent."""
    created_by_user_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    main_cause: str | None
    unsure_count: int
    """Leads that may be in Clay although no clear answer came; known once the job has ended."""

    @property
    def skipped_before(self) -> int:
        """Skipped when the push was accepted."""
        return self.skipped_count - self.cancelled_count

    @property
    def to_send(self) -> int:
        return self.lead_count - self.skipped_before

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class StepRow:
    """One row of the host's `job_progress`."""

    number: int
    name: str
    status: str
    message: str | None


@dataclass(frozen=True, slots=True)
class HostRow:
    """What the host's `sourcing_jobs` and `job_progress` say, or should say, of one push job."""

    status: str
    current_step: int
    progress_percentage: float
    error_message: str | None
    metadata: str
    """JSON with sorted keys, so that equal is equal."""
    steps: tuple[StepRow, ...]


def host_row(job: PushJob) -> HostRow:
    said = _summary(job)
    shown = JobStatus.CANCELLED if job.cancel_requested and not job.has_ended else job.status
    metadata: dict[str, str | int] = {
        "managed_by": MANAGED_BY,
        "push_job_id": str(job.id),
        "push_mode": job.push_mode,
        "lead_count": job.lead_count,
        "success_count": job.success_count,
        "failed_count": job.failed_count,
        "skipped_count": job.skipped_count,
        "unknown_count": job.unknown_count,
    }
    if said is not None:
        metadata["summary"] = said
    messages = (f"{job.lead_count:,} leads, {job.skipped_before:,} skipped", _pushed(job), said)
    return HostRow(
        status=JobStatus.RUNNING if shown is JobStatus.PENDING else shown,
        current_step=CURRENT_STEP[job.status],
        progress_percentage=progress_percent(job.success_count, job.failed_count, job.to_send),
        error_message=said if job.status is JobStatus.FAILED or (job.has_ended and job.failed_count) else None,
        metadata=canonical(metadata),
        steps=tuple(
            StepRow(step.number, step.name, step_status(step.status), message)
            for step, message in zip(steps(job.status), messages, strict=True)
        ),
    )


def step_status(status: str) -> str:
    """The host's page has an icon for `pending`, `running`, `completed` and `failed`.

    Its processor marks the open steps of a cancelled job as failed; so do we.
    """
    return "failed" if status == JobStatus.CANCELLED else status


def _pushed(job: PushJob) -> str:
    """Counts the leads that the bar counts."""
    more = [f"{job.failed_count:,} failed"] if job.failed_count else []
    more += [f"{job.cancelled_count:,} cancelled"] if job.cancelled_count else []
    return ", ".join([progress(job.success_count, job.to_send), *more])


def _summary(job: PushJob) -> str | None:
    if not job.has_ended:
        return None
    cause = EXPLANATIONS[Cause(job.main_cause)].message if job.main_cause else None
    said = summary(job.push_mode, job.lead_count, job.success_count, job.failed_count, job.skipped_before, cause)
    if job.cancelled_count and job.success_count + job.failed_count:
        said = f"{said} {leads(job.cancelled_count)} cancelled."
    if cause is not None and job.success_count and job.failed_count:
        said = f"{said} Main cause of the failures: {cause}"
    return f"{said} {maybe_in_clay_warning(job.unsure_count)}" if job.unsure_count else said


def canonical(metadata: object) -> str:
    return json.dumps(metadata, sort_keys=True)
