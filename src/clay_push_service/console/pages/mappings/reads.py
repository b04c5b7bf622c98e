"""Reads for the pages of mappings: the catalogue of fields and steps, and which destination uses which mapping."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.leads.mapping.changes import ColumnChange, ColumnChangeKind, changes_between
from clay_push_service.leads.mapping.columns import Column
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.mapping_settings.schemas import FieldCatalogue
from clay_push_service.mapping_settings.service import known_fields, list_versions
from clay_push_service.mappings.store import MappedDestination, StoredMapping, read_used_by


async def read_fields(connection: AsyncConnection, org_id: UUID) -> FieldCatalogue:
    return FieldCatalogue.of(await known_fields(connection, org_id))


async def read_mapped(connection: AsyncConnection, org_id: UUID) -> Mapping[UUID, MappedDestination]:
    """Returns the mapping of each destination, by the destination's id. An absent destination receives the standard payload."""
    return {each.destination_id: each for each in await read_used_by(connection, org_id)}


async def read_columns_of(
    connection: AsyncConnection, org_id: UUID, mapped: MappedDestination | None
) -> Sequence[Column]:
    """Returns the columns that the destination receives now."""
    if mapped is None:
        return STANDARD
    versions = await list_versions(connection, org_id, mapped.mapping_id)
    return next((each.parsed for each in versions if each.version_id == mapped.version_id), STANDARD)


class GroupedChange(NamedTuple):
    """Changes of one kind with one message, such as all columns that are removed."""

    kind: ColumnChangeKind
    message: str
    keys: list[str]


def grouped_changes(changes: Sequence[ColumnChange]) -> Sequence[GroupedChange]:
    """Groups changes of one kind and message, in the order of the first change of each group."""
    found: dict[tuple[ColumnChangeKind, str], GroupedChange] = {}
    for each in changes:
        group = found.setdefault((each.kind, each.message), GroupedChange(each.kind, each.message, []))
        group.keys.append(each.key)
    return list(found.values())


def changes_of(versions: Sequence[StoredMapping]) -> Sequence[Sequence[ColumnChange]]:
    """Returns what each version changed in Clay, newest version first."""
    columns = [each.parsed for each in versions]
    return [
        changes_between(columns[number + 1] if number + 1 < len(columns) else STANDARD, each)
        for number, each in enumerate(columns)
    ]
