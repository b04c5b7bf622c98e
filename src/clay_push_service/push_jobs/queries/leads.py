"""Reads a page of a project's leads, by score, each with what Clay has of it."""

from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination as cursor
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.changed_leads import changed_leads
from clay_push_service.deliveries.lead_states import ClayState, LeadState, read_lead_states
from clay_push_service.deliveries.suppression import read_excluded
from clay_push_service.destination_settings.named.store import destination_not_found
from clay_push_service.destinations.clay_table import NO_TABLE, ClayTable
from clay_push_service.host.enrichment_conditions import read_enrichment_scores
from clay_push_service.host.lead_filters import LeadSort, ListedLead, PageStart, read_page
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.push_jobs.selection import require_project
from clay_push_service.push_jobs.views import LeadClay, LeadPage, LeadStateName, LeadView

API_STATES: Mapping[ClayState, LeadStateName] = MappingProxyType(
    {
        ClayState.NEVER: "never",
        ClayState.QUEUED: "pushing",
        ClayState.IN_CLAY: "in_clay",
        ClayState.CHANGED: "changed",
        ClayState.MAYBE_IN_CLAY: "unknown",
        ClayState.FAILED: "failed",
        ClayState.EXCLUDED: "excluded",
    }
)
CLAY_TABLE = Statement(
    """
SELECT id AS destination_id, table_epoch AS epoch FROM clay.destinations
WHERE org_id = :org_id
  AND CASE WHEN CAST(:destination_id AS uuid) IS NULL THEN is_default ELSE id = :destination_id END
""",
    ClayTable,
)


async def read_leads(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    filters: LeadFilters,
    *,
    sort: LeadSort = LeadSort.HIGHEST_SCORE,
    destination_id: UUID | None = None,
    after: str | None = None,
    limit: int = 50,
) -> LeadPage:
    """A page of leads, with what the default destination, or this one, has of them. Raises 404 `project_not_found` or `destination_not_found`."""
    await require_project(connection, tables, org_id, project_id)
    criteria = filters.criteria()
    rows = await read_page(connection, tables, org_id, project_id, criteria, _position(after), limit + 1, sort)
    page = rows[:limit]
    lead_ids = [row.lead_id for row in page]
    clay_table = await _clay_table(connection, org_id, destination_id)
    states = await read_lead_states(connection, org_id, lead_ids, clay_table)
    in_clay = [lead_id for lead_id in lead_ids if states[lead_id].in_clay]
    changed = await changed_leads(connection, tables, org_id, clay_table, in_clay)
    excluded = await read_excluded(connection, tables, org_id, lead_ids, project_id)
    enrichment_scores = await read_enrichment_scores(connection, tables, org_id, lead_ids)
    last = page[-1] if len(rows) > limit else None
    score = None if last is None or last.sorted_by is None else str(last.sorted_by)
    return LeadPage(
        leads=[
            _lead_view(
                row,
                enrichment_scores.get(row.lead_id),
                _clay(states[row.lead_id], changed=row.lead_id in changed, excluded=row.lead_id in excluded),
            )
            for row in page
        ],
        next_cursor=cursor.encode(score, str(last.lead_id)) if last is not None else None,
    )


def _lead_view(row: ListedLead, enrichment_score: int | None, clay: LeadClay) -> LeadView:
    return LeadView(
        id=row.lead_id,
        username=row.username,
        full_name=row.full_name,
        email=row.email,
        company=row.company,
        overall_score=None if row.overall_score is None else float(row.overall_score),
        classification=row.classification,
        priority=row.priority,
        is_qualified_lead=row.is_qualified,
        enrichment_score=enrichment_score,
        clay=clay,
    )


async def read_lead_clay(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID, destination_id: UUID | None = None
) -> LeadClay:
    """What the default destination, or this one, has of one lead. Raises 404 `destination_not_found`."""
    clay_table = await _clay_table(connection, org_id, destination_id)
    found = (await read_lead_states(connection, org_id, [lead_id], clay_table))[lead_id]
    changed = await changed_leads(connection, tables, org_id, clay_table, [lead_id]) if found.in_clay else set()
    excluded = await read_excluded(connection, tables, org_id, [lead_id])
    return _clay(found, changed=lead_id in changed, excluded=lead_id in excluded)


async def _clay_table(connection: AsyncConnection, org_id: UUID, destination_id: UUID | None) -> ClayTable:
    found = await CLAY_TABLE.one_or_none(connection, {"org_id": org_id, "destination_id": destination_id})
    if found is None and destination_id is not None:
        raise destination_not_found()
    return found or NO_TABLE


def _clay(found: LeadState, *, changed: bool, excluded: bool) -> LeadClay:
    state = ClayState.CHANGED if changed and found.state is ClayState.IN_CLAY else found.state
    if excluded and state in {ClayState.NEVER, ClayState.FAILED}:
        state = ClayState.EXCLUDED
    return LeadClay(
        state=API_STATES[state],
        excluded=excluded,
        pushed_at=found.pushed_at,
        confirmed_at=found.confirmed_at,
        job_id=found.job_id,
    )


def _position(after: str | None) -> PageStart | None:
    if after is None:
        return None
    score, lead_id = cursor.decode(after, 2)
    return PageStart(None if score is None else cursor.number(score), cursor.identifier(lead_id))
