"""Reads the state and streaks of versions without a lock, to find those that a result can change."""

from collections.abc import Collection, Sequence
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.destinations.state import StoredHealth

READ_HEALTH = Statement(
    """
SELECT id, org_id, state, state_reason, refusals, outages FROM clay.destination_versions
WHERE id = ANY(CAST(:ids AS uuid[]))
""",
    StoredHealth,
)


async def read_health(connection: Connection, version_ids: Collection[UUID]) -> Sequence[StoredHealth]:
    return await READ_HEALTH.rows(connection, {"ids": list(version_ids)})
