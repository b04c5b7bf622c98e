"""Finds what uses a destination: it is the default one, or a route or schedule refers to it. Such a destination cannot be archived.

A feature that lets something name a destination adds one statement to USES.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement


class Use(NamedTuple):
    """One user of a destination. `kind`: a stable word for programs. `name`: a text for people."""

    kind: str
    name: str


DEFAULT = Statement(
    """
SELECT 'default' AS kind, 'pushes, auto-export and NexusLeads, as the default destination' AS name
FROM clay.destinations WHERE org_id = :org_id AND id = :destination_id AND is_default
""",
    Use,
)
ROUTES = Statement(
    """
SELECT 'route' AS kind, 'route ' || position || CASE WHEN project_id IS NULL THEN '' ELSE ' of project ' || project_id END AS name
FROM clay.routes WHERE org_id = :org_id AND destination_id = :destination_id ORDER BY project_id NULLS FIRST, position
""",
    Use,
)
SCHEDULES = Statement(
    """
SELECT 'schedule' AS kind, 'the schedule “' || name || '”' AS name
FROM clay.schedules WHERE org_id = :org_id AND destination_id = :destination_id ORDER BY name, id
""",
    Use,
)
USES: tuple[Statement[Use], ...] = (DEFAULT, ROUTES, SCHEDULES)
"""Each takes :org_id and :destination_id."""


async def uses_of(connection: AsyncConnection, org_id: UUID, destination_id: UUID) -> Sequence[Use]:
    """Returns an empty list if nothing uses the destination."""
    values = {"org_id": org_id, "destination_id": destination_id}
    return [use for statement in USES for use in await statement.rows(connection, values)]
