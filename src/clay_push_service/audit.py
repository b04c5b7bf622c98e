"""Writes the audit log: one append-only row for each change. Details hold names and numbers, never a URL, token or lead."""

import json
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement

INSERT = Statement("""
INSERT INTO clay.audit_log (org_id, actor, action, details) VALUES (:org_id, :actor, :action, CAST(:details AS jsonb))
""")

Detail = str | int | bool | None | list[str]


async def audit(
    connection: AsyncConnection,
    org_id: UUID | None,
    actor: str,
    action: str,
    details: Mapping[str, Detail] | None = None,
) -> None:
    """Call it in the transaction of the change, so that both commit or neither does."""
    values = {"org_id": org_id, "actor": actor, "action": action, "details": json.dumps(dict(details or {}))}
    await INSERT.execute(connection, values)
