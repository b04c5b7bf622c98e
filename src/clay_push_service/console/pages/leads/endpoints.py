"""Routes of the leads pages."""

from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.strict_query import ignore_unknown_parameters
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.leads.enriching import (
    enrich_one,
    enrich_selected,
    show_estimate_of_lead,
    show_estimate_of_selected,
)
from clay_push_service.console.pages.leads.lead_page import edit_field_of_form, show_delivery, show_lead
from clay_push_service.console.pages.leads.list_page import show_leads
from clay_push_service.console.pages.leads.pushing import push_one, push_selected, show_preview
from clay_push_service.console.pages.page import EnrichPage, PushPage, ReadPage
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.host.lead_filters import LeadSort
from clay_push_service.pagination import Cursor

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)
COSTLY = [Depends(RouteLimits(lane=Lane.COSTLY))]


@router.get("/leads", dependencies=[Depends(ignore_unknown_parameters)])
async def list_leads(
    page: ReadPage, project: UUID | None = None, sort: LeadSort = LeadSort.HIGHEST_SCORE, after: Cursor = None
) -> Response:
    """The filters are read from the query by `filter_form`, because an empty field of a form is no filter."""
    return await show_leads(page, project, sort, after)


@router.post("/leads/preview", dependencies=COSTLY)
async def preview_push(page: ReadPage, form: Posted) -> Response:
    return await show_preview(page, form)


@router.post("/leads/push", dependencies=COSTLY)
async def push_leads(page: PushPage, form: Posted) -> Response:
    return await push_selected(page, form)


@router.post("/leads/push-one", dependencies=COSTLY)
async def push_one_lead(page: PushPage, form: Posted) -> Response:
    return await push_one(page, form)


@router.post("/leads/estimate", dependencies=COSTLY)
async def estimate_leads(page: EnrichPage, form: Posted) -> Response:
    """A POST, because the ids of 50 leads are too long for some proxies' URLs. It writes nothing."""
    return await show_estimate_of_selected(page, form)


@router.post("/leads/enrich", dependencies=COSTLY)
async def enrich_leads(page: EnrichPage, form: Posted) -> Response:
    return await enrich_selected(page, form)


@router.get("/leads/{lead_id}/enrich")
async def estimate_lead(page: EnrichPage, lead_id: UUID, kind: Kind = Kind.FULL) -> Response:
    return await show_estimate_of_lead(page, lead_id, kind)


@router.post("/leads/{lead_id}/enrich")
async def enrich_lead(page: EnrichPage, lead_id: UUID, form: Posted) -> Response:
    return await enrich_one(page, lead_id, form)


@router.get("/leads/{lead_id}")
async def read_lead_page(page: ReadPage, lead_id: UUID) -> Response:
    return await show_lead(page, lead_id)


@router.post("/leads/{lead_id}/fields/{field}")
async def edit_field(page: EnrichPage, lead_id: UUID, field: str, form: Posted) -> Response:
    return await edit_field_of_form(page, lead_id, field, form)


@router.get("/jobs/{job_id}/leads/{delivery_id}")
async def read_delivery_page(page: ReadPage, job_id: UUID, delivery_id: UUID) -> Response:
    return await show_delivery(page, job_id, delivery_id)
