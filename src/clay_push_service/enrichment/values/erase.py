"""Deletes enriched values: all values of erased leads, and old values that a newer one has replaced."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement

OF_LEADS = "WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[]))"
DELETE_CURRENT = Statement(f"DELETE FROM clay.enriched_current {OF_LEADS}")
DELETE_VALUES = Statement(f"DELETE FROM clay.enriched_values {OF_LEADS}")
# The newest row of a field stays, because it shows when the field was last looked for; so does the chosen one. In the order of
# `seq`, so that an edit never outlives the row that withdraws it. Without FOR UPDATE, which the running role may not use on this table.
DELETE_OLD = Statement("""
DELETE FROM clay.enriched_values AS value
USING (SELECT id, org_id FROM clay.enriched_values AS old
       WHERE old.received_at < now() - :days * interval '1 day'
         AND EXISTS (SELECT 1 FROM clay.enriched_values AS newer
                     WHERE newer.org_id = old.org_id AND newer.lead_id = old.lead_id AND newer.field = old.field
                       AND newer.seq > old.seq)
         AND NOT EXISTS (SELECT 1 FROM clay.enriched_current AS current
                         WHERE current.org_id = old.org_id AND current.value_id = old.id)
       ORDER BY old.seq LIMIT :rows) AS replaced
WHERE value.id = replaced.id AND value.org_id = replaced.org_id
""")


async def delete_values(connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID]) -> int:
    """Returns the number of deleted values. The caller holds `store.lock`."""
    values = {"org_id": org_id, "lead_ids": list(lead_ids)}
    await DELETE_CURRENT.execute(connection, values)
    return await DELETE_VALUES.execute(connection, values)


async def delete_old_values(connection: AsyncConnection, days: int, rows: int) -> int:
    """Delete up to `rows` replaced values that are older than `days`. Returns their number."""
    return await DELETE_OLD.execute(connection, {"days": days, "rows": rows})
