"""The tabs of a job's leads, each with its counter and the filter that selects exactly these rows. Pure."""

from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode
from uuid import UUID

from clay_push_service.clay.cause import Cause
from clay_push_service.push_jobs.summary import ENDED
from clay_push_service.push_jobs.views import JobView
from clay_push_service.states import DeliveryStatus

TabKey = Literal["all", "failed", "unclear", "skipped", "in_clay", "waiting"]


@dataclass(frozen=True, slots=True)
class Kind:
    key: TabKey
    label: str
    counter: str
    """The counter of the job that equals the number of rows."""
    status: DeliveryStatus | None = None
    cause: Cause | None = None


KINDS: Final = (
    Kind("all", "All", "lead_count"),
    Kind("failed", "Failed", "failed_count", DeliveryStatus.FAILED),
    Kind("unclear", "May be in Clay", "unknown_count", DeliveryStatus.FAILED, Cause.UNKNOWN),
    Kind("skipped", "Skipped", "skipped_count", DeliveryStatus.SKIPPED),
    Kind("in_clay", "In Clay", "success_count", DeliveryStatus.SUCCESS),
    Kind("waiting", "To send", "pending_count", DeliveryStatus.PENDING),
)
BY_KEY: Final = {kind.key: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    href: str
    count: int
    is_current: bool
    digits: int
    """Digits of the largest count. Every tab has this width, so that no tab moves while counts grow."""


def default_tab(job: JobView) -> TabKey:
    """Returns the tab of the failed leads for an ended job that has some, else the tab of all leads."""
    return "failed" if job.failed_count and job.status in ENDED else "all"


def count_of(job: JobView, kind: Kind) -> int:
    count: int = getattr(job, kind.counter)
    return count


def tabs_of(job: JobView, current: TabKey) -> list[Tab]:
    digits = len(str(job.lead_count))
    return [
        Tab(kind.label, rows_link(job.id, kind.key), count_of(job, kind), is_current=kind.key == current, digits=digits)
        for kind in KINDS
    ]


def rows_link(job_id: UUID, tab: TabKey, *, cause: Cause | None = None, search: str = "", after: str = "") -> str:
    """Returns the URL of these rows. The list has no other state."""
    parameters = {"tab": tab, "cause": cause.value if cause else "", "q": search, "after": after}
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"/console/jobs/{job_id}?{query}#leads"
