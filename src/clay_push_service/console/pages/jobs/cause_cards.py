"""The cause cards of a job: number of leads, cause, who has to act, and one action for exactly these leads. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from clay_push_service.clay.cause import Cause, Who
from clay_push_service.console.pages.jobs.tabs import rows_link
from clay_push_service.console.pages.words import counted
from clay_push_service.push_jobs.summary import ENDED
from clay_push_service.push_jobs.views import CauseView, JobView


class Action(StrEnum):
    RETRY = "retry"
    """Sends these leads again as a new push job."""
    SEND_AGAIN = "send_again"
    """Sends these leads again as a new push job, after a warning: Clay may have them already."""
    NONE = "none"


WHO: Final = MappingProxyType(
    {
        Who.YOU: "You can fix it.",
        Who.CLAY_ADMIN: "Your Clay admin can fix it.",
        Who.OPERATOR: "The NexusLeads operator can fix it.",
        Who.NONE: "Nothing to fix.",
    }
)


@dataclass(frozen=True, slots=True)
class Card:
    cause: Cause
    count: int
    href: str
    message: str
    remedy: str
    who: str
    action: Action
    label: str
    """Text of the button. It contains the number of leads."""


def cards_of(job: JobView) -> list[Card]:
    return [_card(job, each) for each in job.causes]


def _card(job: JobView, found: CauseView) -> Card:
    action = action_of(found)
    leads = counted(found.count, "lead")
    return Card(
        cause=found.cause,
        count=found.count,
        href=rows_link(job.id, "all", cause=found.cause),
        message=found.message,
        remedy=found.remedy,
        who=WHO[found.who],
        action=action if job.status in ENDED else Action.NONE,
        label={Action.RETRY: f"Retry {leads}", Action.SEND_AGAIN: f"Send {leads} again", Action.NONE: ""}[action],
    )


def action_of(found: CauseView) -> Action:
    if found.cause is Cause.UNKNOWN:
        return Action.SEND_AGAIN
    return Action.RETRY if found.retryable else Action.NONE
