"""Routes of the destinations: list, new, change, test, new table, default and archive."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.request_state import Clock
from clay_push_service.callers.turns import Lane
from clay_push_service.clay import webhook_client
from clay_push_service.clay.dependencies import Client
from clay_push_service.console.pages.destinations.forms import LABELS, SECRET, read_body, read_update
from clay_push_service.console.pages.destinations.views import show_destination, show_destinations, show_new
from clay_push_service.console.pages.detached import ConfigDetached, DetachedPage
from clay_push_service.console.pages.form_state import FormState, raise_unless_shown
from clay_push_service.console.pages.page import ConfigPage, ReadPage
from clay_push_service.console.pages.words import counted
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.destination_settings.named.schemas import DestinationUpdate
from clay_push_service.destination_settings.named.service import NamedDestinations
from clay_push_service.destinations.dependencies import Box, Resolver, require_box
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.errors import ClayPushError, ConflictError, InvalidError

PAGE_URL: Final = "/console/destinations"
SETTINGS_LANE = [Depends(RouteLimits(lane=Lane.SETTINGS))]
TEST_REFUSALS: Final = frozenset({403, 409, 429})
"""Statuses of a test that the page of the destination shows as a message."""

router = APIRouter(prefix=PAGE_URL, include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_destinations_page(page: ReadPage, archived: bool = False) -> Response:
    return await show_destinations(page, archived=archived)


@router.get("/new")
async def new_destination_page(page: ConfigPage) -> Response:
    return await show_new(page)


@router.post("", dependencies=SETTINGS_LANE)
async def create_destination_page(
    page: ConfigDetached, form: Posted, box: Box, resolver: Resolver, client: Client, clock: Clock
) -> Response:
    """Save it, and send a sample row at once if the form requires it."""
    try:
        destination = await NamedDestinations(page.destination_settings).create(box, resolver, read_body(form))
    except (InvalidError, ConflictError) as error:
        raise_unless_shown(error)
        async with page.open() as shown:
            return await show_new(shown, FormState.refused(form, error, fields=LABELS, secret=SECRET), error.status)
    saved = f"The destination “{destination.name}” is saved."
    if not form.is_checked("test"):
        return page.redirect(f"{PAGE_URL}/{destination.id}", saved)
    return await _test(page, box, client, clock, destination.id, before=f"{saved} ")


@router.get("/{destination_id}")
async def read_destination_page(page: ReadPage, destination_id: UUID) -> Response:
    return await show_destination(page, destination_id)


@router.post("/{destination_id}", dependencies=SETTINGS_LANE)
async def change_destination_page(
    page: ConfigDetached, destination_id: UUID, form: Posted, request: Request, resolver: Resolver
) -> Response:
    service = NamedDestinations(page.destination_settings)
    try:
        update = read_update(form)
        await service.change(lambda: require_box(request), resolver, destination_id, update)
    except (InvalidError, ConflictError) as error:
        raise_unless_shown(error)
        state = FormState.refused(form, error, fields=LABELS, secret=SECRET)
        async with page.open() as shown:
            return await show_destination(shown, destination_id, state, error.status)
    return page.redirect(f"{PAGE_URL}/{destination_id}", "The destination is saved.")


@router.post("/{destination_id}/test", dependencies=SETTINGS_LANE)
async def test_destination_page(
    page: ConfigDetached, destination_id: UUID, form: Posted, box: Box, client: Client, clock: Clock
) -> Response:
    del form
    return await _test(page, box, client, clock, destination_id)


@router.post("/{destination_id}/default", dependencies=SETTINGS_LANE)
async def make_default_page(
    page: ConfigDetached, destination_id: UUID, form: Posted, request: Request, resolver: Resolver
) -> Response:
    del form
    url = f"{PAGE_URL}/{destination_id}"
    service, update = NamedDestinations(page.destination_settings), DestinationUpdate(is_default=True)
    try:
        destination = await service.change(lambda: require_box(request), resolver, destination_id, update)
    except ConflictError as error:
        return page.redirect(url, error.detail, kind="problem")
    return page.redirect(url, f"“{destination.name}” is the default destination now. NexusLeads' own pages push to it.")


@router.post("/{destination_id}/new-table", dependencies=SETTINGS_LANE)
async def declare_new_table_page(page: ConfigDetached, destination_id: UUID, form: Posted) -> Response:
    try:
        version = int(form.text("version"))
    except ValueError:
        raise InvalidError("version: must be a whole number.") from None
    await NamedDestinations(page.destination_settings).declare_new_table(destination_id, version)
    return page.redirect(
        f"{PAGE_URL}/{destination_id}", "The webhook feeds a new table: no lead counts as already in it."
    )


@router.post("/{destination_id}/archive", dependencies=SETTINGS_LANE)
async def archive_destination_page(page: ConfigDetached, destination_id: UUID, form: Posted) -> Response:
    del form
    url = f"{PAGE_URL}/{destination_id}"
    try:
        ended = await NamedDestinations(page.destination_settings).archive(destination_id)
    except ConflictError as error:
        return page.redirect(url, error.detail, kind="problem")
    if ended is None:
        return page.redirect(url, "The destination was archived already.")
    unsent = f" {counted(ended, 'queued lead')} will not be sent." if ended else ""
    return page.redirect(url, f"The destination is archived, and its history stays.{unsent}")


async def _test(
    page: DetachedPage,
    box: SecretBox,
    client: webhook_client.ClayClient,
    clock: DatabaseClock,
    destination_id: UUID,
    before: str = "",
) -> Response:
    """The stages are on the page of the destination: the audit log records the result."""
    url = f"{PAGE_URL}/{destination_id}#connection"
    try:
        finding = await NamedDestinations(page.destination_settings).test(box, client, clock, destination_id)
    except ClayPushError as error:
        if error.status not in TEST_REFUSALS:
            raise
        return page.redirect(url, f"{before}{error.detail}", kind="problem")
    text = " ".join(part for part in (finding.message, finding.remedy) if part)
    return page.redirect(url, f"{before}{text}", kind="done" if finding.success else "problem")
