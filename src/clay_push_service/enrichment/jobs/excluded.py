"""Ends queued enrichment items whose lead matches an exclusion, as soon as the exclusion is added.

The check at the start of a run remains: it covers leads that are queued at the same moment.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.suppression import read_excluded
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.item_ends import ItemEnd, end_items
from clay_push_service.enrichment.ledger.states import ItemOutcome, ItemState
from clay_push_service.host.tables import HostTables


class _Queued(NamedTuple):
    id: UUID
    lead_id: UUID


QUEUED = Statement(
    """
SELECT id, lead_id FROM clay.enrichment_items
WHERE org_id = :org_id AND state = 'queued' AND job_id = ANY(CAST(:job_ids AS uuid[]))
""",
    _Queued,
)


async def end_excluded(connection: AsyncConnection, tables: HostTables, org_id: UUID, job_ids: Sequence[UUID]) -> int:
    """Skips the queued items of locked jobs whose leads match an exclusion. Nothing was sent for them. Returns their number."""
    queued = await QUEUED.rows(connection, {"org_id": org_id, "job_ids": list(job_ids)})
    excluded = await read_excluded(connection, tables, org_id, [each.lead_id for each in queued])
    ends = [ItemEnd(each.id, ItemOutcome.SKIPPED, ItemCause.EXCLUDED) for each in queued if each.lead_id in excluded]
    return len(await end_items(connection, org_id, ends, states=[ItemState.QUEUED]))
