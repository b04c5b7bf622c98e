"""Routes of the quality of enrichment: charts of outcomes, gaps by field and confidence, and the same figures as CSV."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from clay_push_service.console.pages.enrichment import quality_charts, sentence
from clay_push_service.console.pages.leads.labels import field_label
from clay_push_service.console.pages.overview.charts import long_day
from clay_push_service.console.pages.page import Page, ReadPage
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.enrichment.jobs.quality import EnrichmentQuality, quality_csv, read_quality
from clay_push_service.errors import InvalidError
from clay_push_service.host.projects import list_projects
from clay_push_service.push_jobs.selection import require_project

PERIODS: Final = {7: "7 days", 30: "30 days", 90: "90 days", 365: "One year"}
DEFAULT_DAYS: Final = 90

router = APIRouter(prefix="/console/enrichment", include_in_schema=False, route_class=ConsoleRoute)
Days = Annotated[int, Query(ge=1, le=365)]
Project = Annotated[str, Query(max_length=36)]


@router.get("/quality")
async def read_quality_page(page: ReadPage, project: Project = "", days: Days = DEFAULT_DAYS) -> Response:
    quality = await _read(page, project, days)
    return await page.render(
        "enrichment/quality.html",
        section="enrichment",
        title="Quality of enrichment",
        quality=quality,
        charts=quality_charts,
        weeks=quality_charts.week_chart(quality.weeks),
        words=sentence,
        long_day=long_day,
        field_label=field_label,
        periods=PERIODS,
        projects=await list_projects(page.connection, page.tables, page.caller.org_id),
    )


@router.get("/quality.csv")
async def download_quality(page: ReadPage, project: Project = "", days: Days = DEFAULT_DAYS) -> Response:
    content = quality_csv(await _read(page, project, days))
    headers = {"Content-Disposition": 'attachment; filename="enrichment-quality.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


async def _read(page: Page, project: str, days: int) -> EnrichmentQuality:
    """An empty `project`, as the form sends it, is all projects."""
    project_id = _project_id(project)
    if project_id is not None:
        await require_project(page.connection, page.tables, page.caller.org_id, project_id)
    return await read_quality(page.connection, page.caller.org_id, project_id, days)


def _project_id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise InvalidError("project: is not an id.") from None
