"""Live progress of a push job as fragments: a stream of server-sent events, and the same fragments by polling."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from clay_push_service.callers.caller import Caller
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.request_state import Database, Settings
from clay_push_service.console.pages.environment import ENVIRONMENT
from clay_push_service.console.pages.jobs.job_page import finished_count
from clay_push_service.console.pages.jobs.sentence import job_sentence, pace_sentence
from clay_push_service.console.pages.jobs.tabs import TabKey, tabs_of
from clay_push_service.console.pages.page import ReadPage
from clay_push_service.console.pages.streams import AUTHORIZE, Rendered, has_free_stream, send_once, send_polled, stream
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.push_jobs.queries.deliveries import require_job
from clay_push_service.push_jobs.queries.jobs import read_job
from clay_push_service.push_jobs.summary import ENDED
from clay_push_service.push_jobs.views import JobView

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)
Seen = Annotated[int, Query(ge=0)]


@router.get("/jobs/{job_id}/live", dependencies=[Depends(RouteLimits(lane=None))])
async def watch_job(
    request: Request,
    caller: Annotated[Caller, Depends(AUTHORIZE)],
    database: Database,
    settings: Settings,
    job_id: UUID,
    tab: TabKey = "all",
    seen: Seen = 0,
) -> Response:
    """Fragments at once and on every change, until the job ends or the caller may no longer read it."""
    async with database.transaction() as connection:
        await require_job(connection, caller.org_id, job_id)
        job = await read_job(connection, caller.org_id, job_id)
    if not has_free_stream(request, caller):
        poll = f"/console/jobs/{job_id}/progress?tab={tab}&seen={seen}"
        return send_once(fragments(job, tab, seen, announce=True, poll_href=poll))

    def render(snapshot: str, announce: bool) -> Rendered:
        job = JobView.model_validate_json(snapshot)
        return Rendered(fragments(job, tab, seen, announce=announce), job.status in ENDED)

    return stream(request, caller, settings, job_id, read_job, render)


@router.get("/jobs/{job_id}/progress")
async def poll_job(page: ReadPage, job_id: UUID, tab: TabKey = "all", seen: Seen = 0) -> Response:
    """The fragments once, for a window without a stream."""
    job = await read_job(page.connection, page.caller.org_id, job_id)
    return send_polled(fragments(job, tab, seen, announce=True), is_last=job.status in ENDED)


def fragments(job: JobView, tab: TabKey, seen: int, *, announce: bool, poll_href: str = "") -> str:
    """`seen`: leads with an outcome when the page was rendered. `poll_href`: replaces the stream by polling."""
    return ENVIRONMENT.get_template("jobs/stream.html").render(
        job=job, tabs=tabs_of(job, tab), seen=seen, finished=finished_count(job), announce=announce, poll_href=poll_href,
        job_sentence=job_sentence, pace_sentence=pace_sentence,
    )  # fmt: skip
