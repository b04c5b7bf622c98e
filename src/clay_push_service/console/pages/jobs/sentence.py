"""Describes a push job in sentences composed from its counts, and its state as a pill. Pure."""

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.console.pages.words import counted, duration, moment
from clay_push_service.push_jobs.summary import ENDED, no_leads
from clay_push_service.push_jobs.views import JobView, Waiting
from clay_push_service.states import JobStatus, PushMode


@dataclass(frozen=True, slots=True)
class Pill:
    """The macro `pill` draws it: `tone` is a colour, and a word and an icon are always there."""

    word: str
    tone: str
    icon: str


_PILLS: Final = MappingProxyType(
    {
        JobStatus.PENDING: Pill("Queued", "none", "clock"),
        JobStatus.RUNNING: Pill("Running", "busy", "loader"),
        JobStatus.COMPLETED: Pill("Completed", "good", "circle-check"),
        JobStatus.FAILED: Pill("Failed", "bad", "circle-x"),
        JobStatus.CANCELLED: Pill("Cancelled", "none", "ban"),
    }
)
_WAITING: Final = Pill("Waiting", "wait", "clock")
_WITH_FAILURES: Final = Pill("Completed, some failed", "wait", "circle-alert")
_UNSURE: Final = Pill("Completed, some unclear", "unsure", "circle-help")
MODES: Final = MappingProxyType(
    {
        PushMode.SELECTED: "Selected leads",
        PushMode.FILTERED: "Filtered leads",
        PushMode.ALL: "All leads of the project",
        PushMode.AUTO: "Automatic, after a scan",
        PushMode.RETRY: "Retry",
    }
)


def job_pill(job: JobView) -> Pill:
    """Waiting is a state of its own, because it is neither progress nor failure."""
    if job.waiting is not None:
        return _WAITING
    if job.status is JobStatus.COMPLETED and job.failed_count:
        return _UNSURE if job.failed_count == job.unknown_count else _WITH_FAILURES
    return _PILLS[job.status]


def job_sentence(job: JobView) -> str:
    """`Of 212 leads, 198 are in Clay, 2 failed (1 may be in Clay) and 12 were skipped.` Its numbers add up to the first."""
    if not job.lead_count:
        return no_leads(job.push_mode)
    parts = [_part(job.success_count, "is in Clay", "are in Clay")]
    failed = _part(job.failed_count, "failed", "failed")
    if failed and job.unknown_count:
        failed += f" ({job.unknown_count:,} may be in Clay)"
    parts += [failed, _part(job.skipped_count, "was skipped", "were skipped")]
    parts.append(_part(job.pending_count, "is still to be sent", "are still to be sent"))
    return f"Of {counted(job.lead_count, 'lead')}, {_listed([part for part in parts if part])}."


def pace_sentence(job: JobView) -> str:
    """Rate and time left of a running job, or what it waits for; empty for an ended job."""
    if job.status in ENDED:
        return ""
    if job.waiting is not None:
        return _waiting_sentence(job.waiting)
    if job.rate is None:
        return "Starts in a moment." if job.status is JobStatus.PENDING and not job.warnings else ""
    rate = f"{job.rate:,.1f}".removesuffix(".0")
    time_left = "" if job.eta_seconds is None else f", about {duration(job.eta_seconds)} left"
    return f"{rate} {'lead' if rate == '1' else 'leads'} per second{time_left}"


def _waiting_sentence(waiting: Waiting) -> str:
    until = "" if waiting.until is None else f" Sending continues at {_clock(waiting.until)}."
    if isinstance(waiting.reason, Cause):
        return f"{EXPLANATIONS[waiting.reason].message} The leads stay queued.{until}"
    if waiting.reason == "throttled":
        return f"Clay has requested a pause. The leads stay queued.{until}"
    return f"Leads without a clear success are sent again.{until}"


def _clock(value: datetime) -> str:
    return moment(value).partition(", ")[2]


def _part(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}" if count else ""


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
