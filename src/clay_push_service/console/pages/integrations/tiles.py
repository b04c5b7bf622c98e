"""The tiles of the integrations page, each in one of four states: connected, not configured, Enterprise, coming soon."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clay_push_service.console.pages.jobs.sentence import Pill
from clay_push_service.push_jobs.queries.status import StatusView
from clay_push_service.push_jobs.queries.table_status import TableStatus

CONNECTED: Final = Pill("Connected", "good", "circle-check")
NOT_TESTED: Final = Pill("Configured, not tested", "wait", "circle-dashed")
NOT_CONFIGURED: Final = Pill("Not configured", "none", "circle-dashed")
ENTERPRISE: Final = Pill("Enterprise", "unsure", "lock")
COMING_SOON: Final = Pill("Coming soon", "none", "clock")
WAITING: Final = Pill("Waiting", "wait", "clock")
OPEN: Final = Pill("Open", "good", "circle-check")
CLOSED: Final = Pill("Closed", "bad", "circle-alert")
SUSPECT: Final = Pill("Results missing", "bad", "triangle-alert")


@dataclass(frozen=True, slots=True)
class Tile:
    name: str
    icon: str
    text: str
    state: Pill
    label: str
    """Text of the link; empty: the tile has no link."""
    href: str


def clay_state(status: StatusView) -> Pill:
    """State of the destination, for tile and panel. A closed gate comes first: nothing is sent then."""
    if not status.available:
        return ENTERPRISE
    if status.destination is None:
        return NOT_CONFIGURED
    if status.destination.state == "closed":
        return CLOSED
    if status.destination.state == "waiting":
        return WAITING
    if status.destination.results_missing_since is not None:
        return SUSPECT
    return CONNECTED if status.connected else NOT_TESTED


def table_state(table: TableStatus) -> Pill:
    """State of one of several destinations."""
    if not table.configured:
        return NOT_CONFIGURED
    if table.state == "closed":
        return CLOSED
    if table.state == "waiting":
        return WAITING
    return SUSPECT if table.results_missing_since is not None else OPEN


def tiles_of(status: StatusView, *, has_api_key: bool, has_results_token: bool, may_configure: bool) -> Sequence[Tile]:
    open_, configure = "Open", "Configure" if may_configure else "Open"
    state = clay_state(status)
    gated = None if status.available else ENTERPRISE
    tiles = [
        Tile(
            "Clay", "send", "Push leads into a Clay table.", state, configure if state is NOT_CONFIGURED else open_,
            "/console/integrations/clay",
        ),
        Tile(
            "Clay enrichment", "sparkles", "Request e-mail addresses, companies and more from Clay.",
            gated or (CONNECTED if has_api_key else NOT_CONFIGURED), "", "",
        ),
        Tile(
            "Results from Clay", "database-zap", "Clay's tables send found values back to your leads.",
            gated or (CONNECTED if has_results_token else NOT_CONFIGURED),
            configure if may_configure else "", "/console/integrations/clay/set-up#results",
        ),
    ]  # fmt: skip
    later = [
        Tile("Salesforce", "blocks", "Push leads into Salesforce.", COMING_SOON, "", ""),
        Tile("HubSpot", "blocks", "Push leads into HubSpot.", COMING_SOON, "", ""),
    ]
    return [*tiles, *later]
