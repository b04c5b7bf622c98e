"""Reads the enrichment of a lead as the API and the console show it: standard and custom fields, with sources and history."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.enrichment.values.custom_fields import read_custom_fields
from clay_push_service.enrichment.values.fields import CUSTOM
from clay_push_service.enrichment.values.lead import read_lead
from clay_push_service.enrichment.values.schemas import LeadEnrichment
from clay_push_service.enrichment.values.view import view_lead
from clay_push_service.host.tables import HostTables


async def read_enrichment(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_id: UUID, now: datetime
) -> LeadEnrichment:
    """Raises 404 `lead_not_found`."""
    custom = [CUSTOM + name for name in await read_custom_fields(connection, org_id)]
    return view_lead(await read_lead(connection, tables, org_id, lead_id, custom), now)
