"""Routes of the pages of enrichment jobs. Each reads or changes through the same functions as the API."""

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.enrichment import sentence
from clay_push_service.console.pages.enrichment.job_page import (
    named,
    read_leads_of,
    rows_link,
    show_enrichment_job,
)
from clay_push_service.console.pages.enrichment.leads_csv import leads_csv
from clay_push_service.console.pages.leads.enriching import show_estimate
from clay_push_service.console.pages.page import EnrichPage, ReadPage
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.enrichment.jobs.cancel import cancel
from clay_push_service.enrichment.jobs.queries import read_items, read_job, read_jobs, require_job
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.states import EnrichmentJobStatus, ItemOutcome
from clay_push_service.enrichment.settings.trial_schemas import MAX_LEADS
from clay_push_service.pagination import Cursor

JOBS_IN_A_PAGE: Final = 25
Search = Annotated[str, Query(max_length=200)]

router = APIRouter(prefix="/console/enrichment", include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_enrichment_jobs(
    page: ReadPage, status: EnrichmentJobStatus | Literal[""] = "", after: Cursor = None
) -> Response:
    found = await read_jobs(
        page.connection, page.caller.org_id, status=status or None, project_id=None, after=after, limit=JOBS_IN_A_PAGE
    )
    return await page.render(
        "enrichment/list.html", section="enrichment", title="Enrichment", found=found, status=status, after=after,
        words=sentence,
    )  # fmt: skip


@router.get("/{job_id}")
async def read_enrichment_job(
    page: ReadPage,
    job_id: UUID,
    outcome: ItemOutcome | None = None,
    cause: ItemCause | None = None,
    q: Search = "",
    after: Cursor = None,
) -> Response:
    return await show_enrichment_job(page, job_id, outcome=outcome, cause=cause, search=q, after=after)


@router.get("/{job_id}/leads.csv", dependencies=[Depends(RouteLimits(lane=Lane.EXPORT))])
async def download_enriched_leads(
    page: ReadPage,
    job_id: UUID,
    outcome: ItemOutcome | None = None,
    cause: ItemCause | None = None,
    q: Search = "",
) -> Response:
    """The rows of a tab as a file: outcomes and costs, not the values."""
    org_id = page.caller.org_id
    await require_job(page.connection, org_id, job_id)
    found = await read_items(page.connection, org_id, job_id, outcome=outcome, cause=cause, after=None, limit=MAX_LEADS)
    leads = await read_leads_of(page.connection, page.tables, org_id, found.items)
    headers = {"Content-Disposition": f'attachment; filename="clay-enrichment-{job_id}.csv"'}
    content = leads_csv(named(found.items, leads, q), leads)
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/{job_id}/estimate", dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))])
async def estimate_cause_again(page: EnrichPage, job_id: UUID, form: Posted) -> Response:
    """The estimate of enriching the leads of one cause again, at most 50. It writes nothing."""
    org_id, cause = page.caller.org_id, form.choice("cause", ItemCause)
    job = await read_job(page.connection, org_id, job_id)
    found = await read_items(page.connection, org_id, job_id, outcome=None, cause=cause, after=None, limit=MAX_LEADS)
    leads = await read_leads_of(page.connection, page.tables, org_id, found.items)
    return await show_estimate(
        page, list(leads), kind=job.kind, action="/console/leads/enrich", back=rows_link(job_id, None, cause)
    )


@router.post("/{job_id}/cancel")
async def cancel_enrichment_job(page: EnrichPage, job_id: UUID, form: Posted) -> Response:
    del form
    answer = await cancel(page.connection, page.actor, job_id)
    return page.redirect(f"/console/enrichment/{job_id}", answer.message)
