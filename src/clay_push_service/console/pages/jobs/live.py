"""Live progress of a job as fragments: a stream of server-sent events, and the same fragments by polling.

A browser opens at most 6 connections to an origin, so a session has few streams; further windows poll.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.guarded_route import Takes
from clay_push_service.callers.request_state import Database, Settings
from clay_push_service.console.pages.environment import ENVIRONMENT
from clay_push_service.console.pages.jobs.job_page import finished_count
from clay_push_service.console.pages.jobs.sentence import job_sentence, pace_sentence
from clay_push_service.console.pages.jobs.tabs import TabKey, tabs_of
from clay_push_service.console.pages.page import ReadPage
from clay_push_service.console.session.authorize import SessionDetached
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.push_jobs.live.event_streams import EventStreams, JobStream
from clay_push_service.push_jobs.live.feeds import Feeds
from clay_push_service.push_jobs.queries.deliveries import require_job
from clay_push_service.push_jobs.queries.jobs import read_job
from clay_push_service.push_jobs.summary import ENDED
from clay_push_service.push_jobs.views import JobView

STREAMS_PER_SESSION: Final = 3
"""Of the 6 connections of a browser, which all its windows share."""
SPEAK_SECONDS: Final = 5.0
"""The shortest time between two messages to a screen reader: a push of 5 minutes has at most 60."""
FINISHED: Final = "event: job-finished\ndata: finished\n\n"
STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second: NexusLeads' nginx would hold the events back."""
AUTHORIZE: Final = SessionDetached(Scope.READ, "only")

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)
Seen = Annotated[int, Query(ge=0)]


@router.get("/jobs/{job_id}/live", dependencies=[Depends(Takes(lane=None))])
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
    streams: EventStreams = request.app.state.event_streams
    if not streams.has_room(caller, STREAMS_PER_SESSION):
        poll = f"/console/jobs/{job_id}/progress?tab={tab}&seen={seen}"
        return _events(_once(fragments(job, tab, seen, speaks=True, poll_href=poll)))
    return _events(_follow(request, caller, settings, job_id, tab, seen))


@router.get("/jobs/{job_id}/progress")
async def poll_job(page: ReadPage, job_id: UUID, tab: TabKey = "all", seen: Seen = 0) -> Response:
    """The fragments once, for a window without a stream."""
    job = await read_job(page.connection, page.caller.org_id, job_id)
    response = Response(fragments(job, tab, seen, speaks=True), media_type="text/html; charset=utf-8")
    if job.status in ENDED:
        response.headers["HX-Trigger"] = "job-finished"
    return response


def fragments(job: JobView, tab: TabKey, seen: int, *, speaks: bool, poll_href: str = "") -> str:
    """`seen`: leads with an outcome when the page was rendered. `poll_href`: replaces the stream by polling."""
    return ENVIRONMENT.get_template("jobs/stream.html").render(
        job=job, tabs=tabs_of(job, tab), seen=seen, finished=finished_count(job), speaks=speaks, poll_href=poll_href,
        job_sentence=job_sentence, pace_sentence=pace_sentence,
    )  # fmt: skip


async def _follow(
    request: Request, caller: Caller, settings: Settings, job_id: UUID, tab: TabKey, seen: int
) -> AsyncIterator[str]:
    streams: EventStreams = request.app.state.event_streams
    feeds: Feeds = request.app.state.feeds
    loop = asyncio.get_running_loop()
    spoken = float("-inf")
    with streams.opened(caller):
        async with feeds.follow(caller.org_id, job_id) as feed:
            stream = JobStream(feed, lambda: AUTHORIZE.admit(request), caller, settings.event_stream_recheck_seconds)
            async for snapshot in stream.snapshots():
                job = JobView.model_validate_json(snapshot)
                speaks = loop.time() - spoken >= SPEAK_SECONDS
                spoken = loop.time() if speaks else spoken
                yield _message(fragments(job, tab, seen, speaks=speaks))
                if job.status in ENDED:
                    yield FINISHED


async def _once(content: str) -> AsyncIterator[str]:
    yield _message(content)


def _message(content: str) -> str:
    """One unnamed event: htmx swaps only these."""
    lines = "\n".join(f"data: {line}" for line in content.splitlines() if line.strip())
    return f"{lines}\n\n"


def _events(content: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(content, media_type="text/event-stream", headers=STREAM_HEADERS)
