"""Renders a job: sentence, live bar, cause cards, and a page of its leads."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.console.pages.jobs.cause_cards import cards_of
from clay_push_service.console.pages.jobs.sentence import MODES, Pill, job_pill, job_sentence, pace_sentence
from clay_push_service.console.pages.jobs.tabs import BY_KEY, TabKey, default_tab, rows_link, tabs_of
from clay_push_service.console.pages.page import Page
from clay_push_service.push_jobs.detail_views import LeadDelivery
from clay_push_service.push_jobs.queries.deliveries import read_deliveries
from clay_push_service.push_jobs.queries.jobs import read_job
from clay_push_service.push_jobs.summary import ENDED, page_warning
from clay_push_service.push_jobs.views import DeliveryView, JobView
from clay_push_service.states import DeliveryStatus

LEADS_IN_A_PAGE: Final = 50
OUTCOMES: Final[Mapping[DeliveryStatus, Pill]] = MappingProxyType(
    {
        DeliveryStatus.PENDING: Pill("To send", "none", "clock"),
        DeliveryStatus.SUCCESS: Pill("In Clay", "good", "check"),
        DeliveryStatus.FAILED: Pill("Failed", "bad", "circle-x"),
        DeliveryStatus.SKIPPED: Pill("Skipped", "none", "circle-minus"),
    }
)
CONFIRMED: Final = Pill("Confirmed in Clay", "good", "circle-check")
UNCLEAR: Final = Pill("May be in Clay", "unsure", "circle-help")


def delivery_pill(delivery: DeliveryView | LeadDelivery) -> Pill:
    if delivery.status is DeliveryStatus.SUCCESS and delivery.confirmed_at is not None:
        return CONFIRMED
    return UNCLEAR if delivery.cause is Cause.UNKNOWN else OUTCOMES[delivery.status]


def finished_count(job: JobView) -> int:
    """Leads with an outcome, for the note that new outcomes exist."""
    return job.lead_count - job.pending_count


async def show_job(
    page: Page, job_id: UUID, *, tab: TabKey | None, cause: Cause | None, search: str, after: str | None
) -> Response:
    org_id = page.caller.org_id
    job = await read_job(page.connection, org_id, job_id)
    current = tab or ("all" if cause or search else default_tab(job))
    kind = BY_KEY[current]
    found = await read_deliveries(
        page.connection, org_id, job_id, status=kind.status, cause=cause or kind.cause, search=search, after=after,
        limit=LEADS_IN_A_PAGE,
    )  # fmt: skip
    rows = {"tab": current, "cause": cause.value if cause else "", "q": search}
    query = urlencode({name: value for name, value in rows.items() if value})
    return await page.render(
        "jobs/job.html",
        section="jobs",
        title=f"Push to {job.table_name or 'Clay'}",
        job=job,
        state=job_pill(job),
        mode=MODES[job.push_mode],
        is_live=job.status not in ENDED,
        may_push=Scope.PUSH in page.caller.scopes,
        seen=finished_count(job),
        cards=cards_of(job),
        tabs=tabs_of(job, current),
        current=current,
        cause=cause,
        search=search,
        deliveries=found.leads,
        delivery_pill=delivery_pill,
        causes=EXPLANATIONS,
        page_warning=page_warning,
        job_sentence=job_sentence,
        pace_sentence=pace_sentence,
        first_href=rows_link(job_id, current, cause=cause, search=search) if after else None,
        next_href=rows_link(job_id, current, cause=cause, search=search, after=found.next_cursor)
        if found.next_cursor
        else None,
        csv_href=f"/console/jobs/{job_id}/leads.csv?{query}",
        self_href=rows_link(job_id, current, cause=cause, search=search, after=after or ""),
        retry_key=uuid4(),
    )
