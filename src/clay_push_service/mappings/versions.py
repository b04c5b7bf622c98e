"""Compiled versions of mappings. A version never changes, so each is read and compiled once in a process."""

import functools
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from clay_push_service import logs
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.leads.mapping.compile import CompiledMapping, MappingError, compile_columns
from clay_push_service.mappings.store import read_columns

MOST_VERSIONS = 1000
"""Compiled versions that a process keeps; one takes about 100 KB at most, 20 KB usually."""

log = logs.get(__name__)


class VersionKey(NamedTuple):
    """A version of a mapping of an organization."""

    org_id: UUID
    version_id: UUID


class _Columns(NamedTuple):
    org_id: UUID
    id: UUID
    columns: str


READ = Statement(
    """
SELECT version.org_id, version.id, CAST(version.columns AS text) AS columns
FROM unnest(CAST(:org_ids AS uuid[]), CAST(:ids AS uuid[])) AS wanted (org_id, id)
JOIN clay.mapping_versions AS version ON version.id = wanted.id AND version.org_id = wanted.org_id
""",
    _Columns,
)


class _OfDestination(NamedTuple):
    mapping_version_id: UUID | None


OF_DESTINATION = Statement(
    "SELECT mapping_version_id FROM clay.destinations WHERE org_id = :org_id AND id = :destination_id", _OfDestination
)


OF_WEBHOOK = Statement(
    """
SELECT destination.mapping_version_id FROM clay.destination_versions AS version
JOIN clay.destinations AS destination ON destination.org_id = version.org_id AND destination.id = version.destination_id
WHERE version.org_id = :org_id AND version.id = :version_id
""",
    _OfDestination,
)


async def read_compiled_of_webhook(connection: Connection, org_id: UUID, version_id: UUID) -> CompiledMapping | None:
    """Returns the mapping that the destination of a webhook's version uses; None: the standard payload."""
    found = await OF_WEBHOOK.one_or_none(connection, {"org_id": org_id, "version_id": version_id})
    if found is None or found.mapping_version_id is None:
        return None
    key = VersionKey(org_id, found.mapping_version_id)
    return (await read_versions(connection, [key]))[key]


async def read_mapping_of(connection: Connection, org_id: UUID, destination_id: UUID | None) -> UUID | None:
    """Returns the version that a destination uses; None: the standard payload."""
    values = {"org_id": org_id, "destination_id": destination_id}
    found = await OF_DESTINATION.one_or_none(connection, values)
    return None if found is None else found.mapping_version_id


async def read_versions(connection: Connection, keys: Iterable[VersionKey]) -> dict[VersionKey, CompiledMapping | None]:
    """Returns None for a version that this release cannot read; only a newer release can have saved it."""
    unique_keys = list(dict.fromkeys(keys))
    if not unique_keys:
        return {}
    values = {"org_ids": [each.org_id for each in unique_keys], "ids": [each.version_id for each in unique_keys]}
    found: dict[VersionKey, CompiledMapping | None] = dict.fromkeys(unique_keys)
    for row in await READ.rows(connection, values):
        found[VersionKey(row.org_id, row.id)] = _compile(row.columns, row.id)
    return found


def _compile(columns: str, version_id: UUID) -> CompiledMapping | None:
    try:
        return compile_text(columns)
    except (MappingError, ValueError, KeyError) as error:
        log.error("mapping.unreadable", version_id=str(version_id), problem=str(error)[:200])  # noqa: TRY400 - the message is complete
        return None


@functools.lru_cache(maxsize=MOST_VERSIONS)
def compile_text(columns: str) -> CompiledMapping:
    return compile_columns(read_columns(columns))


class MappingCache:
    """The compiled versions that a worker process has used."""

    def __init__(self) -> None:
        self._compiled: dict[VersionKey, CompiledMapping | None] = {}

    def find(self, keys: Iterable[VersionKey]) -> dict[VersionKey, CompiledMapping | None]:
        """Returns the cached versions."""
        return {each: self._compiled[each] for each in keys if each in self._compiled}

    async def read(
        self, connection: Connection, keys: Iterable[VersionKey]
    ) -> dict[VersionKey, CompiledMapping | None]:
        found = await read_versions(connection, keys)
        if len(self._compiled) >= MOST_VERSIONS:
            self._compiled.clear()
        self._compiled.update(found)
        return found
