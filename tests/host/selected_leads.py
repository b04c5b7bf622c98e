"""Selects leads by id, as a push does."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.leads import select_by_id
from tests.harness.nexusleads import NexusLeads


async def chosen(
    connection: AsyncConnection, host: NexusLeads, org_id: UUID, ids: Sequence[UUID], project_id: UUID | None = None
) -> dict[UUID, UUID]:
    rows = (await connection.execute(select_by_id(host.tables, org_id, ids, project_id))).all()
    found = {row.lead_id: row.project_id for row in rows}
    assert [row.lead_id for row in rows] == sorted(found)  # each lead once, in the order of leads
    return found
