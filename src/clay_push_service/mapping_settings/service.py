"""Creates, changes and archives mappings; each change lists what it means in Clay. `mappings.assign` lets a destination use one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.callers.actor import Actor
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.leads.mapping.catalogue import CUSTOM, FIELDS, MappableField, custom_field
from clay_push_service.leads.mapping.changes import ColumnChange, changes_between
from clay_push_service.leads.mapping.columns import Column, custom_problems, parse_columns
from clay_push_service.leads.mapping.problem import MappingProblem
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.mappings import store
from clay_push_service.mappings.assign import mapping_not_found, require_mapping
from clay_push_service.mappings.store import MappedDestination, StoredMapping

MAX_MAPPINGS = 100
"""Most mappings of an organization, without archived ones."""
MOST_VERSIONS_LISTED = 100


@dataclass(frozen=True, slots=True)
class MappingSaveResult:
    """A saved mapping. `previous_number`: the number of the version before; None: a new mapping, or the standard payload."""

    mapping: StoredMapping
    changes: Sequence[ColumnChange]
    previous_number: int | None
    used_by: Sequence[MappedDestination]


async def list_mappings(connection: AsyncConnection, org_id: UUID) -> Sequence[StoredMapping]:
    """Returns the newest version of each mapping that is not archived, by name."""
    return await store.LIST.rows(connection, {"org_id": org_id})


async def known_fields(connection: AsyncConnection, org_id: UUID) -> list[MappableField]:
    """Returns all fields that a column can use, with the custom fields of the organization."""
    custom = await store.CUSTOM_FIELDS.rows(connection, {"org_id": org_id})
    return [*FIELDS.values(), *(custom_field(CUSTOM + name) for name in custom)]


async def require_valid(connection: AsyncConnection, org_id: UUID, columns: Sequence[Column]) -> None:
    """Raises 422 with the place and offset of each problem."""
    parsed, problems = parse_columns(columns)
    if not problems and any(field.name.startswith("custom.") for each in parsed for field in each.fields):
        custom = await store.CUSTOM_FIELDS.rows(connection, {"org_id": org_id})
        problems = custom_problems(columns, parsed, custom)
    if problems:
        raise refusal(problems)


def refusal(problems: Sequence[MappingProblem]) -> InvalidError:
    first, others = problems[0], len(problems) - 1
    at = "" if first.offset is None else f" at offset {first.offset}"
    more = f" ({others} more)" if others else ""
    errors: list[dict[str, Any]] = []
    for each in problems:
        place: dict[str, Any] = {} if each.offset is None else {"offset": each.offset}
        errors.append({"field": each.place, "message": each.message, **place})
    end = "" if first.message.endswith(("?", ".")) else "."
    return InvalidError(f"{first.place}{at}: {first.message}{more}{end}", errors=errors)


async def list_versions(connection: AsyncConnection, org_id: UUID, mapping_id: UUID) -> Sequence[StoredMapping]:
    """Returns the versions, newest first, also of an archived mapping."""
    values = {"org_id": org_id, "id": mapping_id, "limit": MOST_VERSIONS_LISTED}
    found = await store.VERSIONS.rows(connection, values)
    if not found:
        raise mapping_not_found()
    return found


async def create_mapping(
    connection: AsyncConnection, actor: Actor, name: str, columns: Sequence[Column], based_on: str | None
) -> MappingSaveResult:
    """Creates version 1. Raises 422 for columns, 409 `name_in_use` or `too_many_mappings`."""
    await require_valid(connection, actor.org_id, columns)
    if await store.COUNT.one(connection, {"org_id": actor.org_id}) >= MAX_MAPPINGS:
        raise ConflictError(f"An organization can have at most {MAX_MAPPINGS} mappings.", code="too_many_mappings")
    mapping_id = uuid4()
    values = {"id": mapping_id, "org_id": actor.org_id, "name": name, "based_on": based_on, "created_by": actor.name}
    if await store.INSERT.one_or_none(connection, values) is None:
        raise _name_taken(name)
    await store.insert_version(connection, actor.org_id, mapping_id, uuid4(), columns, actor.name)
    details: dict[str, Detail] = {"mapping_id": str(mapping_id), "name": name, "columns": len(columns)}
    await audit(connection, actor.org_id, actor.name, "mapping.created", details)
    return MappingSaveResult(
        await require_mapping(connection, actor.org_id, mapping_id), changes_between(STANDARD, columns), None, []
    )


async def change_mapping(
    connection: AsyncConnection,
    actor: Actor,
    mapping_id: UUID,
    name: str,
    columns: Sequence[Column],
    version: int | None,
) -> MappingSaveResult:
    """Saves a new version, which the destinations of the mapping use from now on. Saves nothing if nothing has changed."""
    await require_valid(connection, actor.org_id, columns)
    key = {"org_id": actor.org_id, "id": mapping_id}
    if await store.LOCK.one_or_none(connection, key) is None:
        raise mapping_not_found()
    before = await require_mapping(connection, actor.org_id, mapping_id)
    if version is not None and version != before.number:
        raise ConflictError(
            f"The mapping has version {before.number} by now. Read it, and save again.", code="config_changed"
        )
    if name != before.name and await store.RENAME.one_or_none(connection, {**key, "name": name}) is None:
        raise _name_taken(name)
    is_new = before.parsed != list(columns)
    if is_new:
        version_id = uuid4()
        await store.insert_version(connection, actor.org_id, mapping_id, version_id, columns, actor.name)
        await store.FOLLOW.execute(connection, {**key, "version_id": version_id})
    saved = await require_mapping(connection, actor.org_id, mapping_id)
    if is_new or name != before.name:
        details: dict[str, Detail] = {
            "mapping_id": str(mapping_id),
            "name": name,
            "version": saved.number,
            "columns": len(columns),
        }
        await audit(connection, actor.org_id, actor.name, "mapping.changed", details)
    used_by = [each for each in await store.read_used_by(connection, actor.org_id) if each.mapping_id == mapping_id]
    return MappingSaveResult(saved, changes_between(before.parsed, columns), before.number, used_by)


async def archive_mapping(connection: AsyncConnection, actor: Actor, mapping_id: UUID) -> None:
    """Archives a mapping. Its versions stay, because push jobs refer to them. Raises 409 `mapping_in_use` with the destinations."""
    key = {"org_id": actor.org_id, "id": mapping_id}
    if await store.LOCK.one_or_none(connection, key) is None:
        raise mapping_not_found()
    used_by = [each for each in await store.read_used_by(connection, actor.org_id) if each.mapping_id == mapping_id]
    if used_by:
        names = ", ".join(each.label for each in used_by[:5])
        raise ConflictError(
            f"Destinations use this mapping: {names}. Choose another mapping for them first.", code="mapping_in_use",
            extra={"destination_ids": [str(each.destination_id) for each in used_by]},
        )  # fmt: skip
    await store.ARCHIVE.execute(connection, key)
    await audit(connection, actor.org_id, actor.name, "mapping.archived", {"mapping_id": str(mapping_id)})


def _name_taken(name: str) -> ConflictError:
    return ConflictError(
        f"Another mapping has the name “{name[:100]}”. Choose another name.", code="name_in_use",
        errors=[{"field": "name", "message": "is the name of another mapping"}],
    )  # fmt: skip
