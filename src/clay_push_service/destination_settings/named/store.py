"""The rows of an organization's destinations: creates, changes and archives them. Their webhooks are in `save_config`."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.config_change import UNCHANGED, Unchanged, or_stored
from clay_push_service.destinations.slots import ensure_default_workspace
from clay_push_service.errors import ConflictError, InvalidError, NotFoundError
from clay_push_service.states import DuplicateHandling

MAX_DESTINATIONS = 50
KEEPS_ONE = frozenset({DuplicateHandling.KEEPS_OLDEST, DuplicateHandling.KEEPS_NEWEST})


@dataclass(frozen=True, slots=True)
class DestinationChange:
    """What a destination is called and how its table handles duplicates. UNCHANGED: unchanged."""

    name: str | Unchanged = UNCHANGED
    workspace_id: UUID | Unchanged = UNCHANGED
    dedupe: DuplicateHandling | Unchanged = UNCHANGED
    dedupe_column: str | Unchanged | None = UNCHANGED


class _Existing(NamedTuple):
    others: int
    has_default: bool


class StoredNames(NamedTuple):
    """A destination of the organization, locked."""

    id: UUID
    name: str
    workspace_id: UUID
    is_default: bool
    is_archived: bool
    dedupe: str
    dedupe_column: str | None


class _FormerDefault(NamedTuple):
    host_fingerprint: bytes | None


COUNT = Statement(
    """
SELECT count(*) FILTER (WHERE archived_at IS NULL) AS others, coalesce(bool_or(is_default), false) AS has_default
FROM clay.destinations WHERE org_id = :org_id
""",
    _Existing,
)
DEFAULT_WORKSPACE = Statement("SELECT id FROM clay.workspaces WHERE org_id = :org_id AND is_default", UUID)
WITH_NAME = Statement(
    "SELECT id FROM clay.destinations WHERE org_id = :org_id AND archived_at IS NULL AND lower(name) = lower(:name)",
    UUID,
)
INSERT = Statement(
    """
INSERT INTO clay.destinations (org_id, workspace_id, name, table_name, is_default, dedupe, dedupe_column)
VALUES (:org_id, :workspace_id, :name, :name, :is_default, :dedupe, :dedupe_column) RETURNING id
""",
    UUID,
)
# The default destination is locked, too, and in the order of ids: another transaction may change it at the same time.
LOCK = Statement(
    """
SELECT id, name, workspace_id, is_default, archived_at IS NOT NULL AS is_archived, dedupe, dedupe_column
FROM clay.destinations WHERE org_id = :org_id AND (id = :id OR is_default) ORDER BY id FOR UPDATE
""",
    StoredNames,
)
# A push job records the name of the table, so both names are one here. NexusLeads' page changes only `table_name`.
UPDATE = Statement("""
UPDATE clay.destinations
SET name = :name, table_name = CASE WHEN name = :name THEN table_name ELSE :name END, workspace_id = :workspace_id,
    dedupe = :dedupe, dedupe_column = :dedupe_column, updated_at = now()
WHERE org_id = :org_id AND id = :id
""")
ARCHIVE = Statement("""
UPDATE clay.destinations SET archived_at = now(), suspect_since = NULL, updated_at = now()
WHERE org_id = :org_id AND id = :id AND archived_at IS NULL AND NOT is_default
""")
# The values of NexusLeads' page that were read last stay known, so that an old value does not change the new default.
UNSET_DEFAULT = Statement(
    """
UPDATE clay.destinations SET is_default = false, updated_at = now() WHERE org_id = :org_id AND is_default
RETURNING host_fingerprint
""",
    _FormerDefault,
)
SET_DEFAULT = Statement("""
UPDATE clay.destinations SET is_default = true, host_fingerprint = :fingerprint, updated_at = now()
WHERE org_id = :org_id AND id = :id
""")


async def lock_destination_row(connection: AsyncConnection, org_id: UUID, destination_id: UUID) -> StoredNames:
    """Raises 404 `destination_not_found`, 409 `destination_archived`."""
    rows = await LOCK.rows(connection, {"org_id": org_id, "id": destination_id})
    found = next((row for row in rows if row.id == destination_id), None)
    if found is None:
        raise destination_not_found()
    if found.is_archived:
        raise destination_archived()
    return found


async def insert_destination(connection: AsyncConnection, org_id: UUID, name: str, change: DestinationChange) -> UUID:
    """Inserts a destination without a webhook. An organization's first destination is its default one. The caller holds the organization's lock.

    Raises 409 `name_in_use` or `too_many_destinations`, 422 for a dedupe column that does not fit.
    """
    await ensure_default_workspace(connection, org_id)
    existing = await COUNT.one(connection, {"org_id": org_id})
    if existing.others >= MAX_DESTINATIONS:
        raise ConflictError(
            f"Your organization has {MAX_DESTINATIONS} destinations, which is the limit. Archive one that you no longer use.",
            code="too_many_destinations",
        )
    await _require_free_name(connection, org_id, name, None)
    workspace_id = change.workspace_id
    if isinstance(workspace_id, Unchanged):
        workspace_id = await DEFAULT_WORKSPACE.one(connection, {"org_id": org_id})
    dedupe, column = _dedupe_of(change, DuplicateHandling.UNKNOWN, None)
    values = {
        "org_id": org_id, "workspace_id": workspace_id, "name": name, "is_default": not existing.has_default,
        "dedupe": dedupe, "dedupe_column": column,
    }  # fmt: skip
    return await INSERT.one(connection, values)


async def update_destination(
    connection: AsyncConnection, org_id: UUID, stored: StoredNames, change: DestinationChange
) -> dict[str, str | None]:
    """Returns what has changed, for the audit log. Raises 409 `name_in_use`, 422 for a dedupe column that does not fit."""
    dedupe, column = _dedupe_of(change, DuplicateHandling(stored.dedupe), stored.dedupe_column)
    before = {
        "name": stored.name, "workspace_id": str(stored.workspace_id), "dedupe": stored.dedupe,
        "dedupe_column": stored.dedupe_column,
    }  # fmt: skip
    workspace_id = or_stored(change.workspace_id, stored.workspace_id)
    after: dict[str, str | None] = {
        "name": or_stored(change.name, stored.name), "workspace_id": str(workspace_id), "dedupe": dedupe.value,
        "dedupe_column": column,
    }  # fmt: skip
    changed = {field: value for field, value in after.items() if before[field] != value}
    if "name" in changed:
        await _require_free_name(connection, org_id, str(after["name"]), stored.id)
    if changed:
        await UPDATE.execute(connection, {**after, "workspace_id": workspace_id, "org_id": org_id, "id": stored.id})
    return changed


async def make_default(connection: AsyncConnection, org_id: UUID, destination_id: UUID) -> None:
    """Makes a destination the default one. The caller holds the locks of both destinations."""
    former = await UNSET_DEFAULT.one_or_none(connection, {"org_id": org_id})
    values = {"org_id": org_id, "id": destination_id, "fingerprint": former.host_fingerprint if former else None}
    await SET_DEFAULT.execute(connection, values)


async def archive_row(connection: AsyncConnection, org_id: UUID, destination_id: UUID) -> None:
    await ARCHIVE.execute(connection, {"org_id": org_id, "id": destination_id})


def destination_not_found() -> NotFoundError:
    return NotFoundError(
        "Your organization has no destination with this id.",
        code="destination_not_found",
        errors=[{"field": "destination_id", "message": "is not a destination of your organization"}],
    )


def destination_archived() -> ConflictError:
    return ConflictError(
        "This destination is archived: it accepts no leads and cannot be changed. Use another one, or create it again.",
        code="destination_archived",
        errors=[{"field": "destination_id", "message": "is archived"}],
    )


def _dedupe_of(
    change: DestinationChange, dedupe: DuplicateHandling, column: str | None
) -> tuple[DuplicateHandling, str | None]:
    """Returns the dedupe setting to store. A table that keeps one of several rows needs a column; another table has none."""
    new_dedupe = or_stored(change.dedupe, dedupe)
    if new_dedupe not in KEEPS_ONE:
        if isinstance(change.dedupe_column, str):
            raise InvalidError(
                f"dedupe `{new_dedupe.value}` has no column: omit dedupe_column, or send `keeps_oldest` or `keeps_newest`.",
                errors=[{"field": "dedupe_column", "message": f"not with dedupe `{new_dedupe.value}`"}],
            )
        return new_dedupe, None
    named = or_stored(change.dedupe_column, column)
    if named is None:
        raise InvalidError(
            f"dedupe `{new_dedupe.value}` needs dedupe_column, the column by which Clay finds duplicates.",
            errors=[{"field": "dedupe_column", "message": f"is required with dedupe `{new_dedupe.value}`"}],
        )
    return new_dedupe, named


async def _require_free_name(connection: AsyncConnection, org_id: UUID, name: str, own_id: UUID | None) -> None:
    found = await WITH_NAME.one_or_none(connection, {"org_id": org_id, "name": name})
    if found not in {None, own_id}:
        raise ConflictError(
            f"Your organization has a destination named “{name}” already. Choose another name.",
            code="name_in_use",
            errors=[{"field": "name", "message": "is the name of another destination"}],
        )
