"""Routes of the missing results: lists the leads whose result from Clay is missing, and pushes exactly these leads again."""

from typing import Final
from uuid import uuid4

from fastapi import APIRouter, Depends
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.page import PushPage, ReadPage
from clay_push_service.console.pages.words import counted
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.deliveries.missing_results import REASONS
from clay_push_service.pagination import Cursor
from clay_push_service.push_jobs.missing_results import count_push_again, read_missing_page
from clay_push_service.push_jobs.schemas import PushAnswer

LEADS_IN_A_PAGE: Final = 50

router = APIRouter(prefix="/console/missing-results", include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_missing_results_page(page: ReadPage, after: Cursor = None) -> Response:
    """Shows a page of the leads. Only the preview of the push counts them."""
    found = await read_missing_page(page.connection, page.caller.org_id, after=after, limit=LEADS_IN_A_PAGE)
    return await page.render(
        "missing_results.html", section="integrations", title="Missing results", found=found, after=after,
        reasons=REASONS, may_push=Scope.PUSH in page.caller.scopes,
    )  # fmt: skip


@router.get("/push-again", dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))])
async def preview_push_again_page(page: PushPage) -> Response:
    """Shows a confirmation that names the number of leads."""
    lead_count = await count_push_again(page.connection, page.caller.org_id)
    return await page.render(
        "missing_results_push.html", section="integrations", title="Push again", lead_count=lead_count, key=uuid4()
    )


@router.post("/push-again", dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))])
async def push_missing_again_page(page: PushPage, form: Posted) -> Response:
    """The form's key makes a second click return the first push. One push job per project: with several, the list opens."""
    response = await page.service.push_missing_once(form.text("key") or None)
    queued = PushAnswer.model_validate(response.body)
    url = f"/console/jobs/{queued.job_id}" if len(queued.jobs) == 1 else "/console/jobs"
    return page.redirect(url, f"Pushing {counted(queued.lead_count - queued.skipped_count, 'lead')} to Clay...")
