"""Reads the names of leads for lists that hold only ids."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from clay_push_service.console.pages.page import Page
from clay_push_service.host.leads import best_projects
from clay_push_service.host.read_lead_rows import RequestedLead, read_lead_rows_of_projects


async def read_lead_names(page: Page, lead_ids: Sequence[UUID]) -> Mapping[UUID, str | None]:
    """The name or user name by id; None: the lead has neither. Ids of leads that are no longer in NexusLeads are absent."""
    if not lead_ids:
        return {}
    org_id = page.caller.org_id
    projects = await best_projects(page.connection, page.tables, org_id, lead_ids)
    requested = [RequestedLead(org_id, project_id, lead_id) for lead_id, project_id in projects.items()]
    rows = await read_lead_rows_of_projects(page.connection, page.tables, requested) if requested else {}
    return {row.lead_id: row.full_name or row.username for row in rows.values()}
