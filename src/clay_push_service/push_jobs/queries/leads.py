"""A project's leads, best first, each with what Clay has of it: the "Already in Clay" of the leads page."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination as cursor
from clay_push_service.clay.cause import Cause
from clay_push_service.deliveries.changed_leads import changed_leads
from clay_push_service.host.lead_filters import PageStart, select_page
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.push_jobs.accept import require_project
from clay_push_service.push_jobs.views import LeadClay, LeadPage, LeadState, LeadView

# Of each lead: is it live, its last success in this table, whether an answer never came, its last end, and whether any attempt
# got no clear answer.
STATES = text("""
SELECT lead.id,
       live.job_id AS live_job_id,
       success.job_id AS success_job_id, success.pushed_at,
       unsure.job_id AS unsure_job_id, last.job_id AS last_job_id, tried.job_id AS tried_job_id
FROM unnest(CAST(:lead_ids AS uuid[])) AS lead (id)
LEFT JOIN LATERAL (SELECT job_id FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = lead.id AND state <> 'done' LIMIT 1) AS live ON true
LEFT JOIN LATERAL (SELECT job_id, pushed_at FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = lead.id AND status = 'success' AND table_epoch = :table_epoch
    ORDER BY seq DESC LIMIT 1) AS success ON true
LEFT JOIN LATERAL (SELECT job_id FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = lead.id AND cause = 'unknown' AND table_epoch = :table_epoch
    ORDER BY seq DESC LIMIT 1) AS unsure ON true
LEFT JOIN LATERAL (SELECT job_id FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = lead.id AND status IN ('success', 'failed')
      AND table_epoch = :table_epoch
    ORDER BY seq DESC LIMIT 1) AS last ON true
LEFT JOIN LATERAL (SELECT job_id FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = lead.id AND uncertain_attempts > 0 AND table_epoch = :table_epoch
    ORDER BY seq DESC LIMIT 1) AS tried ON true
""")
EPOCH = text("SELECT coalesce((SELECT table_epoch FROM clay.destinations WHERE org_id = :org_id), 1)")


async def read_leads(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    filters: LeadFilters,
    *,
    after: str | None = None,
    limit: int = 50,
) -> LeadPage:
    """A page of leads. Raises 404 `project_not_found`."""
    await require_project(connection, tables, org_id, project_id)
    statement = select_page(tables, org_id, project_id, filters.criteria(), _position(after), limit + 1)
    rows = (await connection.execute(statement)).all()
    page = rows[:limit]
    lead_ids = [row.lead_id for row in page]
    table_epoch = (await connection.execute(EPOCH, {"org_id": org_id})).scalar_one()
    values = {"org_id": org_id, "lead_ids": lead_ids, "table_epoch": table_epoch}
    states = {row.id: row for row in await connection.execute(STATES, values)}
    in_clay = [lead_id for lead_id in lead_ids if states[lead_id].success_job_id is not None]
    changed = await changed_leads(connection, tables, org_id, table_epoch, in_clay)
    last = page[-1] if len(rows) > limit else None
    score = None if last is None or last.overall_score is None else str(last.overall_score)
    return LeadPage(
        leads=[
            LeadView(
                id=row.lead_id,
                username=row.username,
                full_name=row.full_name,
                email=row.email,
                company=row.company,
                overall_score=None if row.overall_score is None else float(row.overall_score),
                classification=row.classification,
                priority=row.priority,
                is_qualified_lead=row.is_qualified,
                clay=_clay(states[row.lead_id], changed=row.lead_id in changed),
            )
            for row in page
        ],
        next_cursor=cursor.encode(score, str(last.lead_id)) if last is not None else None,
    )


def _clay(row: Row[Any], *, changed: bool) -> LeadClay:
    state: LeadState
    if row.live_job_id is not None:
        state, job_id = "pushing", row.live_job_id
    elif row.success_job_id is not None:
        state, job_id = ("changed" if changed else "in_clay"), row.success_job_id
    elif row.unsure_job_id is not None:
        state, job_id = Cause.UNKNOWN.value, row.unsure_job_id
    elif row.last_job_id is not None:
        state, job_id = "failed", row.last_job_id
    elif row.tried_job_id is not None:  # cancelled after a 5xx, say: it was sent, so `never` would be wrong
        state, job_id = Cause.UNKNOWN.value, row.tried_job_id
    else:
        state, job_id = "never", None
    return LeadClay(state=state, pushed_at=row.pushed_at, job_id=job_id)


def _position(after: str | None) -> PageStart | None:
    if after is None:
        return None
    score, lead_id = cursor.decode(after, 2)
    return PageStart(None if score is None else cursor.number(score), cursor.identifier(lead_id))
