"""Reads an organization's audit log, newest first. The log is append-only: a database trigger refuses changes."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field, JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination as cursor
from clay_push_service.database.statement import Statement


class _EntryRow(NamedTuple):
    id: int
    at: datetime
    actor: str
    action: str
    details: dict[str, JsonValue]


READ = Statement(
    """
SELECT id, at, actor, action, details FROM clay.audit_log
WHERE org_id = :org_id AND (CAST(:before AS bigint) IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit
""",
    _EntryRow,
)


class AuditEntry(BaseModel):
    id: int = Field(description="Increases with time.")
    at: datetime = Field(description="Time of the change.")
    actor: str = Field(description="A user, a service key or a command.", examples=["user:alice"])
    action: str = Field(description="What was done.", examples=["config.changed"])
    details: dict[str, JsonValue] = Field(description="Names and numbers; no URL, token or lead.")


class AuditPage(BaseModel):
    entries: list[AuditEntry] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="Pass it as `cursor` to get the next page; null: last page.")


async def read_audit_log(
    connection: AsyncConnection, org_id: UUID, *, after: str | None = None, limit: int = 50
) -> AuditPage:
    """Reads one page. Raises 400 `cursor_invalid`."""
    before = None
    if after is not None:
        [key] = cursor.decode(after, 1)
        before = cursor.serial(key)
    rows = await READ.rows(connection, {"org_id": org_id, "before": before, "limit": limit + 1})
    page = rows[:limit]
    return AuditPage(
        entries=[
            AuditEntry(id=row.id, at=row.at, actor=row.actor, action=row.action, details=row.details) for row in page
        ],
        next_cursor=cursor.encode(page[-1].id) if len(rows) > limit else None,
    )
