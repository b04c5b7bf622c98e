"""The pending change of an organization's webhook: found in NexusLeads' settings, and applied when an owner or admin confirms it.

Owns all statements on `clay.pending_webhooks`. Callers lock the destination's row first, except for reading.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.secret_box import SecretBox, mask

PUT = Statement("""
INSERT INTO clay.pending_webhooks (id, org_id, sealed_url, url_mask) VALUES (:id, :org_id, :sealed_url, :url_mask)
ON CONFLICT (org_id) DO UPDATE
SET id = excluded.id, sealed_url = excluded.sealed_url, url_mask = excluded.url_mask, found_at = now()
""")


@dataclass(frozen=True, slots=True)
class PendingWebhook:
    id: UUID
    """A later change has another id, so that a user confirms exactly the change that was shown."""
    url_mask: str | None
    """None: the webhook was removed there."""
    found_at: datetime


READ = Statement("SELECT id, url_mask, found_at FROM clay.pending_webhooks WHERE org_id = :org_id", PendingWebhook)


class _SealedUrl(NamedTuple):
    sealed_url: bytes | None


SEALED = Statement("SELECT sealed_url FROM clay.pending_webhooks WHERE org_id = :org_id AND id = :id", _SealedUrl)
# Without an id it deletes any pending change: the caller has just saved or removed the webhook.
DELETE = Statement("""
DELETE FROM clay.pending_webhooks
WHERE org_id = :org_id AND (CAST(:id AS uuid) IS NULL OR id = CAST(:id AS uuid))
""")


async def put_pending(connection: AsyncConnection, box: SecretBox | None, org_id: UUID, url: str | None) -> UUID:
    """Replace the pending change. `url` None: the webhook was removed, which needs no `box`."""
    pending_id = uuid4()
    sealed = None if url is None or box is None else box.seal(url, org_id, pending_id)
    url_mask = None if sealed is None or url is None else mask(url)
    await PUT.execute(connection, {"id": pending_id, "org_id": org_id, "sealed_url": sealed, "url_mask": url_mask})
    return pending_id


async def read_pending(connection: AsyncConnection, org_id: UUID) -> PendingWebhook | None:
    return await READ.one_or_none(connection, {"org_id": org_id})


async def pending_url(connection: AsyncConnection, box: SecretBox, org_id: UUID, pending_id: UUID) -> str | None:
    """Return the decrypted URL; None for a removal. Raises LookupError if the change is not pending, SecretError without its key."""
    row = await SEALED.one_or_none(connection, {"org_id": org_id, "id": pending_id})
    if row is None:
        raise LookupError
    return None if row.sealed_url is None else box.open(row.sealed_url, org_id, pending_id)


async def settle_pending(connection: AsyncConnection, org_id: UUID, pending_id: UUID | None = None) -> bool:
    """Delete this pending change, or without an id any pending change. Returns whether there was one."""
    return bool(await DELETE.execute(connection, {"org_id": org_id, "id": pending_id}))
