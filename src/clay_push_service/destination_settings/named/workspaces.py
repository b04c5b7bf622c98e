"""Reads, creates and changes the Clay workspaces of an organization: their names and their paces. `slots` owns the pace itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import queue
from clay_push_service.audit import Detail, audit
from clay_push_service.callers.actor import Actor
from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.named.neighbours import (
    has_public_neighbour,
    lock_organization,
    rate_refused,
)
from clay_push_service.destinations.pace import DEFAULT_RATE_LIMIT_MS, LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.slots import WorkspaceKey, ensure_default_workspace, set_rate
from clay_push_service.errors import ConflictError, NotFoundError

MAX_WORKSPACES = 20
"""Limit of workspaces of one organization. Customers of Clay have fewer; a faulty script cannot fill the table."""


class Workspace(NamedTuple):
    id: UUID
    name: str
    is_default: bool
    rate_limit_ms: int
    destination_count: int
    created_at: datetime


SELECT = """
SELECT workspace.id, workspace.name, workspace.is_default, workspace.rate_limit_ms,
       (SELECT count(*) FROM clay.destinations AS destination
        WHERE destination.org_id = workspace.org_id AND destination.workspace_id = workspace.id
          AND destination.archived_at IS NULL) AS destination_count,
       workspace.created_at
FROM clay.workspaces AS workspace WHERE workspace.org_id = :org_id
"""
READ = Statement(f"{SELECT} AND workspace.id = :id", Workspace)
READ_ALL = Statement(f"{SELECT} ORDER BY NOT workspace.is_default, lower(workspace.name)", Workspace)
COUNT = Statement("SELECT count(*) AS workspaces FROM clay.workspaces WHERE org_id = :org_id", int)
WITH_NAME = Statement("SELECT id FROM clay.workspaces WHERE org_id = :org_id AND lower(name) = lower(:name)", UUID)
INSERT = Statement(
    """
INSERT INTO clay.workspaces (org_id, name, is_default, rate_limit_ms)
VALUES (:org_id, :name, false, :rate_limit_ms) RETURNING id
""",
    UUID,
)
RENAME = Statement("UPDATE clay.workspaces SET name = :name, updated_at = now() WHERE org_id = :org_id AND id = :id")


async def list_workspaces(connection: AsyncConnection, org_id: UUID) -> Sequence[Workspace]:
    """The default one first, the others by name."""
    return await READ_ALL.rows(connection, {"org_id": org_id})


async def require_workspace(connection: AsyncConnection, org_id: UUID, workspace_id: UUID) -> Workspace:
    """Raises 404 `workspace_not_found`, also for a workspace of another organization."""
    found = await READ.one_or_none(connection, {"org_id": org_id, "id": workspace_id})
    if found is None:
        raise NotFoundError(
            "Your organization has no workspace with this id.",
            code="workspace_not_found",
            errors=[{"field": "workspace_id", "message": "is not a workspace of your organization"}],
        )
    return found


async def create_workspace(
    connection: AsyncConnection, actor: Actor, name: str, rate_limit_ms: int | None
) -> Workspace:
    """Raises 409 `name_in_use` or `too_many_workspaces`, 422 for a pace above Clay's limit."""
    rate = DEFAULT_RATE_LIMIT_MS if rate_limit_ms is None else rate_limit_ms
    if rate < LEAST_RATE_LIMIT_MS:  # it has no destination yet, so none of an internal network
        raise rate_refused()
    await lock_organization(connection, actor.org_id)
    await ensure_default_workspace(connection, actor.org_id)
    if await COUNT.one(connection, {"org_id": actor.org_id}) >= MAX_WORKSPACES:
        raise ConflictError(
            f"Your organization has {MAX_WORKSPACES} workspaces, which is the limit.", code="too_many_workspaces"
        )
    await _require_free_name(connection, actor.org_id, name, None)
    values = {"org_id": actor.org_id, "name": name, "rate_limit_ms": rate}
    workspace_id = await INSERT.one(connection, values)
    details: dict[str, Detail] = {"workspace_id": str(workspace_id), "name": name, "rate_limit_ms": rate}
    await audit(connection, actor.org_id, actor.name, "workspace.created", details)
    return await require_workspace(connection, actor.org_id, workspace_id)


async def change_workspace(
    connection: AsyncConnection, actor: Actor, workspace_id: UUID, name: str | None, rate_limit_ms: int | None
) -> Workspace:
    """None: unchanged. Raises 404 `workspace_not_found`, 409 `name_in_use`, 422 for a pace above Clay's limit."""
    await lock_organization(connection, actor.org_id)
    stored = await require_workspace(connection, actor.org_id, workspace_id)
    changed: dict[str, Detail] = {}
    if name is not None and name != stored.name:
        await _require_free_name(connection, actor.org_id, name, workspace_id)
        await RENAME.execute(connection, {"org_id": actor.org_id, "id": workspace_id, "name": name})
        changed["name"] = name
    if rate_limit_ms is not None and rate_limit_ms != stored.rate_limit_ms:
        is_public = not stored.destination_count or await has_public_neighbour(connection, actor.org_id, workspace_id)
        if rate_limit_ms < LEAST_RATE_LIMIT_MS and is_public:
            raise rate_refused()
        await set_rate(connection, WorkspaceKey(actor.org_id, workspace_id), rate_limit_ms)
        await queue.wake_live(connection, actor.org_id)
        changed["rate_limit_ms"] = rate_limit_ms
    if changed:
        details = {"workspace_id": str(workspace_id), **changed}
        await audit(connection, actor.org_id, actor.name, "workspace.changed", details)
    return await require_workspace(connection, actor.org_id, workspace_id)


async def apply_clay_limit(connection: AsyncConnection, actor: Actor, workspace_id: UUID) -> None:
    """Lowers the pace of a workspace to Clay's limit, after it got its first destination in Clay."""
    stored = await require_workspace(connection, actor.org_id, workspace_id)
    if stored.rate_limit_ms < LEAST_RATE_LIMIT_MS and await has_public_neighbour(
        connection, actor.org_id, workspace_id
    ):
        rate = LEAST_RATE_LIMIT_MS if stored.rate_limit_ms else DEFAULT_RATE_LIMIT_MS
        await set_rate(connection, WorkspaceKey(actor.org_id, workspace_id), rate)
        details: dict[str, Detail] = {"workspace_id": str(workspace_id), "rate_limit_ms": rate}
        await audit(connection, actor.org_id, actor.name, "workspace.changed", details)


async def _require_free_name(connection: AsyncConnection, org_id: UUID, name: str, own_id: UUID | None) -> None:
    found = await WITH_NAME.one_or_none(connection, {"org_id": org_id, "name": name})
    if found not in {None, own_id}:
        raise ConflictError(
            f"Your organization has a workspace named “{name}” already. Choose another name.",
            code="name_in_use",
            errors=[{"field": "name", "message": "is the name of another workspace"}],
        )
