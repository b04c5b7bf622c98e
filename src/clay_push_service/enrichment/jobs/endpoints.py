"""The HTTP endpoints that enrich leads, and those of enrichment jobs."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.dependencies import Authorized, Enricher, Reader
from clay_push_service.callers.guarded_route import GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import RequestId, Transaction
from clay_push_service.enrichment.jobs.cancel import cancel
from clay_push_service.enrichment.jobs.dependencies import EnrichAccess, EnrichmentStream, JobId
from clay_push_service.enrichment.jobs.queries import read_items, read_job, read_jobs
from clay_push_service.enrichment.jobs.schemas import (
    EnrichBody,
    EnrichLeadBody,
    EnrichmentAccepted,
    EnrichmentCancelAnswer,
    EnrichmentItemPage,
    EnrichmentJobPage,
    EnrichmentJobView,
)
from clay_push_service.enrichment.ledger.states import EnrichmentJobStatus, ItemOutcome
from clay_push_service.pagination import Cursor
from clay_push_service.problems import CALLER, LOCATION, responses
from clay_push_service.push_jobs.dependencies import IdempotencyKey
from clay_push_service.push_jobs.idempotency import StoredResponse

router = APIRouter(prefix="/api/clay", tags=["enrichment"], dependencies=Authorized, route_class=GuardedRoute)
JOBS = "/enrichment/jobs"
ACCEPTED = {202: LOCATION, **responses(*CALLER, 404, 409, 413)}


@router.post(
    "/leads/{lead_id}/enrich", status_code=202, response_model=EnrichmentAccepted, summary="Enrich a lead",
    responses=ACCEPTED,
)  # fmt: skip
async def enrich_lead(
    lead_id: Annotated[UUID, Path(description="The lead's contributor id in NexusLeads.")],
    body: EnrichLeadBody,
    service: EnrichAccess,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Any member, or a key with scope `enrich`. Without values that the routine needs: 422 `missing_input`, and nothing is charged."""
    return _json(await service.enrich_lead_once(idempotency_key, lead_id, body))


@router.post(
    "/enrich", status_code=202, response_model=EnrichmentAccepted, summary="Enrich up to 50 leads", responses=ACCEPTED
)
async def enrich_leads(body: EnrichBody, service: EnrichAccess, idempotency_key: IdempotencyKey = None) -> JSONResponse:
    """One job, with an outcome for each lead. It stops before the daily budget is exceeded."""
    return _json(await service.enrich_once(idempotency_key, body))


def _json(response: StoredResponse) -> JSONResponse:
    return JSONResponse(response.body, response.status, headers={"Location": response.location or ""})


@router.get(JOBS, summary="List enrichment jobs", responses=responses(*CALLER))
async def list_enrichment_jobs(
    caller: Reader,
    connection: Transaction,
    status: Annotated[EnrichmentJobStatus | None, Query(description="Only jobs with this status.")] = None,
    project_id: Annotated[UUID | None, Query(description="Only jobs whose leads belong to this project alone.")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Jobs per page.")] = 50,
) -> EnrichmentJobPage:
    """Newest first."""
    return await read_jobs(connection, caller.org_id, status=status, project_id=project_id, after=cursor, limit=limit)


@router.get(JOBS + "/{job_id}", summary="Get an enrichment job", responses=responses(*CALLER, 404))
async def get_enrichment_job(job_id: JobId, caller: Reader, connection: Transaction) -> EnrichmentJobView:
    """Progress, counts, causes and costs."""
    return await read_job(connection, caller.org_id, job_id)


@router.get(JOBS + "/{job_id}/items", summary="List the leads of an enrichment job", responses=responses(*CALLER, 404))
async def list_enrichment_items(
    job_id: JobId,
    caller: Reader,
    connection: Transaction,
    outcome: Annotated[ItemOutcome | None, Query(description="Only leads with this outcome.")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Leads per page.")] = 100,
) -> EnrichmentItemPage:
    """The outcome of each lead with cause, remedy, found fields and costs; values are in the lead's enrichment."""
    return await read_items(connection, caller.org_id, job_id, outcome=outcome, after=cursor, limit=limit)


@router.get(
    JOBS + "/{job_id}/events",
    summary="Watch an enrichment job", response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/EnrichmentJobView"}}},
                     "description": "Server-Sent Events `job`, whose data is the job: immediately, then on every change, at"
                                    " most 4 per second, until it has finished."},
               **responses(*CALLER, 404)},
    dependencies=[Depends(RouteLimits(lane=None))],
)  # fmt: skip
async def watch_enrichment_job(stream: EnrichmentStream) -> AsyncIterator[ServerSentEvent]:
    """Read it with fetch: EventSource cannot send headers. The stream also ends when the caller may no longer read the job."""
    async for snapshot in stream.snapshots():
        yield ServerSentEvent(raw_data=snapshot, event="job")


@router.post(JOBS + "/{job_id}/cancel", summary="Cancel an enrichment job", responses=responses(*CALLER, 404, 409))
async def cancel_enrichment_job(
    job_id: JobId, caller: Enricher, connection: Transaction, request_id: RequestId
) -> EnrichmentCancelAnswer:
    """Leads that were requested already cannot be taken back; their results are stored when they arrive."""
    return await cancel(connection, actor_of(caller, request_id), job_id)
