"""The attachment level that `clay-push attach` recorded. Without a record the service writes no host table."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement

# One writer of the host's tables at a time: workers try the lock, `attach` and `detach` wait for it. Held until the transaction ends.
TRY_LOCK = Statement("SELECT pg_try_advisory_xact_lock(hashtext('clay_push_mirror'))", bool)
LOCK = Statement("SELECT pg_advisory_xact_lock(hashtext('clay_push_mirror'))")


class _AttachmentRow(NamedTuple):
    level: str
    host_schema: str
    attached_by: str
    attached_at: datetime
    writes_enrichment: bool


READ = Statement(
    "SELECT level, host_schema, attached_by, attached_at, writes_enrichment FROM clay.attachment", _AttachmentRow
)


class Level(StrEnum):
    """Each level includes the previous one."""

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
    writes_enrichment: bool = False
    """Whether values of Clay may fill empty columns of the host: `attach --write-enrichment`."""


async def read_attachment(connection: AsyncConnection) -> Attachment | None:
    row = await READ.one_or_none(connection)
    if row is None:
        return None
    return Attachment(Level(row.level), row.host_schema, row.attached_by, row.attached_at, row.writes_enrichment)


async def may_write_host_rows(connection: AsyncConnection, schema: str) -> bool:
    """Whether the attachment allows writing the host's job rows in this schema."""
    attachment = await read_attachment(connection)
    return attachment is not None and attachment.level.mirrors and attachment.host_schema == schema


async def try_lock_host_rows(connection: AsyncConnection, schema: str) -> bool:
    """Locks the host's rows for this transaction; False if another process holds the lock or the level forbids writing.

    `detach` holds the same lock, and the level is read after locking: nothing is written after `detach` has returned.
    """
    if not await TRY_LOCK.one(connection):
        return False
    return await may_write_host_rows(connection, schema)


async def may_write_enrichment(connection: AsyncConnection, schema: str) -> bool:
    """Whether the attachment allows filling empty columns of leads in this schema."""
    attachment = await read_attachment(connection)
    return attachment is not None and attachment.writes_enrichment and attachment.host_schema == schema


async def try_lock_enrichment_columns(connection: AsyncConnection, schema: str) -> bool:
    """As `try_lock_host_rows`, for the columns of leads."""
    if not await TRY_LOCK.one(connection):
        return False
    return await may_write_enrichment(connection, schema)
