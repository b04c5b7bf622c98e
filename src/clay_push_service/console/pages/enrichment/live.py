"""Live progress of an enrichment job as fragments: a stream of server-sent events, and the same fragments by polling."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from clay_push_service.callers.caller import Caller
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.request_state import Database, Settings
from clay_push_service.console.pages.enrichment import sentence
from clay_push_service.console.pages.enrichment.job_page import finished_count, live_query, tabs_of
from clay_push_service.console.pages.environment import ENVIRONMENT
from clay_push_service.console.pages.page import ReadPage
from clay_push_service.console.pages.streams import AUTHORIZE, Rendered, has_free_stream, send_once, send_polled, stream
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.enrichment.jobs.queries import read_job
from clay_push_service.enrichment.jobs.schemas import EnrichmentJobView
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.states import ItemOutcome

router = APIRouter(prefix="/console/enrichment", include_in_schema=False, route_class=ConsoleRoute)
Seen = Annotated[int, Query(ge=0)]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page showed when it was rendered."""

    outcome: ItemOutcome | None
    cause: ItemCause | None
    seen: int
    """Leads with an outcome."""


@router.get("/{job_id}/live", dependencies=[Depends(RouteLimits(lane=None))])
async def watch_enrichment_job(
    request: Request,
    caller: Annotated[Caller, Depends(AUTHORIZE)],
    database: Database,
    settings: Settings,
    job_id: UUID,
    outcome: ItemOutcome | None = None,
    cause: ItemCause | None = None,
    seen: Seen = 0,
) -> Response:
    """Fragments at once and on every change, until the job ends or the caller may no longer read it."""
    async with database.transaction() as connection:
        job = await read_job(connection, caller.org_id, job_id)
    shown = Shown(outcome, cause, seen)
    if not has_free_stream(request, caller):
        poll = f"/console/enrichment/{job_id}/progress?{live_query(outcome, cause, seen)}"
        return send_once(fragments(job, shown, announce=True, poll_href=poll))

    def render(snapshot: str, announce: bool) -> Rendered:
        job = EnrichmentJobView.model_validate_json(snapshot)
        return Rendered(fragments(job, shown, announce=announce), not sentence.is_live(job))

    return stream(request, caller, settings, job_id, read_job, render)


@router.get("/{job_id}/progress")
async def poll_enrichment_job(
    page: ReadPage,
    job_id: UUID,
    outcome: ItemOutcome | None = None,
    cause: ItemCause | None = None,
    seen: Seen = 0,
) -> Response:
    """The fragments once, for a window without a stream."""
    job = await read_job(page.connection, page.caller.org_id, job_id)
    return send_polled(fragments(job, Shown(outcome, cause, seen), announce=True), is_last=not sentence.is_live(job))


def fragments(job: EnrichmentJobView, shown: Shown, *, announce: bool, poll_href: str = "") -> str:
    """`poll_href`: replaces the stream by polling."""
    tabs = tabs_of(job, None if shown.cause else shown.outcome, is_filtered_by_cause=shown.cause is not None)
    return ENVIRONMENT.get_template("enrichment/stream.html").render(
        job=job, tabs=tabs, seen=shown.seen, finished=finished_count(job), announce=announce, poll_href=poll_href,
        words=sentence,
    )  # fmt: skip
