"""Declares that the current webhook feeds a new Clay table: afterwards no lead counts as already in Clay.

For webhooks that were saved on NexusLeads' own pages, which cannot send `new_table`. Idempotent per webhook URL.
"""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.save_config import CHANGED
from clay_push_service.errors import ConflictError


class _LockedDestination(NamedTuple):
    id: UUID
    version_id: UUID | None
    is_only: bool


# FOR UPDATE: a concurrent push is accepted completely before or completely after.
LOCK = Statement(
    """
SELECT id, version_id,
       NOT EXISTS (SELECT 1 FROM clay.destinations AS other WHERE other.org_id = :org_id AND other.id <> destination.id) AS is_only
FROM clay.destinations AS destination
WHERE org_id = :org_id
  AND CASE WHEN CAST(:destination_id AS uuid) IS NULL THEN is_default ELSE id = :destination_id END
FOR UPDATE
""",
    _LockedDestination,
)
NUMBER = Statement("SELECT number FROM clay.destination_versions WHERE org_id = :org_id AND id = :version_id", int)
DECLARE = Statement(
    """
UPDATE clay.destinations SET table_epoch = table_epoch + 1, new_table_version = :number, updated_at = now()
WHERE org_id = :org_id AND id = :id AND coalesce(new_table_version, 0) < coalesce(url_since_version, 1)
RETURNING table_epoch
""",
    int,
)


async def declare_new_table(
    connection: AsyncConnection, org_id: UUID, actor: str, number: int, destination_id: UUID | None = None
) -> bool:
    """Declares a new table for the default destination, or for the given one. `number`: the version that the caller has read.

    Returns False if it was declared before. Raises 409 `config_changed`.
    """
    locked = await LOCK.one_or_none(connection, {"org_id": org_id, "destination_id": destination_id})
    values = {"org_id": org_id, "version_id": locked.version_id if locked else None}
    current = await NUMBER.one_or_none(connection, values)
    if locked is None or current != number:
        raise ConflictError(CHANGED, code="config_changed")
    epoch = await DECLARE.one_or_none(connection, {"org_id": org_id, "id": locked.id, "number": number})
    if epoch is None:
        return False
    details: dict[str, Detail] = {"table_epoch": epoch}
    if not locked.is_only:
        details["destination_id"] = str(locked.id)
    await audit(connection, org_id, actor, "config.changed", details)
    return True
