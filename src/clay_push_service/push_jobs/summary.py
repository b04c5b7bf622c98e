"""Describes a push job in words: steps, progress, warnings, summary and the message of a new push. Pure functions."""

from typing import Final, Literal

from clay_push_service.push_jobs.views import Step
from clay_push_service.states import JobStatus, PushMode

STEPS: Final = ("Preparing leads", "Pushing to Clay", "Completing")
"""The feature document, section 5.2."""
QUEUED: Final = "Clay push job queued"
ENDED: Final = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})

StepStatus = Literal["pending", "running", "completed", "failed", "cancelled"]


def steps(status: JobStatus) -> list[Step]:
    """Leads are prepared when the job is accepted, so the first step is always completed."""
    by_status: dict[JobStatus, tuple[StepStatus, StepStatus]] = {
        JobStatus.PENDING: ("pending", "pending"),
        JobStatus.RUNNING: ("running", "pending"),
        JobStatus.COMPLETED: ("completed", "completed"),
        JobStatus.FAILED: ("failed", "completed"),
        JobStatus.CANCELLED: ("cancelled", "cancelled"),
    }
    states: tuple[StepStatus, ...] = ("completed", *by_status[status])
    return [
        Step(number=number, name=name, status=state)
        for number, (name, state) in enumerate(zip(STEPS, states, strict=True), start=1)
    ]


def progress(success: int, to_send: int) -> str:
    return f"Pushed {success:,} of {to_send:,} leads to Clay"


def progress_percent(success: int, failed: int, to_send: int) -> float:
    """The share of the leads to send that have an outcome; counts the same leads as `progress`."""
    return round(100 * (success + failed) / to_send, 1) if to_send else 100.0


def page_warning(pages: int) -> str:
    return (
        f"{leads(pages)} got a web page as the response and may not be in Clay: test the webhook, and compare its URL with the"
        " table's webhook source."
    )


def maybe_in_clay_warning(unsure: int) -> str:
    return f"{leads(unsure)} may already be in Clay: no clear response was received."


def warnings(
    status: JobStatus,
    success: int,
    failed: int,
    skipped: int,
    unsure: int,
    *,
    pages: int = 0,
    stalled: str | None = None,
) -> list[str]:
    """For a running job, why nothing is sent (`stalled`); for an ended job, what may be in Clay and what failed.

    `pages`: leads that got a web page as their response, reported in both cases.
    """
    found = [page_warning(pages)] if pages else []
    if status not in ENDED:
        return found if stalled is None else [stalled, *found]
    completed = status is JobStatus.COMPLETED
    if failed and completed:
        found.append(f"{leads(failed)} failed.")
    if unsure:
        found.append(maybe_in_clay_warning(unsure))
    if completed and skipped and not success and not failed:
        found.append("Nothing was sent.")
    return found


def no_leads(push_mode: str) -> str:
    """Why a push job has no leads."""
    return "The project has no leads." if push_mode == PushMode.ALL else "No lead of the project matches these filters."


def nothing_queued(push_mode: str, lead_count: int, main_cause: str | None) -> str:
    """Why a push queued nothing: no leads, or the message of the most frequent cause."""
    if not lead_count:
        return f"Nothing was queued. {no_leads(push_mode)}"
    text = f"Nothing was queued: {leads(lead_count)} skipped."
    return f"{text} {main_cause}" if main_cause else text


def summary(push_mode: str, lead_count: int, success: int, failed: int, skipped: int, main_cause: str | None) -> str:
    """For an ended job: "X pushed, Y failed, Z skipped" (the feature document, section 5.2), and the main cause if nothing was sent."""
    if not lead_count:
        return no_leads(push_mode)
    text = f"{success:,} pushed, {failed:,} failed, {skipped:,} skipped."
    return f"{text} {main_cause}" if not success and main_cause else text


def leads(count: int) -> str:
    return "1 lead" if count == 1 else f"{count:,} leads"
