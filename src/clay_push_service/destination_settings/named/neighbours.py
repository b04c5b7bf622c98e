"""Reads what a change of one destination needs of the organization's other destinations: their webhooks, and the shared pace."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.url_fingerprint import fingerprint
from clay_push_service.errors import ConflictError, InvalidError

LOCK_ORGANIZATION = Statement(
    "SELECT pg_advisory_xact_lock(hashtextextended('clay_push_destinations ' || CAST(CAST(:org_id AS uuid) AS text), 0))"
)
# Two destinations with one webhook would feed one Clay table, which then gets a row of each.
OTHER_WITH_WEBHOOK = Statement(
    """
SELECT destination.name FROM clay.destinations AS destination
JOIN clay.destination_versions AS version
  ON version.org_id = destination.org_id AND version.id = destination.version_id
WHERE destination.org_id = :org_id AND destination.id <> :id AND version.url_fingerprint = :fingerprint LIMIT 1
""",
    str,
)
HAS_PUBLIC_NEIGHBOUR = Statement(
    """
SELECT EXISTS (
    SELECT 1 FROM clay.destinations AS destination
    JOIN clay.destination_versions AS version
      ON version.org_id = destination.org_id AND version.id = destination.version_id
    WHERE destination.org_id = :org_id AND destination.workspace_id = :workspace_id
      AND destination.id IS DISTINCT FROM CAST(:id AS uuid) AND NOT version.is_internal) AS found
""",
    bool,
)


async def lock_organization(connection: AsyncConnection, org_id: UUID) -> None:
    """Waits for other changes of the organization's destinations and workspaces. Call it before any of their rows is locked."""
    await LOCK_ORGANIZATION.execute(connection, {"org_id": org_id})


async def has_public_neighbour(
    connection: AsyncConnection, org_id: UUID, workspace_id: UUID, destination_id: UUID | None = None
) -> bool:
    """Whether another destination of the workspace has a webhook of Clay itself: then Clay's limit applies to the whole workspace."""
    values = {"org_id": org_id, "workspace_id": workspace_id, "id": destination_id}
    return await HAS_PUBLIC_NEIGHBOUR.one(connection, values)


async def require_unused_webhook(connection: AsyncConnection, org_id: UUID, destination_id: UUID, url: str) -> None:
    """Raises 409 `webhook_in_use` if another destination of the organization sends to this webhook."""
    values = {"org_id": org_id, "id": destination_id, "fingerprint": fingerprint(org_id, url)}
    other = await OTHER_WITH_WEBHOOK.one_or_none(connection, values)
    if other is not None:
        raise ConflictError(
            f"The destination “{other}” already sends to this webhook. Use that destination, or create another webhook in Clay.",
            code="webhook_in_use",
            errors=[{"field": "webhook_url", "message": f"is the webhook of “{other}”"}],
        )


def rate_refused() -> InvalidError:
    return InvalidError(
        "Clay accepts 10 requests/s per workspace, so the delay between two leads cannot be shorter than"
        f" {LEAST_RATE_LIMIT_MS} ms. Only a webhook in an allowed internal network may have a shorter delay.",
        errors=[{"field": "rate_limit_ms", "message": f"must be at least {LEAST_RATE_LIMIT_MS}"}],
    )
