"""Declares that the present webhook feeds a new Clay table: afterwards no lead counts as already in Clay.

For webhooks that were saved on NexusLeads' own pages, which cannot send `new_table`. Idempotent per webhook URL.
"""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.save_config import CHANGED
from clay_push_service.errors import ConflictError


class _LockedDestination(NamedTuple):
    version_id: UUID | None


# FOR UPDATE: a concurrent push is accepted completely before or completely after.
LOCK = Statement(
    "SELECT version_id FROM clay.destinations WHERE org_id = :org_id AND is_default FOR UPDATE", _LockedDestination
)
NUMBER = Statement("SELECT number FROM clay.destination_versions WHERE org_id = :org_id AND id = :version_id", int)
DECLARE = Statement(
    """
UPDATE clay.destinations SET table_epoch = table_epoch + 1, new_table_version = :number, updated_at = now()
WHERE org_id = :org_id AND is_default AND coalesce(new_table_version, 0) < coalesce(url_since_version, 1)
RETURNING table_epoch
""",
    int,
)


async def declare_new_table(connection: AsyncConnection, org_id: UUID, actor: str, number: int) -> bool:
    """`number`: the version the caller has seen. False: it was declared before. Raises 409 `config_changed`."""
    locked = await LOCK.one_or_none(connection, {"org_id": org_id})
    values = {"org_id": org_id, "version_id": locked.version_id if locked else None}
    current = await NUMBER.one_or_none(connection, values)
    if current != number:
        raise ConflictError(CHANGED, code="config_changed")
    epoch = await DECLARE.one_or_none(connection, {"org_id": org_id, "number": number})
    if epoch is None:
        return False
    await audit(connection, org_id, actor, "config.changed", {"table_epoch": epoch})
    return True
