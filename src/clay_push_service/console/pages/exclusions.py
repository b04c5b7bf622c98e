"""Routes of the exclusions page: lists, adds and removes exclusions over the same functions as the API."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from clay_push_service import metrics
from clay_push_service.callers.caller import Scope
from clay_push_service.console.pages.lead_names import read_lead_names
from clay_push_service.console.pages.page import ConfigPage, PushPage, ReadPage
from clay_push_service.console.pages.words import counted
from clay_push_service.console.session.form import Form, Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.console.session.sign_in import local_path
from clay_push_service.errors import InvalidError
from clay_push_service.pagination import Cursor
from clay_push_service.privacy.exclude import ExclusionResult, exclude
from clay_push_service.routing.exclusions import ExclusionKind, list_exclusions, remove_exclusion
from clay_push_service.routing.schemas import MAX_REASON, ExclusionBody, ExclusionView

EXCLUSIONS_IN_A_PAGE: Final = 50
PAGE_URL: Final = "/console/exclusions"
KINDS: Final = {
    ExclusionKind.EXCLUSION: "Decision of your organization",
    ExclusionKind.OPT_OUT: "The person objects",
}
WRONG_DOMAIN: Final = "This is not an e-mail domain. Enter it as acme.com, without an address before it."
WRONG_ADDRESS: Final = "This is not one e-mail address. Enter it as jane@example.com, without a name."

router = APIRouter(prefix=PAGE_URL, include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_exclusions_page(page: ReadPage, kind: ExclusionKind | None = None, after: Cursor = None) -> Response:
    found, next_cursor = await list_exclusions(page.connection, page.caller.org_id, kind, after, EXCLUSIONS_IN_A_PAGE)
    lead_ids = [each.lead_id for each in found if each.lead_id is not None and each.erased_at is None]
    return await page.render(
        "exclusions/list.html", section="exclusions", title="Exclusions", names=await read_lead_names(page, lead_ids),
        exclusions=[ExclusionView.of(each) for each in found], next_cursor=next_cursor, after=after, kind=kind, kinds=KINDS,
        may_add=Scope.PUSH in page.caller.scopes, may_remove=Scope.CONFIG in page.caller.scopes, max_reason=MAX_REASON,
    )  # fmt: skip


@router.post("")
async def add_exclusion_page(page: PushPage, form: Posted) -> Response:
    body = _body(form)
    added = await exclude(
        page.connection, page.tables, page.caller.org_id, page.caller.actor, body.target, body.kind, body.reason
    )
    if added.is_new:
        metrics.EXCLUSIONS.labels(change="added").inc()
    return page.redirect(_back(form), _message(added))


@router.post("/{exclusion_id}/remove")
async def remove_exclusion_page(page: ConfigPage, exclusion_id: UUID, form: Posted) -> Response:
    await remove_exclusion(page.connection, page.caller.org_id, page.caller.actor, exclusion_id)
    metrics.EXCLUSIONS.labels(change="removed").inc()
    return page.redirect(_back(form), "The exclusion is removed. It does not push anything; leads may be pushed again.")


def _body(form: Form) -> ExclusionBody:
    """Raises 422 with the sentence of the first wrong field."""
    lead_id, domain, email = form.uuid("lead_id"), form.text("domain"), form.text("email")
    if [lead_id is not None, bool(domain), bool(email)].count(True) != 1:
        raise InvalidError("Enter one of these: an e-mail domain, an e-mail address, or a lead id.")
    kind = form.choice("kind", ExclusionKind)
    reason = form.text("reason")
    if not 0 < len(reason) <= MAX_REASON:
        raise InvalidError(f"Enter a reason of 1 to {MAX_REASON} characters.")
    try:
        return ExclusionBody(lead_id=lead_id, domain=domain or None, email=email or None, kind=kind, reason=reason)
    except ValidationError:
        raise InvalidError(WRONG_DOMAIN if domain else WRONG_ADDRESS) from None


def _message(added: ExclusionResult) -> str:
    exclusion = added.exclusion
    what = f"The {exclusion.of}"
    if not added.is_new:
        return f"{what} was excluded already. Nothing changed."
    stopped = [
        counted(count, f"queued {noun}", f"queued {nouns}")
        for count, noun, nouns in (
            (added.stopped, "push", "pushes"), (added.stopped_enrichments, "enrichment", "enrichments"),
        )
        if count
    ]  # fmt: skip
    skipped = f" {' and '.join(stopped)} skipped." if stopped else ""
    return f"{what} is excluded. It is neither pushed to Clay nor enriched from now on.{skipped}"


def _back(form: Form) -> str:
    """The page that has the form: the list, or a lead's page."""
    back = form.text("back")
    return local_path(back) if back else PAGE_URL
