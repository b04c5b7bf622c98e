"""Seals stored webhooks and API keys again with the first key of the ring, a few rows per transaction; skips rows that are locked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.database import Database
from clay_push_service.database.statement import Statement
from clay_push_service.destinations.secret_box import SecretBox, SecretError

BATCH = 100
"""Rows locked together, for some milliseconds: the longest wait of a worker that counts quota on one of them."""

TABLES = {
    "destination_versions": ("sealed_url", "sealed_token"),
    "pending_webhooks": ("sealed_url", "sealed_token"),
    "enrichment_settings": ("sealed_api_key", "sealed_webhook_secret"),
    "pending_api_keys": ("sealed_api_key",),
    "inbound_results": ("sealed_body",),
}
"""Each has id and org_id, and seals these columns for the row's id."""
# SKIP LOCKED: never waiting while holding locks prevents deadlocks; the next run seals what was skipped.
DUE = """
SELECT id, org_id, ARRAY[{columns}] AS sealed FROM clay.{table}
WHERE id > :after AND ({is_due}) ORDER BY id LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
"""
COUNT = "SELECT count(*) FILTER (WHERE {is_due}) AS due, count(*) AS stored FROM clay.{table} WHERE {is_stored}"


class _SealedRow(NamedTuple):
    id: UUID
    org_id: UUID
    sealed: Sequence[bytes | None]
    """In the order of TABLES."""


SAVE = "UPDATE clay.{table} SET {assignments} WHERE id = :id AND org_id = :org_id"


@dataclass(frozen=True, slots=True)
class Resealed:
    resealed: int
    unreadable: int
    """Sealed with a key that is not in the ring, or altered: left as they are."""


@dataclass(frozen=True, slots=True)
class SecretCounts:
    due: int
    """Not yet sealed with the first key."""
    stored: int


async def count(connection: AsyncConnection, box: SecretBox) -> SecretCounts:
    stored = due = 0
    for table in TABLES:
        found = await Statement(_sql(COUNT, table), SecretCounts).one(connection, _header(box))
        stored, due = stored + found.stored, due + found.due
    return SecretCounts(due, stored)


async def reseal(database: Database, box: SecretBox) -> Resealed:
    """One pass over all versions, also of destinations removed or changed since, over API keys, and over changes that wait."""
    found = [await _reseal(database, box, table) for table in TABLES]
    return Resealed(sum(each.resealed for each in found), sum(each.unreadable for each in found))


async def _reseal(database: Database, box: SecretBox, table: str) -> Resealed:
    due, save = Statement(_sql(DUE, table), _SealedRow), Statement(_sql(SAVE, table))
    resealed = unreadable = 0
    after = UUID(int=0)
    while True:
        async with database.transaction() as connection:
            rows = await due.rows(connection, {**_header(box), "after": after, "batch": BATCH})
            for row in rows:
                try:
                    again = [
                        box.seal(box.open(each, row.org_id, row.id), row.org_id, row.id) if each else None
                        for each in row.sealed
                    ]
                except SecretError:
                    unreadable += 1
                    continue
                values = dict(zip(TABLES[table], again, strict=True))
                await save.execute(connection, {"id": row.id, "org_id": row.org_id, **values})
                resealed += 1
        if not rows:
            return Resealed(resealed, unreadable)
        after = rows[-1].id


def _sql(template: str, table: str) -> str:
    columns = TABLES[table]
    return template.format(
        table=table,
        columns=", ".join(columns),
        is_due=" OR ".join(f"substring({column} FROM 1 FOR :length) <> :header" for column in columns),
        is_stored=" OR ".join(f"{column} IS NOT NULL" for column in columns),
        assignments=", ".join(f"{column} = :{column}" for column in columns),
    )


def _header(box: SecretBox) -> dict[str, bytes | int]:
    header = box.header
    return {"header": header, "length": len(header)}
