"""The HTTP endpoints `/api/clay/push`, `push-filtered`, `preview`, `status` and `leads`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import Field

from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Clock
from clay_push_service.callers.turns import Lane
from clay_push_service.host.lead_filters import LeadSort
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.pagination import Cursor
from clay_push_service.problems import CALLER, LOCATION, responses
from clay_push_service.push_jobs.dependencies import IdempotencyKey, PushAccess, ReadAccess
from clay_push_service.push_jobs.idempotency import StoredResponse
from clay_push_service.push_jobs.queries.daily import MAX_DAYS, USUAL_DAYS, DailyActivity, read_daily
from clay_push_service.push_jobs.queries.leads import read_leads
from clay_push_service.push_jobs.queries.status import StatusView
from clay_push_service.push_jobs.schemas import Preview, PreviewBody, PushAnswer, PushBody, PushFilteredBody
from clay_push_service.push_jobs.views import LeadPage

router = APIRouter(prefix="/api/clay", tags=["push"], dependencies=Authorized, route_class=GuardedRoute)

DryRun = Annotated[bool, Query(description="Return 200 with the preview, and queue nothing.")]
LEADS = Depends(RouteLimits(BodySize.SETTING, Lane.COSTLY))
PUSHED = {
    202: LOCATION,
    200: {"model": Preview, "description": "With `dry_run`: the preview of the push."},
    **responses(*CALLER, 404, 409, 413),
}


@router.post(
    "/push", status_code=202, response_model=PushAnswer, summary="Push selected leads", responses=PUSHED,
    dependencies=[LEADS],
)  # fmt: skip
async def push(
    body: PushBody, service: PushAccess, idempotency_key: IdempotencyKey = None, dry_run: DryRun = False
) -> JSONResponse:
    """Queue one push job for each project. Nothing is queued if any id is not a lead of the organization."""
    if dry_run:
        return JSONResponse((await service.preview(body)).model_dump(mode="json"))
    return _json(await service.push_once(idempotency_key, body))


@router.post(
    "/push-filtered", status_code=202, response_model=PushAnswer, summary="Push a project's leads by filters",
    responses=PUSHED, dependencies=[Depends(RouteLimits(BodySize.LISTS, Lane.COSTLY))],
)  # fmt: skip
async def push_filtered(
    body: PushFilteredBody, service: PushAccess, idempotency_key: IdempotencyKey = None, dry_run: DryRun = False
) -> JSONResponse:
    """Queue one push job for all matching leads of a project. Over 50,000 leads return 422 with the count."""
    if dry_run:
        return JSONResponse((await service.preview(body)).model_dump(mode="json"))
    return _json(await service.push_once(idempotency_key, body))


def _json(response: StoredResponse) -> JSONResponse:
    return JSONResponse(response.body, response.status, headers={"Location": response.location or ""})


@router.post(
    "/preview", summary="Preview a push", responses=responses(*CALLER, 404, 409, 413), dependencies=[LEADS]
)  # fmt: skip
async def preview(body: PreviewBody, service: ReadAccess) -> Preview:
    """Counts, duration, quota and one sample payload; queues and sends nothing."""
    return await service.preview(body)


@router.get("/status", summary="Get the state of the Clay integration", responses=responses(*CALLER))
async def read_integration_status(service: ReadAccess) -> StatusView:
    """Whether the organization may use Clay, the configuration, the connection and the totals so far."""
    return await service.read_status()


@router.get("/activity/daily", summary="Get outcomes by day", responses=responses(*CALLER, 404))
async def read_daily_activity(
    service: ReadAccess,
    clock: Clock,
    days: Annotated[int, Query(ge=1, le=MAX_DAYS, description="Number of UTC days, including today.")] = USUAL_DAYS,
    destination_id: Annotated[
        UUID | None,
        Query(description="Only pushes to this destination; omitted: to all, with the quota of the default one."),
    ] = None,
) -> DailyActivity:
    """From the counters of push jobs, by the day on which a push was accepted; and the day on which the quota is used up."""
    return await read_daily(service.connection, service.actor.org_id, clock.now(), days, destination_id)


class LeadQuery(LeadFilters):
    """The filters of a push, and the page."""

    project_id: UUID = Field(description="The project.")
    sort: LeadSort = Field(
        LeadSort.HIGHEST_SCORE,
        description="By overall score, or by enrichment score; leads without it are last. Send the same value with a `cursor`.",
    )
    destination_id: UUID | None = Field(None, description="The Clay table of `clay.state`; omitted: the default one.")
    cursor: Cursor = None
    limit: Annotated[int, Field(ge=1, le=200, description="Leads in a page.")] = 50


@router.get("/leads", summary="List a project's leads with their state in Clay", responses=responses(*CALLER, 404))
async def list_leads(service: ReadAccess, query: Annotated[LeadQuery, Query()]) -> LeadPage:
    """By score. `clay.state` is the "Already in Clay" mark."""
    return await read_leads(
        service.connection,
        service.tables,
        service.actor.org_id,
        query.project_id,
        query,
        sort=query.sort,
        destination_id=query.destination_id,
        after=query.cursor,
        limit=query.limit,
    )
