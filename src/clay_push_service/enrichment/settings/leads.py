"""Reads the lead of a test item, and checks the leads of an estimate. An erased lead is never sent to Clay."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Uuid, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_one
from clay_push_service.deliveries.eligibility import is_erased
from clay_push_service.deliveries.suppression import read_excluded
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.leads import best_projects, unknown_leads
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables

MAX_NAMED_IDS = 10


async def read_lead(connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID) -> LeadRow:
    """Raises 404 `lead_not_found`, also for a lead of another organization and for one that was erased; 409 `lead_excluded`."""
    projects = await best_projects(connection, tables, org_id, [lead_id])
    erased = await select_one(connection, select(is_erased(literal(lead_id, Uuid()), org_id)), bool)
    if lead_id not in projects or erased:
        raise leads_not_found([lead_id])
    if await read_excluded(connection, tables, org_id, [lead_id]):
        raise ConflictError("An exclusion of your organization keeps this lead from Clay.", code="lead_excluded")
    rows = await read_lead_rows(connection, tables, org_id, projects[lead_id], [lead_id])
    if lead_id not in rows:
        raise leads_not_found([lead_id])
    return rows[lead_id]


async def require_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID]
) -> None:
    """Raises 404 `lead_not_found` with the first ten unknown ids."""
    unknown = await unknown_leads(connection, tables, org_id, lead_ids, None, MAX_NAMED_IDS)
    if unknown:
        raise leads_not_found(unknown)


def leads_not_found(lead_ids: Sequence[UUID]) -> NotFoundError:
    ids = [str(each) for each in lead_ids]
    detail = f"Your organization has no leads with these ids: {', '.join(ids)}."
    return NotFoundError(detail, code="lead_not_found", extra={"lead_ids": ids})
