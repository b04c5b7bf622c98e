"""Routes of service keys, results tokens, the audit log and erasures. Each calls the function of its API endpoint."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.organization_keys import (
    GRANTABLE,
    create_organization_key,
    list_organization_keys,
    revoke_organization_key,
)
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.page import ConfigPage, ErasePage, Page
from clay_push_service.console.session.form import Form, Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.enrichment.inbound.schemas import PATH as RESULTS_PATH
from clay_push_service.enrichment.inbound.tokens import SLOTS, create_token, list_tokens, read_endpoint, revoke_token
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.pagination import Cursor
from clay_push_service.privacy.audit_log import read_audit_log
from clay_push_service.privacy.erase import MAX_LEADS, erase
from clay_push_service.privacy.preview import preview_erasure
from clay_push_service.privacy.receipt import read_receipt

SCOPE_TEXTS: Final = {
    Scope.PUSH: "Push leads, retry and cancel jobs",
    Scope.READ: "Read leads, jobs and settings",
    Scope.CONFIG: "Change and test the Clay settings",
    Scope.ERASE: "Erase leads",
    Scope.ENRICH: "Request values from Clay, and choose or correct them",
    Scope.RESULTS: "Read and apply results that Clay sent back",
}
ENTRIES_IN_A_PAGE: Final = 50

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)


@router.get("/keys")
async def list_keys_page(page: ErasePage) -> Response:
    return await _show_keys(page)


async def _show_keys(page: Page, new_key: str | None = None, problem: str | None = None, code: int = 200) -> Response:
    return await page.render(
        "settings/keys.html", section="keys", title="Service keys", code=code,
        keys=await list_organization_keys(page.connection, page.caller), new_key=new_key, problem=problem,
        scopes=[(scope, SCOPE_TEXTS[scope]) for scope in GRANTABLE], org_id=page.caller.org_id,
    )  # fmt: skip


@router.post("/keys")
async def create_key_page(page: ErasePage, form: Posted) -> Response:
    """The secret is on this response only, so there is no redirect."""
    scopes = [scope for scope in GRANTABLE if scope in form.texts("scope")]
    try:
        new_key = await create_organization_key(page.connection, page.caller, form.text("name"), scopes)
    except InvalidError as error:
        return await _show_keys(page, problem=error.detail, code=error.status)
    return await _show_keys(page, new_key=new_key.plain)


@router.post("/keys/{key_id}/revoke")
async def revoke_key_page(page: ErasePage, key_id: UUID, form: Posted) -> Response:
    del form
    key = await revoke_organization_key(page.connection, page.caller, key_id)
    return page.redirect("/console/keys", f"The key {key.name} is revoked. Requests with it are refused from now on.")


@router.get("/tokens")
async def list_tokens_page(page: ConfigPage) -> Response:
    return await _show_tokens(page)


async def _show_tokens(page: Page, new_token: str | None = None) -> Response:
    endpoint_id = await read_endpoint(page.connection, page.caller.org_id)
    base = str(page.request.base_url).rstrip("/")
    return await page.render(
        "settings/tokens.html", section="tokens", title="Results tokens", new_token=new_token,
        tokens=await list_tokens(page.connection, page.caller.org_id), most=len(SLOTS),
        results_url=None if endpoint_id is None else f"{base}{RESULTS_PATH}{endpoint_id}",
    )  # fmt: skip


@router.post("/tokens")
async def create_token_page(page: ConfigPage, form: Posted) -> Response:
    """The secret is on this response only, so there is no redirect."""
    del form
    try:
        new_token = await create_token(page.connection, page.caller.org_id, page.actor.name)
    except ConflictError as error:
        return page.redirect("/console/tokens", error.detail, kind="problem")
    return await _show_tokens(page, new_token.plain)


@router.post("/tokens/{token_id}/revoke")
async def revoke_token_page(page: ConfigPage, token_id: UUID, form: Posted) -> Response:
    del form
    await revoke_token(page.connection, page.caller.org_id, token_id, page.actor.name)
    return page.redirect("/console/tokens", "The token is revoked. Results that still arrive with it are refused.")


@router.get("/audit")
async def read_audit_page(page: ConfigPage, after: Cursor = None) -> Response:
    found = await read_audit_log(page.connection, page.caller.org_id, after=after, limit=ENTRIES_IN_A_PAGE)
    return await page.render("settings/audit.html", section="audit", title="Audit log", found=found, after=after)


@router.get("/privacy")
async def read_privacy_page(page: ErasePage) -> Response:
    return await page.render("settings/privacy.html", section="privacy", title="Erase leads", most=MAX_LEADS)


@router.post("/privacy/preview", dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))])
async def preview_erasure_page(page: ErasePage, form: Posted) -> Response:
    """Shows a confirmation that names what would be removed. Erases nothing."""
    ids = _lead_ids(form)
    return await page.render(
        "settings/erase_preview.html", section="privacy", title="Erase leads", lead_ids=ids,
        former_values=form.text("former_values"), found=await preview_erasure(page.connection, page.caller.org_id, ids),
    )  # fmt: skip


@router.post("/privacy/erase", dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))])
async def erase_page(page: ErasePage, form: Posted) -> Response:
    """Ids and former values, one on each line."""
    ids = _lead_ids(form)
    former = [line.strip() for line in form.text("former_values").splitlines() if line.strip()]
    erasure_id, _ = await erase(
        page.connection, page.tables, page.caller.org_id, page.caller.actor, ids, former or None
    )
    return page.redirect(
        f"/console/privacy/{erasure_id}", "Erased. Keep the receipt, and delete the rows in Clay that it lists."
    )


@router.get("/privacy/{erasure_id}")
async def read_receipt_page(page: ErasePage, erasure_id: UUID) -> Response:
    receipt = await read_receipt(page.connection, page.caller.org_id, erasure_id)
    return await page.render("settings/receipt.html", section="privacy", title="Receipt of an erasure", receipt=receipt)


def _lead_ids(form: Form) -> list[UUID]:
    """Each id once, in the order of the form."""
    ids = list(dict.fromkeys(_lead_id(each) for each in form.text("lead_ids").split()))
    if not ids or len(ids) > MAX_LEADS:
        raise InvalidError(f"Enter 1 to {MAX_LEADS:,} lead ids, one on each line.")
    return ids


def _lead_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"“{text[:60]}” is not a lead id. Copy the ids from NexusLeads, one on each line.") from None
