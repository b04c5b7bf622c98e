"""Reopens destinations that this service closed, once the reason is gone: a key is back in the ring, a host is allowed again.

A destination that Clay refused stays closed until its settings are saved or its test succeeds.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.destinations.guard import BlockedError, Policy, check_url
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.destinations.state import lock_closed_by_service, reopen_repaired

log = logs.get(__name__)


async def reopen_destinations(connection: AsyncConnection, box: SecretBox, policy: Policy) -> int:
    """Returns how many were opened. Deliveries that failed meanwhile are sent only when they are retried."""
    opened = 0
    for closed in await lock_closed_by_service(connection):
        try:
            check_url(box.open(closed.sealed_url, closed.org_id, closed.id), policy)
            if closed.sealed_token is not None:
                box.open(closed.sealed_token, closed.org_id, closed.id)
        except (SecretError, BlockedError):
            continue
        await reopen_repaired(connection, closed.id)
        log.info("destination.reopened", version_id=str(closed.id), org_id=str(closed.org_id))
        opened += 1
    return opened
