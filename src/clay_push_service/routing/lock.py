"""Serializes changes of an organization's segments and routes, so that limits and references hold. A push takes no such lock."""

from uuid import UUID

from clay_push_service.database.statement import Connection, Statement

LOCK = Statement("SELECT pg_advisory_xact_lock(hashtextextended('clay routing ' || CAST(:org_id AS text), 0))")


async def lock_routing(connection: Connection, org_id: UUID) -> None:
    """Waits until other changes commit. Lock destinations before it (see `exclusions.lock_destinations`)."""
    await LOCK.execute(connection, {"org_id": str(org_id)})
