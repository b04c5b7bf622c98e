"""Reads from NexusLeads' billing table whether an organization is on the Enterprise plan. Without a row it is not."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_one
from clay_push_service.host.tables import HostTables


async def is_enterprise(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> bool:
    if not tables.has("org_billing"):
        return False
    billing = tables.org_billing.c
    is_on = select(billing.org_id).where(billing.org_id == org_id, billing.is_enterprise.is_(True)).exists()
    return await select_one(connection, select(is_on), bool)
