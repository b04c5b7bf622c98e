"""Renders the leads of a project with filters and selection; without a project, the projects to choose from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.console.pages.filter_fields import ENRICHMENT_TEXTS
from clay_push_service.console.pages.leads.filter_form import query_of, read_filters
from clay_push_service.console.pages.leads.lead_state import AGAIN, lead_pill
from clay_push_service.console.pages.page import Page
from clay_push_service.destinations.read import destination_view
from clay_push_service.host.lead_filters import LeadSort
from clay_push_service.host.lead_words import read_lead_words
from clay_push_service.host.projects import list_projects
from clay_push_service.push_jobs.queries.leads import read_leads

LEADS_IN_A_PAGE: Final = 50
SORT_TEXTS: Final[Mapping[LeadSort, str]] = MappingProxyType(
    {
        LeadSort.HIGHEST_SCORE: "Best score first",
        LeadSort.LOWEST_SCORE: "Lowest score first",
        LeadSort.HIGHEST_ENRICHMENT_SCORE: "Best enrichment score first",
        LeadSort.LOWEST_ENRICHMENT_SCORE: "Lowest enrichment score first",
    }
)


async def show_leads(page: Page, project_id: UUID | None, sort: LeadSort, after: str | None) -> Response:
    org_id = page.caller.org_id
    projects = await list_projects(page.connection, page.tables, org_id)
    if project_id is None and len(projects) == 1:
        project_id = projects[0].id
    if project_id is None:
        return await page.render("leads/projects.html", section="leads", title="Leads", projects=projects)
    filters = read_filters(page.request.query_params)
    found = await read_leads(
        page.connection, page.tables, org_id, project_id, filters, sort=sort, after=after, limit=LEADS_IN_A_PAGE
    )
    view = await destination_view(page.connection, org_id)
    sorted_by = "" if sort is LeadSort.HIGHEST_SCORE else sort.value
    query = query_of(filters, project=str(project_id), sort=sorted_by)
    return await page.render(
        "leads/list.html",
        section="leads",
        title="Leads",
        projects=projects,
        project_id=project_id,
        filters=filters,
        sort=sort,
        sort_texts=SORT_TEXTS,
        enrichment_texts=ENRICHMENT_TEXTS,
        words=await read_lead_words(page.connection, page.tables, org_id, project_id),
        leads=found.leads,
        lead_pill=lead_pill,
        again=AGAIN,
        table_name=view.table_name if view else None,
        is_configured=view is not None and view.webhook is not None,
        may_enrich=Scope.ENRICH in page.caller.scopes,
        may_push=Scope.PUSH in page.caller.scopes,
        first_href=f"/console/leads?{query}" if after else None,
        next_href=f"/console/leads?{query}&{urlencode({'after': found.next_cursor})}" if found.next_cursor else None,
        self_href=f"/console/leads?{query}{'&' + urlencode({'after': after}) if after else ''}",
        filters_json=filters.model_dump_json(exclude_defaults=True),
        push_key=uuid4(),
    )
