"""Opens destinations that we ourselves had closed, once the reason is gone: a key is back in the ring, a host is allowed again.

Never what Clay closed (that takes a changed config or a good test), and never what still cannot be read or reached.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.destinations.guard import BlockedError, Policy, check_url
from clay_push_service.destinations.secret_box import SecretBox, SecretError

CLOSED_BY_US = text("""
SELECT id, org_id, sealed_url, sealed_token FROM clay.destination_versions
WHERE state = 'closed' AND state_reason IN ('secret_unreadable', 'blocked') AND sealed_url IS NOT NULL
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
""")
OPEN = text("""
UPDATE clay.destination_versions
SET state = 'open', state_reason = NULL, state_since = now(), refusals = 0, outages = 0 WHERE id = :id
""")

log = logs.get(__name__)


async def reopen(connection: AsyncConnection, box: SecretBox, policy: Policy) -> int:
    """Returns how many were opened. What had been queued has failed and can be retried; nothing is sent by itself."""
    opened = 0
    for row in (await connection.execute(CLOSED_BY_US)).all():
        try:
            check_url(box.open(row.sealed_url, row.org_id, row.id), policy)
            if row.sealed_token is not None:
                box.open(row.sealed_token, row.org_id, row.id)
        except (SecretError, BlockedError):
            continue
        await connection.execute(OPEN, {"id": row.id})
        log.info("destination.reopened", version_id=str(row.id), org_id=str(row.org_id))
        opened += 1
    return opened
