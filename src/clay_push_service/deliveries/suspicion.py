"""The flag `suspect` of a destination: expected results from Clay are missing. The only module that changes it.

A flag and no state: a suspect destination still accepts what a person pushes, and it may be open, waiting or closed at the same
time (see `destinations.state`). It belongs to the Clay table, not to a version of its webhook. `deliveries.missing_results` decides it.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement


class SuspectDestination(NamedTuple):
    org_id: UUID
    id: UUID


MARK = Statement("""
UPDATE clay.destinations SET suspect_since = now() WHERE org_id = :org_id AND id = :id AND suspect_since IS NULL
""")
CLEAR = Statement("""
UPDATE clay.destinations SET suspect_since = NULL WHERE org_id = :org_id AND id = :id AND suspect_since IS NOT NULL
""")
ACKNOWLEDGE = Statement("""
UPDATE clay.destinations SET suspect_since = NULL, results_checked_at = now() WHERE org_id = :org_id AND id = :id
""")
ALL = Statement(
    "SELECT org_id, id FROM clay.destinations WHERE suspect_since IS NOT NULL ORDER BY org_id, id", SuspectDestination
)
COUNT = Statement("SELECT count(*) AS suspect FROM clay.destinations WHERE suspect_since IS NOT NULL", int)
SINCE = Statement("SELECT suspect_since FROM clay.destinations WHERE org_id = :org_id AND id = :id", datetime)


async def mark_suspect(connection: Connection, org_id: UUID, destination_id: UUID) -> bool:
    """Returns whether it is newly suspect."""
    return await MARK.execute(connection, {"org_id": org_id, "id": destination_id}) > 0


async def clear_suspect(connection: Connection, org_id: UUID, destination_id: UUID) -> bool:
    """Returns whether it was suspect."""
    return await CLEAR.execute(connection, {"org_id": org_id, "id": destination_id}) > 0


async def acknowledge(connection: Connection, org_id: UUID, destination_id: UUID) -> None:
    """The leads without a result are pushed again: from now on only later deliveries can be missing."""
    await ACKNOWLEDGE.execute(connection, {"org_id": org_id, "id": destination_id})


async def read_all_suspect(connection: Connection) -> set[SuspectDestination]:
    return set(await ALL.rows(connection))


async def read_suspect_since(connection: Connection, org_id: UUID, destination_id: UUID | None) -> datetime | None:
    return await SINCE.one_or_none(connection, {"org_id": org_id, "id": destination_id})


async def count_suspect(connection: Connection) -> int:
    """Of all organizations."""
    return await COUNT.one(connection)
