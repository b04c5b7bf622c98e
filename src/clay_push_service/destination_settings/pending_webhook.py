"""The change of an organization's webhook that was found in the host's settings and waits for an owner or admin.

All statements on `clay.pending_webhooks`. The caller holds the destination's row locked, except to read.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.destinations.secret_box import SecretBox, mask

PUT = text("""
INSERT INTO clay.pending_webhooks (id, org_id, sealed_url, url_mask) VALUES (:id, :org_id, :sealed_url, :url_mask)
ON CONFLICT (org_id) DO UPDATE
SET id = excluded.id, sealed_url = excluded.sealed_url, url_mask = excluded.url_mask, found_at = now()
""")
READ = text("SELECT id, url_mask, found_at FROM clay.pending_webhooks WHERE org_id = :org_id")
SEALED = text("SELECT sealed_url FROM clay.pending_webhooks WHERE org_id = :org_id AND id = :id")
# Without an id: whatever waits, because the caller has just set where leads go.
DELETE = text("""
DELETE FROM clay.pending_webhooks
WHERE org_id = :org_id AND (CAST(:id AS uuid) IS NULL OR id = CAST(:id AS uuid)) RETURNING id
""")


@dataclass(frozen=True, slots=True)
class PendingWebhook:
    id: UUID
    """Names this very change: a later one has another id, so that what is confirmed is what was seen."""
    url_mask: str | None
    """None: the webhook was removed there."""
    found_at: datetime


async def put_pending(connection: AsyncConnection, box: SecretBox | None, org_id: UUID, url: str | None) -> UUID:
    """Replaces what waits. `url` None: a removal, which needs no `box`."""
    pending_id = uuid4()
    sealed = None if url is None or box is None else box.seal(url, org_id, pending_id)
    url_mask = None if sealed is None or url is None else mask(url)
    await connection.execute(PUT, {"id": pending_id, "org_id": org_id, "sealed_url": sealed, "url_mask": url_mask})
    return pending_id


async def read_pending(connection: AsyncConnection, org_id: UUID) -> PendingWebhook | None:
    row = (await connection.execute(READ, {"org_id": org_id})).one_or_none()
    return None if row is None else PendingWebhook(row.id, row.url_mask, row.found_at)


async def pending_url(connection: AsyncConnection, box: SecretBox, org_id: UUID, pending_id: UUID) -> str | None:
    """The URL in clear, None for a removal. Raises LookupError when no such change waits, SecretError without its key."""
    row = (await connection.execute(SEALED, {"org_id": org_id, "id": pending_id})).one_or_none()
    if row is None:
        raise LookupError
    return None if row.sealed_url is None else box.open(row.sealed_url, org_id, pending_id)


async def settle_pending(connection: AsyncConnection, org_id: UUID, pending_id: UUID | None = None) -> bool:
    """Forget this change, or whatever waits. Returns whether there was one."""
    return (await connection.execute(DELETE, {"org_id": org_id, "id": pending_id})).one_or_none() is not None
