"""How closely we are attached to NexusLeads, as `clay-push attach` recorded it. Without a row nothing of the host's is written."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# One writer of the host's tables at a time: workers try it, `attach` and `detach` wait for it. Held to the transaction's end.
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('clay_push_mirror'))")
LOCK = text("SELECT pg_advisory_xact_lock(hashtext('clay_push_mirror'))")
READ = text("SELECT level, host_schema, attached_by, attached_at FROM clay.attachment")


class Level(StrEnum):
    """Each holds the one before."""

    READ = "read"
    MIRROR = "mirror"
    INBOX = "inbox"

    @property
    def mirrors(self) -> bool:
        return self is not Level.READ


@dataclass(frozen=True, slots=True)
class Attachment:
    level: Level
    host_schema: str
    attached_by: str
    attached_at: datetime


async def read_attachment(connection: AsyncConnection) -> Attachment | None:
    row = (await connection.execute(READ)).one_or_none()
    return None if row is None else Attachment(Level(row.level), row.host_schema, row.attached_by, row.attached_at)


async def mirrors(connection: AsyncConnection, schema: str) -> bool:
    """May the host's job rows in this schema be written?"""
    found = await read_attachment(connection)
    return found is not None and found.level.mirrors and found.host_schema == schema


async def take_turn(connection: AsyncConnection, schema: str) -> bool:
    """Be the only writer of the host's rows until this transaction ends; False when somebody else is, or nobody may.

    The level is read after the lock, and `detach` holds the lock: nothing is written once it has returned.
    """
    if not (await connection.execute(TRY_LOCK)).scalar_one():
        return False
    return await mirrors(connection, schema)
