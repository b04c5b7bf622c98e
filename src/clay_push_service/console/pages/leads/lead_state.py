"""Describes the state of a lead in Clay: a pill, and what a push of the lead would do. Pure."""

from types import MappingProxyType
from typing import Final

from clay_push_service.console.pages.jobs.sentence import Pill
from clay_push_service.push_jobs.views import LeadClay, LeadStateName

_PILLS: Final = MappingProxyType[LeadStateName, Pill](
    {
        "never": Pill("Not in Clay", "none", "circle-dashed"),
        "pushing": Pill("Queued", "busy", "clock"),
        "in_clay": Pill("In Clay", "good", "check"),
        "changed": Pill("In Clay, changed since", "wait", "history"),
        "unknown": Pill("May be in Clay", "unsure", "circle-help"),
        "failed": Pill("Failed", "bad", "circle-x"),
        "excluded": Pill("Excluded", "none", "ban"),
    }
)
_CONFIRMED: Final = Pill("Confirmed in Clay", "good", "circle-check")
AGAIN: Final = frozenset[LeadStateName]({"in_clay", "changed", "unknown"})
"""A push of these leads may create a second row, so it is requested explicitly."""


def lead_pill(clay: LeadClay) -> Pill:
    return _CONFIRMED if clay.state == "in_clay" and clay.confirmed_at is not None else _PILLS[clay.state]
