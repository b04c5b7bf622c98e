"""Live progress of a job as a stream of HTML fragments, for pages of push jobs and of enrichment jobs.

A browser opens at most 6 connections to an origin, so a session has few streams; further windows poll.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.console.session.authorize import SessionDetached
from clay_push_service.push_jobs.live.event_streams import EventStreams, JobStream
from clay_push_service.push_jobs.live.feeds import Feeds, ReadJob
from clay_push_service.settings import Settings

STREAMS_PER_SESSION: Final = 3
"""Streams of one session. A browser opens at most 6 connections to an origin, which all its windows share."""
ANNOUNCE_SECONDS: Final = 5.0
"""Least time between two messages to a screen reader: a push of 5 minutes has at most 60."""
FINISHED_EVENT: Final = "job-finished"
FINISHED: Final = f"event: {FINISHED_EVENT}\ndata: finished\n\n"
STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""`X-Accel-Buffering`: without it, NexusLeads' nginx buffers the events."""
AUTHORIZE: Final = SessionDetached(Scope.READ, "only")


@dataclass(frozen=True, slots=True)
class Rendered:
    """The fragments of one snapshot of a job."""

    content: str
    is_last: bool
    """The job has ended."""


Render = Callable[[str, bool], Rendered]
"""Renders a snapshot, which is JSON. The second argument: whether screen readers announce it."""


def has_free_stream(request: Request, caller: Caller) -> bool:
    streams: EventStreams = request.app.state.event_streams
    return streams.has_room(caller, STREAMS_PER_SESSION)


def stream(
    request: Request, caller: Caller, settings: Settings, job_id: UUID, read: ReadJob, render: Render
) -> StreamingResponse:
    """Sends the fragments at once and on every change, until the job ends or the caller may no longer read it."""
    return _events(_follow(request, caller, settings, job_id, read, render))


def send_once(content: str) -> StreamingResponse:
    """Sends one event, for a window that polls afterwards."""
    return _events(_once(content))


def send_polled(content: str, *, is_last: bool) -> Response:
    """The fragments once, for a window that polls. After the last ones, the page is loaded again."""
    response = Response(content, media_type="text/html; charset=utf-8")
    if is_last:
        response.headers["HX-Trigger"] = FINISHED_EVENT
    return response


async def _follow(
    request: Request, caller: Caller, settings: Settings, job_id: UUID, read: ReadJob, render: Render
) -> AsyncIterator[str]:
    streams: EventStreams = request.app.state.event_streams
    feeds: Feeds = request.app.state.feeds
    loop = asyncio.get_running_loop()
    announced_at = float("-inf")
    with streams.opened(caller):
        async with feeds.follow(caller.org_id, job_id, read) as feed:
            snapshots = JobStream(feed, lambda: AUTHORIZE.admit(request), caller, settings.event_stream_recheck_seconds)
            async for snapshot in snapshots.snapshots():
                announce = loop.time() - announced_at >= ANNOUNCE_SECONDS
                announced_at = loop.time() if announce else announced_at
                rendered = render(snapshot, announce)
                yield _message(rendered.content)
                if rendered.is_last:
                    yield FINISHED


async def _once(content: str) -> AsyncIterator[str]:
    yield _message(content)


def _message(content: str) -> str:
    """One unnamed event: htmx swaps only these."""
    lines = "\n".join(f"data: {line}" for line in content.splitlines() if line.strip())
    return f"{lines}\n\n"


def _events(content: AsyncIterator[str]) -> StreamingResponse:
    return StreamingResponse(content, media_type="text/event-stream", headers=STREAM_HEADERS)
