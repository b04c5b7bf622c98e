"""Removes the webhook of a destination: deletes the URL and token of every version and ends queued deliveries; records stay."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.end_queued import end_queued
from clay_push_service.destination_settings.pending_webhook import settle_pending
from clay_push_service.destinations.state import remove_versions


class _LockedDestination(NamedTuple):
    id: UUID
    version_id: UUID | None
    is_default: bool
    is_only: bool


# FOR UPDATE: a concurrent push is accepted before (its leads are ended below) or refused after (409).
LOCK = Statement(
    """
SELECT id, version_id, is_default,
       NOT EXISTS (SELECT 1 FROM clay.destinations AS other WHERE other.org_id = :org_id AND other.id <> destination.id) AS is_only
FROM clay.destinations AS destination
WHERE org_id = :org_id
  AND CASE WHEN CAST(:destination_id AS uuid) IS NULL THEN is_default ELSE id = :destination_id END
FOR UPDATE
""",
    _LockedDestination,
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


async def remove_destination(
    connection: AsyncConnection, org_id: UUID, actor: str, destination_id: UUID | None = None
) -> int | None:
    """Removes the webhook of the default destination, or of the given one. Returns the number of deliveries that were ended; None: there was no webhook."""
    row = await LOCK.one_or_none(connection, {"org_id": org_id, "destination_id": destination_id})
    if row is not None and row.is_default and await settle_pending(connection, org_id):
        await audit(connection, org_id, actor, "config.pending_settled")
    if row is None or row.version_id is None:
        return None
    await DETACH.execute(connection, {"org_id": org_id, "id": row.id})
    jobs = list(await LIVE_JOBS.rows(connection, {"org_id": org_id, "id": row.id}))
    ended = sum((await end_queued(connection, jobs, Cause.DESTINATION_REMOVED)).values()) if jobs else 0
    await remove_versions(connection, org_id, row.id, Cause.DESTINATION_REMOVED)
    details: dict[str, Detail] = {"ended": ended}
    if not row.is_only:
        details["destination_id"] = str(row.id)
    await audit(connection, org_id, actor, "config.removed", details)
    return ended
