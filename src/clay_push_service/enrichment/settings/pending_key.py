"""The pending change of an organization's API key: found in NexusLeads' settings, and applied when an owner or admin confirms it.

Owns all statements on `clay.pending_api_keys`. Callers lock the row of the settings first, except for reading.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.setting_checks.api_key_form import mask_key


class PendingKey(NamedTuple):
    id: UUID
    """A later change has another id, so that a user confirms exactly the change that was shown."""
    key_mask: str | None
    """None: the key was removed there."""
    found_at: datetime


class _SealedKey(NamedTuple):
    sealed_api_key: bytes | None


PUT = Statement("""
INSERT INTO clay.pending_api_keys (id, org_id, sealed_api_key, key_mask) VALUES (:id, :org_id, :sealed, :mask)
ON CONFLICT (org_id) DO UPDATE
SET id = excluded.id, sealed_api_key = excluded.sealed_api_key, key_mask = excluded.key_mask, found_at = now()
""")
READ = Statement("SELECT id, key_mask, found_at FROM clay.pending_api_keys WHERE org_id = :org_id", PendingKey)
SEALED = Statement("SELECT sealed_api_key FROM clay.pending_api_keys WHERE org_id = :org_id AND id = :id", _SealedKey)
# Without an id it deletes any pending change: the caller has just set the key.
DELETE = Statement("""
DELETE FROM clay.pending_api_keys
WHERE org_id = :org_id AND (CAST(:id AS uuid) IS NULL OR id = CAST(:id AS uuid))
""")


async def put_pending(connection: AsyncConnection, box: SecretBox | None, org_id: UUID, key: str | None) -> UUID:
    """Replace the pending change. `key` None: the key was removed, which needs no `box`."""
    pending_id = uuid4()
    sealed = None if key is None or box is None else box.seal(key, org_id, pending_id)
    mask = None if sealed is None or key is None else mask_key(key)
    await PUT.execute(connection, {"id": pending_id, "org_id": org_id, "sealed": sealed, "mask": mask})
    return pending_id


async def read_pending(connection: AsyncConnection, org_id: UUID) -> PendingKey | None:
    return await READ.one_or_none(connection, {"org_id": org_id})


async def pending_key(connection: AsyncConnection, box: SecretBox, org_id: UUID, pending_id: UUID) -> str | None:
    """Return the decrypted key; None for a removal. Raises LookupError if the change is not pending, SecretError without its encryption key."""
    found = await SEALED.one_or_none(connection, {"org_id": org_id, "id": pending_id})
    if found is None:
        raise LookupError
    sealed = found.sealed_api_key
    return None if sealed is None else box.open(sealed, org_id, pending_id)


async def settle_pending(connection: AsyncConnection, org_id: UUID, pending_id: UUID | None = None) -> bool:
    """Delete this pending change, or without an id any pending change. Returns whether there was one."""
    return await DELETE.execute(connection, {"org_id": org_id, "id": pending_id}) > 0
