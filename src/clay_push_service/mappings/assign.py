"""Lets a destination use a mapping, with what the change means in Clay. The only place that assigns one."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.callers.actor import Actor
from clay_push_service.errors import NotFoundError
from clay_push_service.leads.mapping.changes import ColumnChange, changes_between
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.mappings import store
from clay_push_service.mappings.earlier_workers import require_no_earlier_worker
from clay_push_service.mappings.store import StoredMapping


@dataclass(frozen=True, slots=True)
class AssignResult:
    """A destination's new mapping; None: the standard payload."""

    destination_id: UUID
    mapping: StoredMapping | None
    changes: Sequence[ColumnChange]
    before: int | None
    """Number of the version before; None: the standard payload."""


def mapping_not_found() -> NotFoundError:
    return NotFoundError(
        "Your organization has no mapping with this id.",
        code="mapping_not_found",
        errors=[{"field": "mapping_id", "message": "is not a mapping of your organization"}],
    )


async def require_mapping(connection: AsyncConnection, org_id: UUID, mapping_id: UUID) -> StoredMapping:
    """Returns the newest version. Raises 404 `mapping_not_found`, also for an archived mapping."""
    found = await store.READ.one_or_none(connection, {"org_id": org_id, "id": mapping_id})
    if found is None or found.archived_at is not None:
        raise mapping_not_found()
    return found


async def lock_mapping(connection: AsyncConnection, org_id: UUID, mapping_id: UUID) -> None:
    """Locks a mapping. Call it before a destination is locked, as a change of a mapping does. Raises 404 `mapping_not_found`."""
    if await store.LOCK.one_or_none(connection, {"org_id": org_id, "id": mapping_id}) is None:
        raise mapping_not_found()


async def assign_mapping(
    connection: AsyncConnection, actor: Actor, destination_id: UUID, mapping_id: UUID | None
) -> AssignResult:
    """Makes a destination use the newest version of a mapping, or the standard payload. Push jobs accepted before keep their version.

    Raises 404 `mapping_not_found` or `destination_not_found`, 409 `workers_outdated`.
    """
    if mapping_id is not None:
        await lock_mapping(connection, actor.org_id, mapping_id)
    key = {"org_id": actor.org_id, "destination_id": destination_id}
    locked = await store.LOCK_DESTINATION.one_or_none(connection, key)
    if locked is None:
        raise NotFoundError("Your organization has no destination with this id.", code="destination_not_found")
    chosen = None if mapping_id is None else await require_mapping(connection, actor.org_id, mapping_id)
    version_id = None if chosen is None else chosen.version_id
    before = None
    if locked.mapping_version_id is not None:
        values = {"org_id": actor.org_id, "version_id": locked.mapping_version_id}
        before = await store.READ_VERSION.one(connection, values)
    if version_id != locked.mapping_version_id:
        if version_id is not None:
            await require_no_earlier_worker(connection)
        await store.ASSIGN.execute(connection, {**key, "version_id": version_id})
        details: dict[str, Detail] = {
            "destination_id": str(destination_id), "mapping_id": None if chosen is None else str(chosen.id),
            "version": None if chosen is None else chosen.number,
        }  # fmt: skip
        await audit(connection, actor.org_id, actor.name, "destination.mapping_changed", details)
    changes = changes_between(
        STANDARD if before is None else before.parsed, STANDARD if chosen is None else chosen.parsed
    )
    return AssignResult(destination_id, chosen, changes, None if before is None else before.number)
