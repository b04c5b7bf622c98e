"""Routes of the integrations: tiles, Clay's panel, its settings, the connection test and the set-up guide."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.request_state import Clock
from clay_push_service.callers.turns import Lane
from clay_push_service.clay import webhook_client
from clay_push_service.clay.dependencies import Client
from clay_push_service.console.pages.detached import ConfigDetached, DetachedPage
from clay_push_service.console.pages.integrations.clay_panel import show_clay
from clay_push_service.console.pages.integrations.settings_form import read_update
from clay_push_service.console.pages.integrations.tiles import tiles_of
from clay_push_service.console.pages.page import ReadPage
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.destinations.dependencies import Box, Resolver
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.inbound.schemas import PATH as RESULTS_PATH
from clay_push_service.enrichment.inbound.tokens import list_tokens, read_endpoint
from clay_push_service.enrichment.settings.table import read_settings
from clay_push_service.errors import ClayPushError, ConflictError, InvalidError

CLAY_GUIDE_URL: Final = "https://university.clay.com/docs/webhook-integration-guide"
CLAY: Final = "/console/integrations/clay"
SETTINGS_LANE = [Depends(RouteLimits(lane=Lane.SETTINGS))]

router = APIRouter(prefix="/console/integrations", include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_integrations(page: ReadPage) -> Response:
    org_id = page.caller.org_id
    enrichment = (await read_settings(page.connection, [org_id])).get(org_id)
    tiles = tiles_of(
        await page.service.read_status(),
        has_api_key=enrichment is not None and enrichment.sealed_api_key is not None,
        has_results_token=bool(await list_tokens(page.connection, org_id)),
        may_configure=Scope.CONFIG in page.caller.scopes,
    )
    return await page.render("integrations/list.html", section="integrations", title="Integrations", tiles=tiles)


@router.get("/clay")
async def read_clay(page: ReadPage) -> Response:
    return await show_clay(page)


@router.get("/clay/set-up")
async def read_set_up(page: ReadPage) -> Response:
    """How to make a Clay table that receives leads and sends results back, with the texts to copy."""
    endpoint_id = await read_endpoint(page.connection, page.caller.org_id)
    status = await page.service.read_status()
    return await page.render(
        "integrations/set_up.html",
        section="integrations",
        title="Set up a Clay table",
        status=status,
        clay_guide_url=CLAY_GUIDE_URL,
        may_configure=Scope.CONFIG in page.caller.scopes,
        results_url=None
        if endpoint_id is None
        else f"{str(page.request.base_url).rstrip('/')}{RESULTS_PATH}{endpoint_id}",
        has_results_token=bool(await list_tokens(page.connection, page.caller.org_id)),
    )


@router.post("/clay/config", dependencies=SETTINGS_LANE)
async def save_clay(
    page: ConfigDetached, form: Posted, box: Box, resolver: Resolver, client: Client, clock: Clock
) -> Response:
    """Save the settings, and test the connection at once if the form requires it."""
    try:
        await page.destination_settings.write(box, resolver, read_update(form).change())
    except (InvalidError, ConflictError) as error:
        return page.redirect(f"{CLAY}#settings", error.detail, kind="problem")
    if not form.is_checked("test"):
        return page.redirect(CLAY, "The settings are saved.")
    return await _test(page, box, client, clock, before="The settings are saved. ")


@router.post("/clay/test", dependencies=SETTINGS_LANE)
async def test_clay(page: ConfigDetached, form: Posted, box: Box, client: Client, clock: Clock) -> Response:
    del form
    return await _test(page, box, client, clock)


async def _test(
    page: DetachedPage, box: SecretBox, client: webhook_client.ClayClient, clock: DatabaseClock, before: str = ""
) -> Response:
    """The stages are on the page: the audit log records the result."""
    try:
        finding = await page.destination_settings.test(box, client, clock)
    except ClayPushError as error:
        if error.status not in {403, 409, 429}:
            raise
        return page.redirect(f"{CLAY}#connection", f"{before}{error.detail}", kind="problem")
    text = " ".join(part for part in (finding.message, finding.remedy) if part)
    return page.redirect(f"{CLAY}#connection", f"{before}{text}", kind="done" if finding.success else "problem")


@router.post("/clay/remove", dependencies=SETTINGS_LANE)
async def remove_clay(page: ConfigDetached, form: Posted) -> Response:
    del form
    ended = await page.destination_settings.remove()
    if ended is None:
        return page.redirect(CLAY, "There was no Clay webhook to remove.")
    return page.redirect(CLAY, f"The Clay webhook was removed. {ended:,} queued leads will not be sent.")


@router.post("/clay/new-table", dependencies=SETTINGS_LANE)
async def declare_new_table(page: ConfigDetached, form: Posted) -> Response:
    try:
        version = int(form.text("version"))
    except ValueError:
        raise InvalidError("version: must be a whole number.") from None
    await page.destination_settings.declare_new_table(version)
    return page.redirect(CLAY, "The webhook feeds a new table: no lead counts as already in Clay.")


@router.post("/clay/pending/{pending_id}/confirm", dependencies=SETTINGS_LANE)
async def confirm_pending(
    page: ConfigDetached, pending_id: UUID, form: Posted, box: Box, resolver: Resolver
) -> Response:
    try:
        await page.destination_settings.confirm(box, resolver, pending_id, new_table=form.is_checked("new_table"))
    except (InvalidError, ConflictError) as error:
        return page.redirect(CLAY, error.detail, kind="problem")
    return page.redirect(CLAY, "The webhook of NexusLeads' settings is in use.")


@router.post("/clay/pending/{pending_id}/reject", dependencies=SETTINGS_LANE)
async def reject_pending(page: ConfigDetached, pending_id: UUID, form: Posted) -> Response:
    del form
    await page.destination_settings.reject(pending_id)
    return page.redirect(CLAY, "The current webhook stays in use.")
