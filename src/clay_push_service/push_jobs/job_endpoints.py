"""The HTTP endpoints under `/api/clay/jobs`: list, read, download, watch, retry and cancel push jobs."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.caller import Caller
from clay_push_service.callers.dependencies import Authorized, DetectedTables, Pusher, Reader
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Database, RequestId, Transaction
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.cause import Cause
from clay_push_service.database.database import Database as Reading
from clay_push_service.errors import InvalidError
from clay_push_service.pagination import Cursor
from clay_push_service.problems import CALLER, LOCATION, responses
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.push_jobs.dependencies import DetachedReader, IdempotencyKey, JobStream, PushAccess
from clay_push_service.push_jobs.detail_views import DeliveryDetail
from clay_push_service.push_jobs.media_types import prefers_csv
from clay_push_service.push_jobs.queries.deliveries import (
    DeliveryFilter,
    csv_lines,
    read_deliveries,
    require_job,
)
from clay_push_service.push_jobs.queries.delivery_detail import read_delivery
from clay_push_service.push_jobs.queries.jobs import read_job, read_jobs
from clay_push_service.push_jobs.schemas import CancelAnswer, PushAnswer, RetryBody
from clay_push_service.push_jobs.views import DeliveryPage, JobPage, JobView
from clay_push_service.states import DeliveryStatus, JobStatus

router = APIRouter(prefix="/api/clay/jobs", tags=["jobs"], dependencies=Authorized, route_class=GuardedRoute)

JobId = Annotated[UUID, Path(description="The push job.")]
# An empty value equals an omitted one: forms and clients send `?status=` for no filter.
StatusFilter = Annotated[
    DeliveryStatus | Literal[""] | None, Query(alias="status", description="Only these leads; empty: all.")
]
CauseFilter = Annotated[
    Cause | Literal[""] | None, Query(description="Only leads with this cause; empty: all.", examples=["rejected"])
]
SearchFilter = Annotated[
    str | None,
    Query(
        max_length=200,
        description="Only leads whose user name or name contains this text, in any case; empty: all.",
        examples=["doe"],
    ),
]

ALL_RETRYABLE = RetryBody()
CSV_FILE: dict[str, object] = {"text/csv": {"schema": {"type": "string"}}}


def _lane_of_list(request: Request) -> Lane:
    return Lane.EXPORT if prefers_csv(request.headers.get("accept", "")) else Lane.ORDINARY


@router.get("", summary="List push jobs", responses=responses(*CALLER))
async def list_jobs(
    caller: Reader,
    connection: Transaction,
    project_id: Annotated[
        UUID | Literal[""] | None, Query(description="Only jobs of this project; empty: all.")
    ] = None,
    status: Annotated[JobStatus | Literal[""] | None, Query(description="Only these jobs; empty: all.")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Jobs in a page.")] = 20,
) -> JobPage:
    """Newest first, with counters, status, warnings and causes."""
    return await read_jobs(
        connection, caller.org_id, project_id=project_id or None, status=status or None, after=cursor, limit=limit
    )


@router.get("/{job_id}", summary="Get a push job", responses=responses(*CALLER, 404))
async def get_job(job_id: JobId, caller: Reader, connection: Transaction) -> JobView:
    """Progress, what it waits for, and the causes of failed and skipped leads."""
    return await read_job(connection, caller.org_id, job_id)


@router.get(
    "/{job_id}/leads", summary="List the outcome of each lead", response_model=DeliveryPage,
    responses={200: {"content": CSV_FILE}, **responses(*CALLER, 404)},
    dependencies=[Depends(RouteLimits(lane=_lane_of_list))],
)  # fmt: skip
async def list_deliveries(
    request: Request,
    job_id: JobId,
    caller: Reader,
    connection: Transaction,
    database: Database,
    status: StatusFilter = None,
    cause: CauseFilter = None,
    search: SearchFilter = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Leads in a page.")] = 100,
) -> DeliveryPage | StreamingResponse:
    """One delivery for each lead, in sending order. With `Accept: text/csv` all of them as a file, like `leads.csv`."""
    if prefers_csv(request.headers.get("accept", "")):
        _require_no_paging(request)
        await require_job(connection, caller.org_id, job_id)
        return _csv_file(database, caller, job_id, DeliveryFilter(status or None, cause or None, search))
    return await read_deliveries(
        connection,
        caller.org_id,
        job_id,
        status=status or None,
        cause=cause or None,
        search=search,
        after=cursor,
        limit=limit,
    )


@router.get(
    "/{job_id}/leads.csv", summary="Download the outcome of each lead as CSV", response_class=StreamingResponse,
    responses={200: {"content": CSV_FILE, "description": "One line for each lead."},
               **responses(*CALLER, 404)},
    dependencies=[Depends(RouteLimits(lane=Lane.EXPORT))],
)  # fmt: skip
async def download_deliveries(
    job_id: JobId,
    caller: DetachedReader,
    database: Database,
    status: StatusFilter = None,
    cause: CauseFilter = None,
    search: SearchFilter = None,
) -> StreamingResponse:
    """All leads in one file; no cell is executed as a spreadsheet formula."""
    async with database.transaction() as connection:
        await require_job(connection, caller.org_id, job_id)
    return _csv_file(database, caller, job_id, DeliveryFilter(status or None, cause or None, search))


def _csv_file(database: Reading, caller: Caller, job_id: UUID, wanted: DeliveryFilter) -> StreamingResponse:
    return StreamingResponse(
        csv_lines(database, caller.org_id, job_id, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="clay-push-{job_id}.csv"', "Vary": "Accept"},
    )


def _require_no_paging(request: Request) -> None:
    """Raises 422 for paging parameters, because no parameter is ignored silently."""
    if named := [name for name in ("cursor", "limit") if request.query_params.get(name)]:
        raise InvalidError(
            f"{named[0]}: not allowed with `Accept: text/csv`, which returns all leads.",
            errors=[{"field": name, "message": "not allowed with `Accept: text/csv`"} for name in named],
        )


@router.get("/{job_id}/leads/{delivery_id}", summary="Get one delivery", responses=responses(*CALLER, 404))
async def get_delivery(
    job_id: JobId,
    delivery_id: Annotated[UUID, Path(description="The delivery.")],
    caller: Reader,
    connection: Transaction,
    tables: DetectedTables,
) -> DeliveryDetail:
    """Its times, Clay's response, and the lead's payload as it is now, compared with what was sent."""
    return await read_delivery(connection, tables, caller.org_id, job_id, delivery_id)


@router.get(
    "/{job_id}/events",  # noqa: FAST003 - the dependency of the stream reads it
    summary="Watch a push job", response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/JobView"}}},
                     "description": "Server-Sent Events `job`, whose data is the job as in `GET /api/clay/jobs/{id}`: "
                                    "immediately, then on every change, at most 4 per second, until it has finished."},
               **responses(*CALLER, 404)},
    dependencies=[Depends(RouteLimits(lane=None))],
)  # fmt: skip
async def watch_job(stream: JobStream) -> AsyncIterator[ServerSentEvent]:
    """Read it with fetch: EventSource cannot send headers. The stream also ends when the caller may no longer read the job."""
    async for snapshot in stream.snapshots():
        yield ServerSentEvent(raw_data=snapshot, event="job")


@router.post(
    "/{job_id}/retry", status_code=202, response_model=PushAnswer, summary="Retry failed leads",
    responses={202: LOCATION, **responses(*CALLER, 404, 409, 413)},
    dependencies=[Depends(RouteLimits(BodySize.SETTING, Lane.COSTLY))],
)  # fmt: skip
async def retry_job(
    job_id: JobId,
    service: PushAccess,
    body: Annotated[RetryBody, Body()] = ALL_RETRYABLE,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Queue failed and cancelled leads as a new push job. Leads that may be in Clay are sent only if `causes` or `lead_ids` requests them."""
    response = await service.retry_once(idempotency_key, job_id, body)
    return JSONResponse(response.body, response.status, headers={"Location": response.location or ""})


@router.post("/{job_id}/cancel", summary="Cancel a push job", responses=responses(*CALLER, 404, 409))
async def cancel_job(job_id: JobId, caller: Pusher, connection: Transaction, request_id: RequestId) -> CancelAnswer:
    """Sending stops within a second; leads already in Clay stay there."""
    return await cancel(connection, actor_of(caller, request_id), job_id)
