"""Builds the host's job row and three steps for a push job. Pure.

The host's processor claims every `pending` row and pushes `metadata.lead_ids`, so these rows contain neither.
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
    """A push job with the fields that the mirror reads."""

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
    """Part of `skipped_count`: leads whose push was cancelled."""
    created_by_user_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    main_cause: str | None
    unsure_count: int
    """Leads whose response was uncertain, so that Clay may have them; known once the job has finished."""

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
    """The actual or expected values of one push job in the host's `sourcing_jobs` and `job_progress`."""

    status: str
    current_step: int
    progress_percentage: float
    error_message: str | None
    metadata: str
    """JSON with sorted keys, for comparison."""
    steps: tuple[StepRow, ...]


def host_row(job: PushJob) -> HostRow:
    result = _summary(job)
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
    if result is not None:
        metadata["summary"] = result
    messages = (f"{job.lead_count:,} leads, {job.skipped_before:,} skipped", _pushed(job), result)
    return HostRow(
        status=JobStatus.RUNNING if shown is JobStatus.PENDING else shown,
        current_step=CURRENT_STEP[job.status],
        progress_percentage=progress_percent(job.success_count, job.failed_count, job.to_send),
        error_message=result if job.status is JobStatus.FAILED or (job.has_ended and job.failed_count) else None,
        metadata=canonical(metadata),
        steps=tuple(
            StepRow(step.number, step.name, step_status(step.status), message)
            for step, message in zip(steps(job.status), messages, strict=True)
        ),
    )


def step_status(status: str) -> str:
    """The host's page has icons for `pending`, `running`, `completed` and `failed` only.

    As the host's processor does, this marks the open steps of a cancelled job as failed.
    """
    return "failed" if status == JobStatus.CANCELLED else status


def _pushed(job: PushJob) -> str:
    """The counts that the progress bar shows."""
    more = [f"{job.failed_count:,} failed"] if job.failed_count else []
    more += [f"{job.cancelled_count:,} cancelled"] if job.cancelled_count else []
    return ", ".join([progress(job.success_count, job.to_send), *more])


def _summary(job: PushJob) -> str | None:
    if not job.has_ended:
        return None
    cause = EXPLANATIONS[Cause(job.main_cause)].message if job.main_cause else None
    result = summary(job.push_mode, job.lead_count, job.success_count, job.failed_count, job.skipped_before, cause)
    if job.cancelled_count and job.success_count + job.failed_count:
        result = f"{result} {leads(job.cancelled_count)} cancelled."
    if cause is not None and job.success_count and job.failed_count:
        result = f"{result} Main cause of the failures: {cause}"
    return f"{result} {maybe_in_clay_warning(job.unsure_count)}" if job.unsure_count else result


def canonical(metadata: object) -> str:
    return json.dumps(metadata, sort_keys=True)
