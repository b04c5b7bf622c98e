"""Routes of the job pages. Each reads or changes through the same functions as the API."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.request_state import Database
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.cause import Cause
from clay_push_service.console.pages.jobs.job_page import show_job
from clay_push_service.console.pages.jobs.sentence import job_pill, job_sentence, pace_sentence
from clay_push_service.console.pages.jobs.tabs import BY_KEY, TabKey
from clay_push_service.console.pages.page import PushPage, ReadPage
from clay_push_service.console.session.authorize import SessionDetached
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.pagination import Cursor
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.push_jobs.queries.deliveries import DeliveryFilter, csv_lines, require_job
from clay_push_service.push_jobs.queries.jobs import read_jobs
from clay_push_service.push_jobs.schemas import PushAnswer, RetryBody
from clay_push_service.states import JobStatus

JOBS_IN_A_PAGE = 25

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)
DetachedVisitor = Annotated[Caller, Depends(SessionDetached(Scope.READ, "only"))]
Search = Annotated[str, Query(max_length=200)]


@router.get("/jobs")
async def list_jobs(
    page: ReadPage,
    status: JobStatus | Literal[""] = "",
    project_id: UUID | None = None,
    after: Cursor = None,
) -> Response:
    found = await read_jobs(
        page.connection,
        page.caller.org_id,
        project_id=project_id,
        status=status or None,
        after=after,
        limit=JOBS_IN_A_PAGE,
    )
    return await page.render(
        "jobs/list.html", section="jobs", title="Jobs", found=found, status=status, project_id=project_id, after=after,
        job_pill=job_pill, job_sentence=job_sentence, pace_sentence=pace_sentence,
    )  # fmt: skip


@router.get("/jobs/{job_id}")
async def read_job_page(
    page: ReadPage,
    job_id: UUID,
    tab: TabKey | None = None,
    cause: Cause | None = None,
    q: Search = "",
    after: Cursor = None,
) -> Response:
    return await show_job(page, job_id, tab=tab, cause=cause, search=q, after=after)


@router.post("/jobs/{job_id}/cancel")
async def cancel_job(page: PushPage, job_id: UUID, form: Posted) -> Response:
    del form
    answer = await cancel(page.connection, page.actor, job_id)
    return page.redirect(f"/console/jobs/{job_id}", answer.message)


@router.post("/jobs/{job_id}/retry", dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))])
async def retry_job(page: PushPage, job_id: UUID, form: Posted) -> Response:
    """Retry the leads of one cause. The form's key makes a second click return the first job."""
    cause = form.choice("cause", Cause)
    answer = await page.service.retry_once(form.text("key") or None, job_id, RetryBody(causes=[cause]))
    queued = PushAnswer.model_validate(answer.body)
    return page.redirect(f"/console/jobs/{queued.job_id}", f"{queued.message}.".replace("..", "."))


@router.get("/jobs/{job_id}/leads.csv", dependencies=[Depends(RouteLimits(lane=Lane.EXPORT))])
async def download_leads(
    caller: DetachedVisitor,
    database: Database,
    job_id: UUID,
    tab: TabKey = "all",
    cause: Cause | None = None,
    q: Search = "",
) -> StreamingResponse:
    """The rows of a tab as a file, as the API's `leads.csv`."""
    async with database.transaction() as connection:
        await require_job(connection, caller.org_id, job_id)
    kind = BY_KEY[tab]
    lead_filter = DeliveryFilter(kind.status, cause or kind.cause, q)
    return StreamingResponse(
        csv_lines(database, caller.org_id, job_id, lead_filter),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="clay-push-{job_id}.csv"'},
    )
