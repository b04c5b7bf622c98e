"""SQL of `clay.host_writes` and `clay.write_back`: the only module that changes them.

Each field of a lead has at most one row, also after an undo: a value that a user removed is not written again.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Connection, Statement

ENABLED = Statement("SELECT org_id FROM clay.write_back WHERE enabled ORDER BY org_id", UUID)
IS_ENABLED = Statement("SELECT enabled FROM clay.write_back WHERE org_id = :org_id", bool)
SWITCH = Statement("""
INSERT INTO clay.write_back (org_id, enabled, changed_by) VALUES (:org_id, :enabled, :changed_by)
ON CONFLICT (org_id) DO UPDATE SET enabled = excluded.enabled, changed_by = excluded.changed_by, changed_at = now()
""")


class WritableValue(NamedTuple):
    """A value of Clay that was chosen for a field, and was never written into NexusLeads."""

    seq: int
    lead_id: UUID
    field: str
    value_id: UUID
    value_key: str
    text: str


# Only values that Clay found. A value that a user edited is not written: the user can enter it in NexusLeads as well.
WRITABLE = Statement(
    """
SELECT value.seq, value.lead_id, value.field, value.id AS value_id, value.value_key, value.value #>> '{}' AS text
FROM clay.enriched_values AS value
JOIN clay.enriched_current AS current ON current.org_id = value.org_id AND current.value_id = value.id
WHERE value.org_id = :org_id AND value.seq > :after_seq AND value.field = ANY(CAST(:fields AS text[]))
  AND value.source IN ('routine', 'table') AND jsonb_typeof(value.value) = 'string'
  AND NOT EXISTS (SELECT 1 FROM clay.host_writes AS written WHERE written.org_id = value.org_id
                  AND written.lead_id = value.lead_id AND written.field = value.field)
ORDER BY value.seq LIMIT :limit
""",
    WritableValue,
)
RECORD = Statement(
    """
INSERT INTO clay.host_writes (org_id, lead_id, field, value_id, value_key, value_hash)
VALUES (:org_id, :lead_id, :field, :value_id, :value_key, :value_hash)
ON CONFLICT (org_id, lead_id, field) DO NOTHING
RETURNING id
""",
    UUID,
)


class HostWrite(NamedTuple):
    id: UUID
    lead_id: UUID
    field: str
    value_hash: bytes


LIVE = Statement(
    """
SELECT id, lead_id, field, value_hash FROM clay.host_writes
WHERE org_id = :org_id AND undone_at IS NULL AND (CAST(:lead_id AS uuid) IS NULL OR lead_id = :lead_id)
ORDER BY seq FOR UPDATE
""",
    HostWrite,
)
UNDO = Statement("""
UPDATE clay.host_writes SET undone_at = now(), undone_by = :undone_by WHERE org_id = :org_id AND id = :id AND undone_at IS NULL
""")


class WrittenField(NamedTuple):
    field: str
    value_hash: bytes


OF_LEAD = Statement(
    "SELECT field, value_hash FROM clay.host_writes WHERE org_id = :org_id AND lead_id = :lead_id AND undone_at IS NULL",
    WrittenField,
)
ERASE = Statement("DELETE FROM clay.host_writes WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[]))")


def hash_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def organizations_enabled(connection: Connection) -> Sequence[UUID]:
    return await ENABLED.rows(connection)


async def is_enabled(connection: Connection, org_id: UUID) -> bool:
    return bool(await IS_ENABLED.one_or_none(connection, {"org_id": org_id}))


async def switch(connection: Connection, org_id: UUID, changed_by: str, *, enabled: bool) -> None:
    await SWITCH.execute(connection, {"org_id": org_id, "enabled": enabled, "changed_by": changed_by})


async def read_writable(
    connection: Connection, org_id: UUID, fields: Sequence[str], after_seq: int, limit: int
) -> Sequence[WritableValue]:
    values = {"org_id": org_id, "fields": list(fields), "after_seq": after_seq, "limit": limit}
    return await WRITABLE.rows(connection, values)


async def record_write(connection: Connection, org_id: UUID, value: WritableValue, written: str) -> bool:
    """Returns False if another worker has recorded a write of this field."""
    values = {
        "org_id": org_id,
        "lead_id": value.lead_id,
        "field": value.field,
        "value_id": value.value_id,
        "value_key": value.value_key,
        "value_hash": hash_of(written),
    }
    return await RECORD.one_or_none(connection, values) is not None


async def lock_writes(connection: Connection, org_id: UUID, lead_id: UUID | None) -> Sequence[HostWrite]:
    """Locks the writes that are not undone, of one lead or of all."""
    return await LIVE.rows(connection, {"org_id": org_id, "lead_id": lead_id})


async def record_undo(connection: Connection, org_id: UUID, write_id: UUID, undone_by: str) -> None:
    await UNDO.execute(connection, {"org_id": org_id, "id": write_id, "undone_by": undone_by})


async def written_hashes(connection: Connection, org_id: UUID, lead_id: UUID) -> dict[str, bytes]:
    """Returns, by field, the hash of the text that this service wrote into NexusLeads. While a column contains it, the value is not NexusLeads' own."""
    rows = await OF_LEAD.rows(connection, {"org_id": org_id, "lead_id": lead_id})
    return {row.field: row.value_hash for row in rows}


async def erase_writes(connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID]) -> None:
    """Deletes the records of writes. NexusLeads erases its own columns."""
    await ERASE.execute(connection, {"org_id": org_id, "lead_ids": list(lead_ids)})
