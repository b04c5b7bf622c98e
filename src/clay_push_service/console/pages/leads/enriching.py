"""Estimates and requests the enrichment of a lead, or of up to 50 selected leads, with the same functions as the API."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from pydantic import ValidationError
from starlette.responses import Response

from clay_push_service.console.pages.enrichment import sentence
from clay_push_service.console.pages.page import Page
from clay_push_service.console.pages.words import counted
from clay_push_service.console.session.form import Form
from clay_push_service.console.session.sign_in import local_path
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.jobs.schemas import EnrichBody, EnrichLeadBody, EnrichmentAccepted
from clay_push_service.enrichment.jobs.service import EnrichmentService
from clay_push_service.enrichment.ledger.states import LegalBasis
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.trial_schemas import MAX_LEADS, EstimateBody
from clay_push_service.enrichment.settings.try_settings import estimate_leads
from clay_push_service.errors import InvalidError


async def show_estimate(page: Page, lead_ids: Sequence[UUID], *, kind: Kind, action: str, back: str) -> Response:
    """The range of costs of each kind, and the form that enriches these leads. Raises 422 without a lead, or for more than 50."""
    ids = list(dict.fromkeys(lead_ids))
    if not 0 < len(ids) <= MAX_LEADS:
        raise nothing_selected()
    org_id = page.caller.org_id
    estimates = [
        await estimate_leads(page.connection, page.tables, org_id, page.settings, EstimateBody(kind=each, lead_ids=ids))
        for each in Kind
    ]
    return await page.render(
        "leads/estimate.html", section="leads", title=f"Enrich {counted(len(ids), 'lead')} with Clay?", lead_ids=ids,
        kind=kind, action=action, back=back, estimates=estimates, words=sentence, key=uuid4(),
        notes=_distinct([note for each in estimates for note in each.estimate.notes]),
    )  # fmt: skip


async def show_estimate_of_selected(page: Page, form: Form) -> Response:
    return await show_estimate(
        page, form.uuids("lead_id"), kind=Kind.FULL, action="/console/leads/enrich", back=local_path(form.text("back"))
    )


async def show_estimate_of_lead(page: Page, lead_id: UUID, kind: Kind) -> Response:
    url = f"/console/leads/{lead_id}"
    return await show_estimate(page, [lead_id], kind=kind, action=f"{url}/enrich", back=f"{url}#enrichment")


async def enrich_one(page: Page, lead_id: UUID, form: Form) -> Response:
    """Queue one lead; the request is explicit, so a lead that was enriched before is enriched again."""
    body = EnrichLeadBody(kind=form.choice("kind", Kind), basis=form.choice("basis", LegalBasis))
    answer = await _service(page).enrich_lead_once(form.text("key") or None, lead_id, body)
    return page.redirect(f"/console/leads/{lead_id}#enrichment", EnrichmentAccepted.model_validate(answer.body).message)


async def enrich_selected(page: Page, form: Form) -> Response:
    """Raises 422 without a lead, or for more than 50."""
    try:
        body = EnrichBody(
            lead_ids=form.uuids("lead_id"),
            kind=form.choice("kind", Kind),
            basis=form.choice("basis", LegalBasis),
            again=form.is_checked("again"),
        )
    except ValidationError:
        raise nothing_selected() from None
    answer = await _service(page).enrich_once(form.text("key") or None, body)
    accepted = EnrichmentAccepted.model_validate(answer.body)
    return page.redirect(f"/console/enrichment/{accepted.job_id}", accepted.message)


def nothing_selected() -> InvalidError:
    return InvalidError(f"Select 1 to {MAX_LEADS} leads for an enrichment.", code="nothing_selected")


def _service(page: Page) -> EnrichmentService:
    box: SecretBox | None = page.request.app.state.box
    return EnrichmentService(page.connection, page.tables, page.settings, box, page.actor)


def _distinct(notes: Sequence[str]) -> list[str]:
    """Each note once; a note that another one begins with is left out."""
    found = dict.fromkeys(notes)
    return [note for note in found if not any(other != note and other.startswith(note) for other in found)]
