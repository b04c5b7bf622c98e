"""Erases leads from enrichment items: ends live ones, and replaces the leads' ids by references. Costs and outcomes stay."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_jobs
from clay_push_service.enrichment.ledger.item_ends import ItemEnd, end_items
from clay_push_service.enrichment.ledger.states import ItemOutcome, ItemState

LIVE = tuple(each for each in ItemState if each is not ItemState.DONE)
READ_JOBS = Statement(
    """
SELECT DISTINCT job_id FROM clay.enrichment_items WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[]))
""",
    UUID,
)
READ_QUEUED = Statement(
    """
SELECT id FROM clay.enrichment_items
WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[])) AND state = 'queued'
""",
    UUID,
)
READ_REQUESTED = Statement(
    """
SELECT id FROM clay.enrichment_items
WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[])) AND state IN ('starting', 'held', 'requested')
""",
    UUID,
)
REPLACE = Statement("""
UPDATE clay.enrichment_items AS item SET lead_id = person.reference
FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:lead_references AS uuid[])) AS person (lead_id, reference)
WHERE item.org_id = :org_id AND item.lead_id = person.lead_id
""")


async def stop_items(connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID]) -> int:
    """End the live items of these leads: a result that still arrives is not stored. Locks every job that contains one of the leads.

    Call it before any push job is locked, as every transaction does that changes items. Returns the number of items.
    """
    values = {"org_id": org_id, "lead_ids": list(lead_ids)}
    await lock_jobs(connection, org_id, await READ_JOBS.rows(connection, values))
    ends = [ItemEnd(each, ItemOutcome.SKIPPED, ItemCause.ERASED) for each in await READ_QUEUED.rows(connection, values)]
    ends += [
        ItemEnd(each, ItemOutcome.EXPIRED, ItemCause.ERASED) for each in await READ_REQUESTED.rows(connection, values)
    ]
    return len(await end_items(connection, org_id, ends, states=LIVE))


async def replace_leads(
    connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID], references: Sequence[UUID]
) -> None:
    """Replace the ids of erased leads, after `stop_items` in the same transaction."""
    values = {"org_id": org_id, "lead_ids": list(lead_ids), "lead_references": list(references)}
    await REPLACE.execute(connection, values)
