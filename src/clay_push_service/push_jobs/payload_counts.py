"""Builds the payloads of leads that are not sent, for a preview: counts too large ones and ones without an address; keeps one as a sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID, uuid4

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.clock import NOW
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.payload_fields import PayloadError, PayloadProblem
from clay_push_service.mappings.renderers import MappedLead, Renderers, read_renderers_once

BATCH = 500


@dataclass(slots=True)
class PayloadCounts:
    too_large: int = 0
    without_email: int = 0
    sample: dict[str, object] | None = None


async def count_payloads(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    leads: Sequence[tuple[UUID, UUID]],
    mapping_version_id: UUID | None,
) -> PayloadCounts:
    counts = PayloadCounts()
    pushed_at = await NOW.one(connection)
    by_project: dict[UUID, list[UUID]] = {}
    for project_id, lead_id in leads:
        by_project.setdefault(project_id, []).append(lead_id)
    for project_id, lead_ids in by_project.items():
        for start in range(0, len(lead_ids), BATCH):
            batch = lead_ids[start : start + BATCH]
            mapped = [MappedLead(org_id, lead_id, mapping_version_id) for lead_id in batch]
            renderers = await read_renderers_once(connection, mapped)
            rows = await read_lead_rows(connection, tables, org_id, project_id, batch)
            for lead in mapped:
                if lead.lead_id in rows:
                    _count(counts, lead, rows[lead.lead_id], renderers, pushed_at)
    return counts


def _count(counts: PayloadCounts, lead: MappedLead, row: LeadRow, renderers: Renderers, pushed_at: datetime) -> None:
    counts.without_email += not row.email
    try:
        payload = renderers.build(lead, row, uuid4(), pushed_at)
    except PayloadError as error:
        counts.too_large += error.cause is PayloadProblem.TOO_LARGE
        return
    if counts.sample is None:
        counts.sample = cast("dict[str, object]", orjson.loads(payload.body))
