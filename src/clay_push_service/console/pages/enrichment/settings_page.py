"""Routes of the enrichment settings: API key, routines with their maps, pace, budgets, and the staged test."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ValidationError
from starlette.responses import Response

from clay_push_service.audit import audit
from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.request_state import Clock
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.dependencies import Client
from clay_push_service.console.pages.detached import ConfigDetached, DetachedPage
from clay_push_service.console.pages.enrichment import sentence
from clay_push_service.console.pages.enrichment.settings_form import (
    map_text,
    read_routine,
    read_run_webhook,
    read_update,
    without_routine,
)
from clay_push_service.console.pages.jobs.sentence import Pill
from clay_push_service.console.pages.page import ConfigPage, ReadPage
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.destinations.dependencies import Box
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.maps import ABOUT_RESULT, FIELDS, INPUT_VALUES
from clay_push_service.enrichment.settings.pace import resume_rules
from clay_push_service.enrichment.settings.schemas import EnrichmentUpdate
from clay_push_service.enrichment.settings.service import read_config
from clay_push_service.enrichment.settings.staged_test import StageName, StageStatus
from clay_push_service.enrichment.settings.table import ApiKeyState
from clay_push_service.enrichment.settings.trial_schemas import EnrichmentTestBody
from clay_push_service.enrichment.settings.try_settings import read_last_test, run_test
from clay_push_service.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, TooManyRequestsError

PAGE_URL: Final = "/console/enrichment/settings"
SETTINGS_LANE: Final = [Depends(RouteLimits(lane=Lane.SETTINGS))]
STAGES: Final[Mapping[StageName, str]] = MappingProxyType(
    {
        StageName.KEY: "API key",
        StageName.ENABLED: "API of the workspace",
        StageName.ROUTINE: "Routine",
        StageName.ITEM: "One lead",
    }
)
RESULTS: Final[Mapping[StageStatus, Pill]] = MappingProxyType(
    {
        StageStatus.PASSED: Pill("Passed", "good", "circle-check"),
        StageStatus.FAILED: Pill("Failed", "bad", "circle-x"),
        StageStatus.UNCLEAR: Pill("Unclear", "unsure", "circle-help"),
        StageStatus.NOT_RUN: Pill("Not run", "none", "circle-minus"),
    }
)
KEY_STATES: Final[Mapping[ApiKeyState, Pill]] = MappingProxyType(
    {
        ApiKeyState.UNTRIED: Pill("Key not tried", "none", "circle-dashed"),
        ApiKeyState.ACCEPTED: Pill("Key accepted", "good", "circle-check"),
        ApiKeyState.REFUSED: Pill("Key refused", "bad", "circle-x"),
    }
)
NO_KEY: Final = Pill("Not configured", "none", "circle-dashed")
EXAMPLE_INPUTS: Final = {"Full Name": "full_name", "Company Name": "company_name"}
EXAMPLE_OUTPUTS: Final = {"email": "Work Email"}
REFUSALS: Final = (InvalidError, ConflictError, ForbiddenError, NotFoundError, TooManyRequestsError)

router = APIRouter(prefix=PAGE_URL, include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def read_enrichment_settings(page: ReadPage) -> Response:
    org_id = page.caller.org_id
    config = await read_config(page.connection, page.tables, org_id, page.settings, page.request.app.state.box)
    return await page.render(
        "enrichment/settings.html",
        section="enrichment",
        title="Enrichment settings",
        config=config,
        state=KEY_STATES[config.key_state] if config.configured else NO_KEY,
        routines={Kind.FULL: config.routines.full, Kind.EMAIL: config.routines.email},
        tests={kind: await read_last_test(page.connection, org_id, kind) for kind in Kind},
        words=sentence,
        map_text=map_text,
        example_inputs=EXAMPLE_INPUTS,
        example_outputs=EXAMPLE_OUTPUTS,
        stages=STAGES,
        results=RESULTS,
        input_values=INPUT_VALUES,
        output_fields=(*FIELDS, *ABOUT_RESULT),
        run_webhook_url=f"{str(page.request.base_url).rstrip('/')}{config.run_webhook.path}"
        if config.run_webhook.path
        else None,
        may_configure=Scope.CONFIG in page.caller.scopes,
    )


@router.post("", dependencies=SETTINGS_LANE)
async def save_enrichment_settings(page: ConfigDetached, form: Posted) -> Response:
    try:
        await page.enrichment_settings.write(read_update(form))
    except REFUSALS as error:
        return page.redirect(PAGE_URL, error.detail, kind="problem")
    return page.redirect(PAGE_URL, "The settings are saved.")


@router.post("/routines/{kind}", dependencies=SETTINGS_LANE)
async def save_routine(page: ConfigDetached, kind: Kind, form: Posted) -> Response:
    try:
        await page.enrichment_settings.write(read_routine(form, kind))
    except REFUSALS as error:
        return page.redirect(f"{PAGE_URL}#{kind}", error.detail, kind="problem")
    return page.redirect(f"{PAGE_URL}#{kind}", "The routine is saved. Test it before you enrich leads.")


@router.post("/routines/{kind}/remove", dependencies=SETTINGS_LANE)
async def remove_routine(page: ConfigDetached, kind: Kind, form: Posted) -> Response:
    del form
    return await _write(page, without_routine(kind), "The routine is removed.")


@router.post("/run-webhook", dependencies=SETTINGS_LANE)
async def save_run_webhook(page: ConfigDetached, form: Posted) -> Response:
    try:
        update = read_run_webhook(form)
    except InvalidError as error:
        return page.redirect(f"{PAGE_URL}#run-webhook", error.detail, kind="problem")
    return await _write(page, update, "The webhook of finished runs is saved.")


@router.post("/remove-key", dependencies=SETTINGS_LANE)
async def remove_key(page: ConfigDetached, form: Posted) -> Response:
    del form
    removed = await page.enrichment_settings.remove()
    return page.redirect(PAGE_URL, "The Clay API key is removed." if removed else "There was no key to remove.")


@router.post("/pending/{pending_id}/confirm", dependencies=SETTINGS_LANE)
async def confirm_pending_key(page: ConfigDetached, pending_id: UUID, form: Posted, box: Box) -> Response:
    del form
    await page.enrichment_settings.confirm(box, pending_id)
    return page.redirect(PAGE_URL, "The change in NexusLeads' settings is in use.")


@router.post("/pending/{pending_id}/reject", dependencies=SETTINGS_LANE)
async def reject_pending_key(page: ConfigDetached, pending_id: UUID, form: Posted) -> Response:
    del form
    await page.enrichment_settings.reject(pending_id)
    return page.redirect(PAGE_URL, "The current key stays in use.")


@router.post("/resume-rules")
async def resume_auto_enrich(page: ConfigPage, form: Posted) -> Response:
    del form
    if not await resume_rules(page.connection, page.caller.org_id):
        return page.redirect(PAGE_URL, "The rules were not paused.")
    await audit(page.connection, page.caller.org_id, page.caller.actor, "auto_enrich.resumed")
    return page.redirect(PAGE_URL, "The rules may enrich leads again.")


@router.post("/test/{kind}", dependencies=SETTINGS_LANE)
async def test_routine(page: ConfigDetached, kind: Kind, form: Posted, client: Client, clock: Clock) -> Response:
    """The stages are on the page: the audit log records them."""
    try:
        body = EnrichmentTestBody(kind=kind, run_item=form.is_checked("run_item"), lead_id=form.uuid("lead_id"))
        result = await run_test(page.enrichment_settings, client, clock, body)
    except ValidationError:
        return page.redirect(f"{PAGE_URL}#{kind}", "Enter the id of the lead to enrich.", kind="problem")
    except REFUSALS as error:
        return page.redirect(f"{PAGE_URL}#{kind}", error.detail, kind="problem")
    wrong = next((stage for stage in result.stages if stage.status not in {"passed", "not_run"}), None)
    if wrong is not None:
        text = " ".join(part for part in (wrong.message, wrong.remedy) if part)
        return page.redirect(f"{PAGE_URL}#{kind}", text, kind="problem")
    found = f" Fields found: {', '.join(result.found)}." if result.found else ""
    return page.redirect(f"{PAGE_URL}#{kind}", f"All stages that were run have passed.{found}")


async def _write(page: DetachedPage, update: EnrichmentUpdate, message: str) -> Response:
    try:
        await page.enrichment_settings.write(update)
    except REFUSALS as error:
        return page.redirect(PAGE_URL, error.detail, kind="problem")
    return page.redirect(PAGE_URL, message)
