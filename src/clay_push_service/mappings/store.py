"""SQL of mappings, their versions and own table templates. The only module that changes these tables and a destination's mapping."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.leads.mapping.columns import Column


class StoredMapping(NamedTuple):
    """A mapping with one of its versions; `columns` is JSON."""

    id: UUID
    name: str
    based_on: str | None
    archived_at: datetime | None
    version_id: UUID
    number: int
    columns: str
    created_by: str
    created_at: datetime

    @property
    def parsed(self) -> list[Column]:
        return read_columns(self.columns)


class MappedDestination(NamedTuple):
    """A destination and the mapping that it uses."""

    destination_id: UUID
    mapping_id: UUID
    version_id: UUID
    number: int
    label: str


class LockedDestination(NamedTuple):
    """The mapping version of a locked destination; null: the standard payload."""

    mapping_version_id: UUID | None


class StoredTemplate(NamedTuple):
    """A table template that the organization saved; `columns` is JSON."""

    id: UUID
    name: str
    about: str
    dedupe_column: str | None
    columns: str
    created_by: str
    created_at: datetime


SELECT = """
SELECT mapping.id, mapping.name, mapping.based_on, mapping.archived_at, version.id AS version_id, version.number,
       CAST(version.columns AS text) AS columns, version.created_by, version.created_at
FROM clay.mappings AS mapping
JOIN clay.mapping_versions AS version ON version.org_id = mapping.org_id AND version.mapping_id = mapping.id
WHERE mapping.org_id = :org_id
"""
NEWEST = """AND version.number = (SELECT max(number) FROM clay.mapping_versions AS each
                      WHERE each.org_id = mapping.org_id AND each.mapping_id = mapping.id)"""
LIST = Statement(
    f"{SELECT} AND mapping.archived_at IS NULL {NEWEST} ORDER BY lower(mapping.name), mapping.id", StoredMapping
)
READ = Statement(f"{SELECT} AND mapping.id = :id {NEWEST}", StoredMapping)
VERSIONS = Statement(f"{SELECT} AND mapping.id = :id ORDER BY version.number DESC LIMIT :limit", StoredMapping)
READ_VERSION = Statement(f"{SELECT} AND version.id = :version_id", StoredMapping)
# The lock serializes saves of one mapping, so that each gets its own number.
LOCK = Statement(
    "SELECT id FROM clay.mappings WHERE org_id = :org_id AND id = :id AND archived_at IS NULL FOR UPDATE", UUID
)
INSERT = Statement(
    """
INSERT INTO clay.mappings (id, org_id, name, based_on, created_by) VALUES (:id, :org_id, :name, :based_on, :created_by)
ON CONFLICT DO NOTHING RETURNING id
""",
    UUID,
)
RENAME = Statement(
    """
UPDATE clay.mappings SET name = :name WHERE org_id = :org_id AND id = :id
  AND NOT EXISTS (SELECT 1 FROM clay.mappings AS other WHERE other.org_id = :org_id AND other.id <> :id
                  AND lower(other.name) = lower(:name) AND other.archived_at IS NULL)
RETURNING id
""",
    UUID,
)
ARCHIVE = Statement(
    "UPDATE clay.mappings SET archived_at = now() WHERE org_id = :org_id AND id = :id AND archived_at IS NULL"
)
INSERT_VERSION = Statement("""
INSERT INTO clay.mapping_versions (id, org_id, mapping_id, number, columns, created_by)
SELECT :version_id, :org_id, :id, coalesce(max(number), 0) + 1, CAST(:columns AS jsonb), :created_by
FROM clay.mapping_versions WHERE org_id = :org_id AND mapping_id = :id
""")
COUNT = Statement("SELECT count(*) FROM clay.mappings WHERE org_id = :org_id AND archived_at IS NULL", int)
# No key column changes: this does not wait for pushes that are being accepted, which hold FOR KEY SHARE.
FOLLOW = Statement("""
UPDATE clay.destinations AS destination SET mapping_version_id = :version_id, updated_at = now()
FROM clay.mapping_versions AS version
WHERE destination.org_id = :org_id AND version.org_id = destination.org_id
  AND version.id = destination.mapping_version_id AND version.mapping_id = :id
""")
ASSIGN = Statement(
    """
UPDATE clay.destinations SET mapping_version_id = CAST(:version_id AS uuid), updated_at = now()
WHERE org_id = :org_id AND id = :destination_id RETURNING id
""",
    UUID,
)
USED_BY = Statement(
    """
SELECT destination.id AS destination_id, version.mapping_id, version.id AS version_id, version.number,
       destination.name AS label
FROM clay.destinations AS destination
JOIN clay.mapping_versions AS version
  ON version.org_id = destination.org_id AND version.id = destination.mapping_version_id
WHERE destination.org_id = :org_id AND destination.archived_at IS NULL ORDER BY label, destination.id
""",
    MappedDestination,
)
LOCK_DESTINATION = Statement(
    """
SELECT mapping_version_id FROM clay.destinations WHERE org_id = :org_id AND id = :destination_id AND archived_at IS NULL FOR NO KEY UPDATE
""",
    LockedDestination,
)
TEMPLATES = Statement(
    """
SELECT id, name, about, dedupe_column, CAST(columns AS text) AS columns, created_by, created_at FROM clay.table_templates
WHERE org_id = :org_id AND (CAST(:id AS uuid) IS NULL OR id = :id) ORDER BY lower(name), id
""",
    StoredTemplate,
)
INSERT_TEMPLATE = Statement(
    """
INSERT INTO clay.table_templates (id, org_id, name, about, dedupe_column, columns, created_by)
VALUES (:id, :org_id, :name, :about, :dedupe_column, CAST(:columns AS jsonb), :created_by)
ON CONFLICT DO NOTHING RETURNING id
""",
    UUID,
)
DELETE_TEMPLATE = Statement("DELETE FROM clay.table_templates WHERE org_id = :org_id AND id = :id RETURNING id", UUID)
COUNT_TEMPLATES = Statement("SELECT count(*) FROM clay.table_templates WHERE org_id = :org_id", int)
CUSTOM_FIELDS = Statement("SELECT unnest(names) AS name FROM clay.custom_fields WHERE org_id = :org_id", str)


def write_columns(columns: Sequence[Column]) -> str:
    return json.dumps([each.as_json() for each in columns], ensure_ascii=False)


def read_columns(written: str) -> list[Column]:
    rows: Sequence[Mapping[str, Any]] = json.loads(written)
    return [Column.of_json(each) for each in rows]


async def insert_version(
    connection: AsyncConnection, org_id: UUID, mapping_id: UUID, version_id: UUID, columns: Sequence[Column], actor: str
) -> None:
    """Adds the next version. The caller has locked the mapping, or has just created it."""
    values = {
        "version_id": version_id, "org_id": org_id, "id": mapping_id, "columns": write_columns(columns), "created_by": actor,
    }  # fmt: skip
    await INSERT_VERSION.execute(connection, values)


async def read_used_by(connection: AsyncConnection, org_id: UUID) -> Sequence[MappedDestination]:
    return await USED_BY.rows(connection, {"org_id": org_id})
