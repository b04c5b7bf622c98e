"""Declares that the present webhook feeds a new Clay table: afterwards no lead counts as already in Clay.

For a webhook that was saved where `new_table` cannot be sent, as on NexusLeads' own pages. Idempotent per webhook URL.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.destination_settings.save_config import CHANGED
from clay_push_service.errors import ConflictError

# FOR UPDATE: a concurrent push is accepted wholly before or wholly after.
LOCK = text("SELECT version_id FROM clay.destinations WHERE org_id = :org_id AND is_default FOR UPDATE")
NUMBER = text("SELECT number FROM clay.destination_versions WHERE org_id = :org_id AND id = :version_id")
DECLARE = text("""
UPDATE clay.destinations SET table_epoch = table_epoch + 1, new_table_version = :number, updated_at = now()
WHERE org_id = :org_id AND is_default AND coalesce(new_table_version, 0) < coalesce(url_since_version, 1)
RETURNING table_epoch
""")


async def declare_new_table(connection: AsyncConnection, org_id: UUID, actor: str, number: int) -> bool:
    """`number`: the version the caller has seen. False: it was declared before. Raises 409 `config_changed`."""
    version_id = (await connection.execute(LOCK, {"org_id": org_id})).scalar_one_or_none()
    values = {"org_id": org_id, "version_id": version_id}
    current = (await connection.execute(NUMBER, values)).scalar_one_or_none() if version_id is not None else None
    if current != number:
        raise ConflictError(CHANGED, code="config_changed")
    epoch = (await connection.execute(DECLARE, {"org_id": org_id, "number": number})).scalar_one_or_none()
    if epoch is None:
        return False
    await audit(connection, org_id, actor, "config.changed", {"table_epoch": epoch})
    return True
