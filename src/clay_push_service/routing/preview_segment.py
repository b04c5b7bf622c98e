"""Previews a segment: how many leads of each project its filters match now."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.errors import NotFoundError
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.host.projects import find_project
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.routing.segment_counts import count_matches
from clay_push_service.routing.segment_schemas import ProjectCount, SegmentPreview, SegmentPreviewBody
from clay_push_service.routing.segments import read_segment

MAX_PROJECTS = 100


async def preview_segment(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, body: SegmentPreviewBody
) -> SegmentPreview:
    """Raises 404 `segment_not_found` and `project_not_found`."""
    if body.project_id is not None and await find_project(connection, tables, org_id, body.project_id) is None:
        raise NotFoundError("Your organization has no project with this id.", code="project_not_found")
    criteria = await _criteria(connection, org_id, body)
    found = await count_matches(connection, tables, org_id, criteria, body.project_id)
    return SegmentPreview(
        lead_count=sum(each.lead_count for each in found),
        projects=[
            ProjectCount(
                project_id=each.project_id,
                project_name=each.project_name,
                lead_count=each.lead_count,
                all_leads=each.all_leads,
            )
            for each in found[:MAX_PROJECTS]
        ],
    )


async def _criteria(connection: AsyncConnection, org_id: UUID, body: SegmentPreviewBody) -> LeadCriteria | None:
    if body.segment_id is None:
        return (body.filters or LeadFilters()).criteria()
    segment = await read_segment(connection, org_id, body.segment_id)
    return None if segment.emptied_at else LeadFilters.model_validate(segment.filters).criteria()
