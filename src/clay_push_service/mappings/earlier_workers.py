"""Refuses to let a destination use a mapping while a worker runs that would send the standard payload instead.

During an update, migrations and web processes are new before the last worker is. A worker of an earlier release ignores
the mapping of a push job: its rows in Clay would have the wrong columns, and each would use a submission.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.database.statement import Statement
from clay_push_service.errors import ConflictError

RUNNING_SECONDS = 30
"""A worker with a heartbeat in this time is running, as `/status` counts it; a worker writes one every 5 s."""

EARLIER = Statement(
    f"""
SELECT hostname || ' (process ' || pid || ')' AS worker FROM clay.workers
WHERE NOT sends_mappings AND seen_at > clock_timestamp() - interval '{RUNNING_SECONDS} seconds' ORDER BY hostname, pid
""",
    str,
)

log = logs.get(__name__)


async def require_no_earlier_worker(connection: AsyncConnection) -> None:
    """Raises 409 `workers_outdated`. The log names the workers; the message, which an organization reads, does not."""
    workers = await EARLIER.rows(connection)
    if workers:
        log.warning("mapping.refused_for_earlier_workers", workers=list(workers), remedy="update these workers")
        raise ConflictError(
            "This service is being updated: a worker of the earlier release is running, and it would send the standard payload"
            " instead of the mapping. Try again in a few minutes. If it persists, ask the NexusLeads operator to update the workers.",
            code="workers_outdated",
        )
