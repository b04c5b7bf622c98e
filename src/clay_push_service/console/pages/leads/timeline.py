"""The events of a delivery in their order, from its stored times and counts. Pure."""

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from clay_push_service.console.pages.words import counted
from clay_push_service.push_jobs.detail_views import DeliveryDetail, PayloadComparison
from clay_push_service.states import DeliveryStatus

PAYLOAD_WORDS: Final = MappingProxyType(
    {
        PayloadComparison.SAME: "The lead has not changed since this push: this is what Clay received.",
        PayloadComparison.CHANGED: "The lead has changed since this push. Clay received the data of that time; this is the data now.",
        PayloadComparison.NOT_COMPARABLE: "This is the lead's data now. It cannot be compared with what was sent, if anything was.",
        PayloadComparison.NOT_BUILDABLE: "The lead's data now cannot be converted to a row for Clay.",
        PayloadComparison.LEAD_GONE: "The lead is no longer in this project of NexusLeads.",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime | None
    """None: the time was not stored."""
    title: str
    text: str
    icon: str
    tone: str


def timeline(delivery: DeliveryDetail) -> list[Event]:
    """Attempts share one event: the ledger stores their number and the last response, not each time."""
    events = [Event(delivery.queued_at, "Queued", "The push was accepted.", "clock", "none")]
    if delivery.attempts:
        events.append(Event(None, counted(delivery.attempts, "attempt"), _attempts(delivery), "send", "busy"))
    if delivery.next_attempt_at is not None:
        events.append(Event(delivery.next_attempt_at, "Next attempt", "It is planned.", "clock", "wait"))
    if delivery.status is DeliveryStatus.SUCCESS:
        events.append(Event(delivery.pushed_at, "In Clay", "Clay accepted the lead.", "check", "good"))
    elif delivery.finished_at is not None:
        is_failed = delivery.status is DeliveryStatus.FAILED
        title, icon, tone = ("Failed", "circle-x", "bad") if is_failed else ("Skipped", "circle-minus", "none")
        events.append(Event(delivery.finished_at, title, delivery.error_message or "", icon, tone))
    if delivery.confirmed_at is not None:
        text = "A result from Clay named this delivery: its row exists."
        events.append(Event(delivery.confirmed_at, "Confirmed in Clay", text, "circle-check", "good"))
    return events


def _attempts(delivery: DeliveryDetail) -> str:
    parts = []
    if delivery.clay_response_status is not None:
        parts.append(f"Clay's last status was {delivery.clay_response_status}.")
    if delivery.duration_ms is not None:
        parts.append(f"The last request took {delivery.duration_ms:,} ms.")
    if delivery.uncertain_attempts:
        parts.append(f"{delivery.uncertain_attempts:,} got no clear response: Clay may have a row for each.")
    return " ".join(parts) or "Clay gave no response."
