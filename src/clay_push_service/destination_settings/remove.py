"""Removes an organization's webhook: deletes the URL and token of every version and ends queued deliveries; records stay."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.destination_settings.pending_webhook import settle_pending
from clay_push_service.destinations.state import remove_versions


class _LockedDestination(NamedTuple):
    id: UUID
    version_id: UUID | None


# FOR UPDATE: a concurrent push is accepted before (its leads are ended below) or refused after (409).
LOCK = Statement(
    "SELECT id, version_id FROM clay.destinations WHERE org_id = :org_id AND is_default FOR UPDATE", _LockedDestination
)
DETACH = Statement(
    "UPDATE clay.destinations SET version_id = NULL, updated_at = now() WHERE org_id = :org_id AND id = :id"
)
LIVE_JOBS = Statement(
    """
SELECT job.id FROM clay.push_jobs AS job
JOIN clay.destination_versions AS version ON version.org_id = job.org_id AND version.id = job.destination_version_id
WHERE job.org_id = :org_id AND job.destination_id = :id AND version.sealed_url IS NOT NULL AND job.status IN ('pending', 'running')
""",
    UUID,
)


async def remove_destination(connection: AsyncConnection, org_id: UUID, actor: str) -> int | None:
    """Returns the number of deliveries that were ended; None when there was no webhook to remove."""
    row = await LOCK.one_or_none(connection, {"org_id": org_id})
    if row is not None and await settle_pending(connection, org_id):
        await audit(connection, org_id, actor, "config.pending_settled")
    if row is None or row.version_id is None:
        return None
    await DETACH.execute(connection, {"org_id": org_id, "id": row.id})
    jobs = list(await LIVE_JOBS.rows(connection, {"org_id": org_id, "id": row.id}))
    ended = sum((await end_queued(connection, jobs, Cause.DESTINATION_REMOVED)).values()) if jobs else 0
    await remove_versions(connection, org_id, row.id, Cause.DESTINATION_REMOVED)
    await audit(connection, org_id, actor, "config.removed", {"ended": ended})
    return ended
