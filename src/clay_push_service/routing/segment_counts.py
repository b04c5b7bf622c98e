"""Counts the leads that filters match, by project."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_rows
from clay_push_service.host.lead_filters import LeadCriteria, LeadSource, matches
from clay_push_service.host.tables import HostTables


class ProjectMatches(NamedTuple):
    project_id: UUID
    project_name: str | None
    lead_count: int
    all_leads: int


async def count_matches(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    criteria: LeadCriteria | None,
    project_id: UUID | None,
) -> Sequence[ProjectMatches]:
    """Returns the counts of each project with leads, or of the given one, most matches first. `criteria` None matches no lead."""
    scores, projects, leads, social = tables.lead_scores, tables.projects, tables.leads, tables.social_context
    rows = (
        scores.join(projects, and_(projects.c.id == scores.c.project_id, projects.c.org_id == org_id))
        .join(leads, leads.c.id == scores.c.lead_id)
        .outerjoin(social, social.c.lead_id == scores.c.lead_id)
    )
    matched = (
        func.count()
        if criteria is None
        else func.count().filter(matches(LeadSource(scores, leads, social), org_id, criteria))
    )
    query = (
        select(
            projects.c.id.label("project_id"), projects.c.name.label("project_name"), matched.label("lead_count"),
            func.count().label("all_leads"),
        )
        .select_from(rows)
        .group_by(projects.c.id, projects.c.name)
        .order_by(matched.desc(), projects.c.id)
    )  # fmt: skip
    if project_id is not None:
        query = query.where(projects.c.id == project_id)
    found = await select_rows(connection, query, ProjectMatches)
    return [each._replace(lead_count=0) for each in found] if criteria is None else found
