"""The HTTP endpoints of the quality of enrichment, as JSON and CSV."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response

from clay_push_service.callers.dependencies import Authorized, HostCache, Reader
from clay_push_service.callers.guarded_route import GuardedRoute
from clay_push_service.callers.request_state import Transaction
from clay_push_service.enrichment.jobs.quality import Days, EnrichmentQuality, quality_csv, read_quality
from clay_push_service.problems import CALLER, responses
from clay_push_service.push_jobs.selection import require_project

router = APIRouter(prefix="/api/clay", tags=["enrichment"], dependencies=Authorized, route_class=GuardedRoute)
ProjectQuery = Annotated[UUID | None, Query(description="Only this project.")]
DaysQuery = Annotated[Days, Query(description="Length of the period, which ends now.")]


@router.get("/enrichment/quality", summary="Quality of enrichment", responses=responses(*CALLER, 404))
async def get_enrichment_quality(
    caller: Reader, connection: Transaction, host: HostCache, project_id: ProjectQuery = None, days: DaysQuery = 90
) -> EnrichmentQuality:
    """Success by routine, gaps by field, confidence by week, and credits per found value."""
    if project_id is not None:
        await require_project(connection, await host.tables(connection), caller.org_id, project_id)
    return await read_quality(connection, caller.org_id, project_id, days)


@router.get(
    "/enrichment/quality.csv", summary="Quality of enrichment as CSV", response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "section, name, measure, value"},
               **responses(*CALLER, 404)},
)  # fmt: skip
async def download_enrichment_quality(
    caller: Reader, connection: Transaction, host: HostCache, project_id: ProjectQuery = None, days: DaysQuery = 90
) -> Response:
    """Returns the figures of `/enrichment/quality`, one per line."""
    if project_id is not None:
        await require_project(connection, await host.tables(connection), caller.org_id, project_id)
    content = quality_csv(await read_quality(connection, caller.org_id, project_id, days))
    headers = {"Content-Disposition": 'attachment; filename="enrichment-quality.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)
