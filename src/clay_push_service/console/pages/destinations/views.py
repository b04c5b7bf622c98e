"""Reads destinations for pages, and renders their list, their own page and their form."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.clay.cause import EXPLANATIONS
from clay_push_service.console.pages.destinations.forms import DEDUPE_TEXTS, new_state, pace_text, state_of
from clay_push_service.console.pages.form_state import FormState
from clay_push_service.console.pages.integrations.clay_panel import EXAMPLE_URL, RESULTS, STAGE_LABELS
from clay_push_service.console.pages.integrations.tiles import CLOSED, NOT_CONFIGURED, OPEN, WAITING
from clay_push_service.console.pages.jobs.sentence import Pill
from clay_push_service.console.pages.mappings.reads import read_mapped
from clay_push_service.console.pages.overview import charts
from clay_push_service.console.pages.page import Page
from clay_push_service.destination_settings.connection_test.send_row import read_last_test
from clay_push_service.destination_settings.named.forecast import read_forecasts
from clay_push_service.destination_settings.named.schemas import NamedDestination
from clay_push_service.destination_settings.named.store import destination_not_found
from clay_push_service.destination_settings.named.used_by import uses_of
from clay_push_service.destination_settings.named.workspaces import list_workspaces
from clay_push_service.destinations.read import DestinationView, destination_view, destination_views
from clay_push_service.mapping_settings.service import list_mappings

SECTION: Final = "destinations"
ARCHIVED: Final = Pill("Archived", "none", "archive")
RESULTS_STOPPED: Final = Pill("Results have stopped", "unsure", "triangle-alert")


def state_pill(destination: NamedDestination) -> Pill:
    if destination.archived_at is not None:
        return ARCHIVED
    if not destination.configured:
        return NOT_CONFIGURED
    if destination.state == "closed":
        return CLOSED
    if destination.state == "waiting":
        return WAITING
    return RESULTS_STOPPED if destination.results_missing_since is not None else OPEN


async def read_destinations(page: Page, *, archived: bool = False) -> Sequence[NamedDestination]:
    views = await destination_views(page.connection, page.caller.org_id, archived=archived)
    quotas = await read_forecasts(page.connection, page.caller.org_id, views, page.now)
    return [NamedDestination.of(view, quotas.get(view.id)) for view in views]


async def require_destination_view(page: Page, destination_id: UUID) -> DestinationView:
    """Raises 404 `destination_not_found`."""
    view = await destination_view(page.connection, page.caller.org_id, destination_id)
    if view is None:
        raise destination_not_found()
    return view


async def show_destinations(page: Page, *, archived: bool) -> Response:
    return await page.render(
        "destinations/list.html", section=SECTION, title="Destinations", archived=archived,
        destinations=await read_destinations(page, archived=archived), state_pill=state_pill, pace_text=pace_text,
        dedupe_texts=DEDUPE_TEXTS, charts=charts, may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


async def show_new(page: Page, state: FormState | None = None, code: int = 200) -> Response:
    return await page.render(
        "destinations/new.html", section=SECTION, title="Add a destination", code=code, state=state or new_state(),
        workspaces=await list_workspaces(page.connection, page.caller.org_id), dedupe_texts=DEDUPE_TEXTS,
        example_url=EXAMPLE_URL, pace_text=pace_text,
    )  # fmt: skip


async def show_destination(
    page: Page, destination_id: UUID, state: FormState | None = None, code: int = 200
) -> Response:
    """Raises 404 `destination_not_found`."""
    org_id = page.caller.org_id
    view = await require_destination_view(page, destination_id)
    quotas = await read_forecasts(page.connection, org_id, [view], page.now)
    destination = NamedDestination.of(view, quotas.get(view.id))
    last_test = None
    if view.webhook is not None:
        last_test = await read_last_test(page.connection, org_id, view.webhook.version_id)
    return await page.render(
        "destinations/destination.html", section=SECTION, title=destination.name, code=code, destination=destination,
        pill_of=state_pill(destination), state=state or state_of(destination), last_test=last_test,
        reason=EXPLANATIONS[destination.reason] if destination.reason else None, stage_labels=STAGE_LABELS,
        results=RESULTS, uses=await uses_of(page.connection, org_id, destination_id), charts=charts,
        today=page.now.date(), workspaces=await list_workspaces(page.connection, org_id), dedupe_texts=DEDUPE_TEXTS,
        pace_text=pace_text, offers_new_table=view.offers_new_table, mappings=await list_mappings(page.connection, org_id),
        mapped=(await read_mapped(page.connection, org_id)).get(destination_id),
        may_configure=Scope.CONFIG in page.caller.scopes and destination.archived_at is None,
    )  # fmt: skip
