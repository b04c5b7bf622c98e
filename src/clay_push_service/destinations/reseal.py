"""Seals stored webhooks again with the first key of the ring, a few rows per transaction; skips rows that are locked."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.database import Database
from clay_push_service.database.statement import Statement
from clay_push_service.destinations.secret_box import SecretBox, SecretError

BATCH = 100
"""Rows locked together, for some milliseconds: the longest wait of a worker that counts quota on one of them."""

TABLES = ("destination_versions", "pending_webhooks")
"""Both have id, org_id, sealed_url and sealed_token, and seal for the row's id."""
# SKIP LOCKED: never waiting while holding locks prevents deadlocks; the next run seals what was skipped.
DUE = """
SELECT id, org_id, sealed_url, sealed_token FROM clay.{table}
WHERE id > :after AND (substring(sealed_url FROM 1 FOR :length) <> :header
                       OR substring(sealed_token FROM 1 FOR :length) <> :header)
ORDER BY id LIMIT :batch FOR NO KEY UPDATE SKIP LOCKED
"""
COUNT = """
SELECT count(*) FILTER (WHERE substring(sealed_url FROM 1 FOR :length) <> :header
                        OR substring(sealed_token FROM 1 FOR :length) <> :header) AS due,
       count(*) AS stored
FROM clay.{table} WHERE sealed_url IS NOT NULL OR sealed_token IS NOT NULL
"""


class _SealedRow(NamedTuple):
    id: UUID
    org_id: UUID
    sealed_url: bytes | None
    sealed_token: bytes | None


SAVE = "UPDATE clay.{table} SET sealed_url = :url, sealed_token = :token WHERE id = :id"


@dataclass(frozen=True, slots=True)
class Resealed:
    resealed: int
    unreadable: int
    """Sealed with a key that is not in the ring, or altered: left as they are."""


@dataclass(frozen=True, slots=True)
class Stored:
    due: int
    """Not yet sealed with the first key."""
    stored: int


async def count(connection: AsyncConnection, box: SecretBox) -> Stored:
    stored = due = 0
    for table in TABLES:
        found = await Statement(COUNT.format(table=table), Stored).one(connection, _header(box))
        stored, due = stored + found.stored, due + found.due
    return Stored(due, stored)


async def reseal(database: Database, box: SecretBox) -> Resealed:
    """One pass over all versions, also of destinations removed or changed since, and over changes that wait."""
    found = [await _reseal(database, box, table) for table in TABLES]
    return Resealed(sum(each.resealed for each in found), sum(each.unreadable for each in found))


async def _reseal(database: Database, box: SecretBox, table: str) -> Resealed:
    due, save = Statement(DUE.format(table=table), _SealedRow), Statement(SAVE.format(table=table))
    resealed = unreadable = 0
    after = UUID(int=0)
    while True:
        async with database.transaction() as connection:
            rows = await due.rows(connection, {**_header(box), "after": after, "batch": BATCH})
            for row in rows:
                try:
                    url, token = (
                        box.seal(box.open(sealed, row.org_id, row.id), row.org_id, row.id) if sealed else None
                        for sealed in (row.sealed_url, row.sealed_token)
                    )
                except SecretError:
                    unreadable += 1
                    continue
                await save.execute(connection, {"id": row.id, "url": url, "token": token})
                resealed += 1
        if not rows:
            return Resealed(resealed, unreadable)
        after = rows[-1].id


def _header(box: SecretBox) -> dict[str, bytes | int]:
    header = box.header
    return {"header": header, "length": len(header)}
