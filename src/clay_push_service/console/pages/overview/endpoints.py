"""The overview: state of the integration, pipeline, figures and last pushes."""

from fastapi import APIRouter
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.console.pages.integrations.tiles import clay_state, table_state
from clay_push_service.console.pages.jobs.sentence import job_pill, job_sentence, pace_sentence
from clay_push_service.console.pages.overview import charts
from clay_push_service.console.pages.overview.figures import read_figures
from clay_push_service.console.pages.page import ReadPage
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.destinations.read import NOT_CONFIGURED
from clay_push_service.enrichment.inbound.tokens import list_tokens

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)


@router.get("/")
async def read_overview(page: ReadPage) -> Response:
    figures = await read_figures(page)
    tokens = await list_tokens(page.connection, page.caller.org_id)
    return await page.render(
        "overview/overview.html",
        section="overview",
        title="Overview",
        figures=figures,
        state=clay_state(figures.status),
        table_state=table_state,
        results_at=max((each.last_used_at for each in tokens if each.last_used_at is not None), default=None),
        has_results_token=bool(tokens),
        may_configure=Scope.CONFIG in page.caller.scopes,
        not_configured=NOT_CONFIGURED,
        charts=charts,
        job_pill=job_pill,
        job_sentence=job_sentence,
        pace_sentence=pace_sentence,
    )
