"""Erases leads from schedules: empties filters and names that may name an erased lead, and pauses a schedule whose filters were emptied."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement


class StoredTexts(NamedTuple):
    """Name and filters of one schedule; the lists are JSON."""

    id: UUID
    name: str
    search: str | None
    companies: object
    exclude_companies: object


# Lock schedules before the destination, in the same order as a run.
LOCK = Statement("SELECT 1 FROM clay.schedules WHERE org_id = :org_id ORDER BY id FOR UPDATE")
READ = Statement(
    """
SELECT id, name, filters ->> 'search' AS search, filters -> 'companies' AS companies,
       filters -> 'exclude_companies' AS exclude_companies
FROM clay.schedules WHERE org_id = :org_id
""",
    StoredTexts,
)
# Pauses the schedule: without one of its filters it would push more leads than its author chose.
EMPTY_FILTERS = Statement("""
UPDATE clay.schedules
SET filters = filters - 'search' - 'companies' - 'exclude_companies', next_due_at = NULL, next_run_at = NULL, attempts = 0,
    paused_because = 'erasure', paused_at = now()
WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[]))
""")
EMPTY_NAMES = Statement("""
UPDATE clay.schedules SET name = 'Schedule (renamed by an erasure)'
WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[]))
""")


async def lock_schedules(connection: AsyncConnection, org_id: UUID) -> None:
    await LOCK.execute(connection, {"org_id": org_id})


async def read_texts(connection: AsyncConnection, org_id: UUID) -> Sequence[StoredTexts]:
    return await READ.rows(connection, {"org_id": org_id})


async def empty_texts(
    connection: AsyncConnection, org_id: UUID, filters_of: Sequence[UUID], names_of: Sequence[UUID]
) -> None:
    await EMPTY_FILTERS.execute(connection, {"org_id": org_id, "ids": list(filters_of)})
    await EMPTY_NAMES.execute(connection, {"org_id": org_id, "ids": list(names_of)})
