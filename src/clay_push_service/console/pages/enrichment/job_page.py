"""Renders an enrichment job: sentence, progress, costs, groups by cause, and a page of its leads."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.console.pages.enrichment import sentence
from clay_push_service.console.pages.jobs.cause_cards import WHO
from clay_push_service.console.pages.jobs.tabs import Tab
from clay_push_service.console.pages.leads.labels import field_label
from clay_push_service.console.pages.page import Page
from clay_push_service.enrichment.jobs.cancel import read_request_counts
from clay_push_service.enrichment.jobs.queries import read_items, read_job
from clay_push_service.enrichment.jobs.schemas import EnrichmentItemView, EnrichmentJobView
from clay_push_service.enrichment.ledger.causes import ITEM_EXPLANATIONS, ItemCause
from clay_push_service.enrichment.ledger.states import ItemOutcome
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.trial_schemas import MAX_LEADS
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables

LEADS_IN_A_PAGE: Final = 50


async def show_enrichment_job(
    page: Page, job_id: UUID, *, outcome: ItemOutcome | None, cause: ItemCause | None, search: str, after: str | None
) -> Response:
    org_id = page.caller.org_id
    job = await read_job(page.connection, org_id, job_id)
    found = await read_items(
        page.connection, org_id, job_id, outcome=outcome, cause=cause, after=after, limit=LEADS_IN_A_PAGE
    )
    leads = await read_leads_of(page.connection, page.tables, org_id, found.items)
    is_live = sentence.is_live(job)
    return await page.render(
        "enrichment/job.html",
        section="enrichment",
        title="Find e-mail addresses" if job.kind is Kind.EMAIL else "Enrich leads",
        job=job,
        state=sentence.enrichment_pill(job),
        words=sentence,
        who=WHO,
        is_live=is_live,
        requests=await read_request_counts(page.connection, org_id, job_id) if is_live else None,
        may_enrich=Scope.ENRICH in page.caller.scopes,
        tabs=tabs_of(job, None if cause else outcome, is_filtered_by_cause=cause is not None),
        cause=cause,
        causes=ITEM_EXPLANATIONS,
        most_again=MAX_LEADS,
        items=named(found.items, leads, search),
        leads=leads,
        seen=finished_count(job),
        live_query=live_query(outcome, cause, finished_count(job)),
        outcome=outcome,
        search=search,
        csv_href=f"/console/enrichment/{job_id}/leads.csv?{_query(outcome, cause, search)}",
        field_label=field_label,
        rows_link=rows_link,
        first_href=rows_link(job_id, outcome, cause, search) if after else None,
        next_href=rows_link(job_id, outcome, cause, search, found.next_cursor) if found.next_cursor else None,
        self_href=rows_link(job_id, outcome, cause, search, after or "").partition("#")[0],
    )


def tabs_of(
    job: EnrichmentJobView, current: ItemOutcome | None, *, is_filtered_by_cause: bool = False
) -> Sequence[Tab]:
    """All leads, then each outcome that a lead has; each count equals the rows behind its link.

    While the job is live every outcome has a tab, because a new tab would move the others.
    """
    counts = {
        ItemOutcome.FAILED: job.failed_count, ItemOutcome.EXPIRED: job.expired_count, ItemOutcome.FOUND: job.found_count,
        ItemOutcome.PARTIAL: job.partial_count, ItemOutcome.NOTHING: job.nothing_count,
        ItemOutcome.SKIPPED: job.skipped_count, ItemOutcome.CANCELLED: job.cancelled_count,
    }  # fmt: skip
    digits = len(str(job.lead_count))
    is_all = current is None and not is_filtered_by_cause
    all_leads = Tab("All", rows_link(job.id), job.lead_count, is_current=is_all, digits=digits)
    return [
        all_leads,
        *(
            Tab(
                sentence.OUTCOMES[outcome].word,
                rows_link(job.id, outcome),
                count,
                is_current=outcome is current,
                digits=digits,
            )
            for outcome, count in counts.items()
            if count or outcome is current or sentence.is_live(job)
        ),
    ]


def rows_link(
    job_id: UUID,
    outcome: ItemOutcome | None = None,
    cause: ItemCause | None = None,
    search: str = "",
    after: str = "",
) -> str:
    """Returns the URL of these rows. The list has no other state."""
    query = _query(outcome, cause, search, after)
    return f"/console/enrichment/{job_id}{'?' if query else ''}{query}#leads"


def _query(outcome: ItemOutcome | None, cause: ItemCause | None, search: str, after: str = "") -> str:
    parameters = {"outcome": outcome.value if outcome else "", "cause": cause.value if cause else "", "q": search}
    return urlencode({name: value for name, value in {**parameters, "after": after}.items() if value})


def live_query(outcome: ItemOutcome | None, cause: ItemCause | None, seen: int) -> str:
    """What the stream and the polling of a page are given: the current tab, and the leads with an outcome that the page shows."""
    query = _query(outcome, cause, "")
    return f"{query}{'&' if query else ''}seen={seen}"


def finished_count(job: EnrichmentJobView) -> int:
    """Leads with an outcome, for the note that new outcomes exist."""
    return job.lead_count - job.pending_count


def named(
    items: Sequence[EnrichmentItemView], leads: Mapping[UUID, LeadRow], search: str
) -> Sequence[EnrichmentItemView]:
    """The items whose lead has `search` in its name or user name. A job has at most one page of leads."""
    words = search.strip().casefold()
    if not words:
        return items
    names = {lead.lead_id: f"{lead.full_name or ''} {lead.username or ''}".casefold() for lead in leads.values()}
    return [item for item in items if words in names.get(item.lead_id, "")]


async def read_leads_of(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, items: Sequence[EnrichmentItemView]
) -> Mapping[UUID, LeadRow]:
    """The leads of these items. An erased lead is absent: its item holds a reference."""
    by_project: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for item in items:
        by_project[item.project_id].append(item.lead_id)
    found: dict[UUID, LeadRow] = {}
    for project_id, lead_ids in by_project.items():
        found |= await read_lead_rows(connection, tables, org_id, project_id, lead_ids)
    return found
