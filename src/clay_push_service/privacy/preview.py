"""Counts what an erasure of leads would remove. Reads only."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement


class ErasurePreview(NamedTuple):
    """`with_data`: how many of the leads have deliveries or values here. Other ids may be wrong, or erased already."""

    with_data: int
    deliveries: int
    queued: int
    enriched_values: int


# The same deliveries and values that `erase` stops, empties and deletes.
COUNT = Statement(
    """
WITH delivery AS (
    SELECT contributor_id AS lead_id, state FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = ANY(CAST(:lead_ids AS uuid[]))
), value AS (
    SELECT lead_id FROM clay.enriched_values WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[]))
)
SELECT (SELECT count(*) FROM (SELECT lead_id FROM delivery UNION SELECT lead_id FROM value) AS lead) AS with_data,
       (SELECT count(*) FROM delivery) AS deliveries,
       (SELECT count(*) FROM delivery WHERE state IN ('waiting', 'claimed')) AS queued,
       (SELECT count(*) FROM value) AS enriched_values
""",
    ErasurePreview,
)


async def preview_erasure(connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID]) -> ErasurePreview:
    return await COUNT.one(connection, {"org_id": org_id, "lead_ids": list(lead_ids)})
