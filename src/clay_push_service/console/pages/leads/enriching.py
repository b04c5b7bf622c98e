"""Requests to enrich a lead, or up to 50 selected leads, over the same use cases as the API."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from pydantic import ValidationError
from starlette.responses import Response

from clay_push_service.console.pages.page import Page
from clay_push_service.console.session.form import Form
from clay_push_service.console.session.sign_in import local_path
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.jobs.schemas import EnrichBody, EnrichLeadBody, EnrichmentAccepted
from clay_push_service.enrichment.jobs.service import EnrichmentService
from clay_push_service.enrichment.ledger.states import LegalBasis
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.errors import InvalidError

BASES: Final[Mapping[LegalBasis, str]] = MappingProxyType(
    {LegalBasis.LEGITIMATE_INTEREST: "Legitimate interest", LegalBasis.CONSENT: "Consent"}
)


async def enrich_one(page: Page, lead_id: UUID, form: Form) -> Response:
    """Queue one lead; the request is explicit, so a lead that was enriched before is enriched again."""
    body = EnrichLeadBody(kind=form.choice("kind", Kind), basis=form.choice("basis", LegalBasis))
    answer = await _service(page).enrich_lead_once(form.text("key") or None, lead_id, body)
    return page.redirect(f"/console/leads/{lead_id}#enrichment", EnrichmentAccepted.model_validate(answer.body).message)


async def enrich_selected(page: Page, form: Form) -> Response:
    """Raises 422 without a lead, or for more than 50."""
    try:
        body = EnrichBody(
            lead_ids=form.uuids("lead_id"), kind=form.choice("kind", Kind), basis=form.choice("basis", LegalBasis)
        )
    except ValidationError:
        raise InvalidError("Select 1 to 50 leads for an enrichment.", code="nothing_selected") from None
    answer = await _service(page).enrich_once(None, body)
    return page.redirect(local_path(form.text("back")), EnrichmentAccepted.model_validate(answer.body).message)


def _service(page: Page) -> EnrichmentService:
    box: SecretBox | None = page.request.app.state.box
    return EnrichmentService(page.connection, page.tables, page.settings, box, page.actor)
