"""Reads and replaces the routes of an organization: ordered rules that choose the destinations of a lead. Owns `clay.routes`.

A project uses its own list, or the list of the organization if it has none. A list is replaced as a whole, because its order is a
property of the list: two single changes of an order could meet, and a version of the whole prevents lost updates.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.errors import ConflictError, FieldError, InvalidError, invalid_fields
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.routing.lock import lock_routing

MAX_ROUTES = 100
"""Most routes of an organization, in all its lists."""
MAX_ERRORS = 20


class MovePolicy(StrEnum):
    """What an automatic push does with a lead that is already in another table."""

    STAY = "stay"
    """It skips the lead: Clay deletes no row, so both tables would be billed."""
    FOLLOW = "follow"
    """It sends the lead also to this destination."""


class StoredRoute(NamedTuple):
    id: UUID
    project_id: UUID | None
    position: int
    segment_id: UUID | None
    segment_name: str | None
    filters: dict[str, object] | None
    is_emptied: bool
    destination_id: UUID | None
    destination_name: str | None
    continues: bool
    on_move: str


@dataclass(frozen=True, slots=True)
class NewRoute:
    id: UUID | None
    segment_id: UUID | None
    destination_id: UUID | None
    continues: bool
    on_move: MovePolicy


@dataclass(frozen=True, slots=True)
class Route:
    """A route in the form that selects leads. Criteria None: no lead matches, because an erasure emptied the segment."""

    id: UUID | None
    """None: no route of the organization applies, and the default destination is used."""
    destination_id: UUID | None
    """None: do not push."""
    criteria: LeadCriteria | None
    continues: bool = False
    on_move: MovePolicy = MovePolicy.STAY


@dataclass(frozen=True, slots=True)
class Routes:
    """All routes of an organization."""

    organization: tuple[Route, ...]
    projects: Mapping[UUID, tuple[Route, ...]]

    @property
    def is_empty(self) -> bool:
        return not self.organization and not self.projects

    def of(self, project_id: UUID) -> tuple[Route, ...]:
        """Returns the project's own list, or the organization's."""
        return self.projects.get(project_id, self.organization)


READ = Statement(
    """
SELECT route.id, route.project_id, route.position, route.segment_id, segment.name AS segment_name, segment.filters,
       segment.emptied_at IS NOT NULL AS is_emptied, route.destination_id, destination.name AS destination_name, route.continues, route.on_move
FROM clay.routes AS route
LEFT JOIN clay.segments AS segment ON segment.org_id = route.org_id AND segment.id = route.segment_id
LEFT JOIN clay.destinations AS destination ON destination.org_id = route.org_id AND destination.id = route.destination_id
WHERE route.org_id = :org_id
ORDER BY route.project_id NULLS FIRST, route.position
""",
    StoredRoute,
)
REMOVE_LIST = Statement("""
DELETE FROM clay.routes WHERE org_id = :org_id AND project_id IS NOT DISTINCT FROM CAST(:project_id AS uuid)
""")
ADD = Statement("""
INSERT INTO clay.routes (id, org_id, project_id, position, segment_id, destination_id, continues, on_move, created_by)
VALUES (:id, :org_id, :project_id, :position, :segment_id, :destination_id, :continues, :on_move, :actor)
""")
SEGMENTS = Statement("SELECT id FROM clay.segments WHERE org_id = :org_id", UUID)
DESTINATIONS = Statement(
    "SELECT id FROM clay.destinations WHERE org_id = :org_id AND archived_at IS NULL ORDER BY id FOR KEY SHARE", UUID
)


async def read_stored_routes(connection: Connection, org_id: UUID) -> Sequence[StoredRoute]:
    """Returns all lists: first the organization's, then those of projects, each in its order."""
    return await READ.rows(connection, {"org_id": org_id})


async def read_routes(connection: Connection, org_id: UUID) -> Routes:
    """Reads the routes for a push. Call it after the destinations are locked."""
    lists: dict[UUID | None, list[Route]] = {}
    for row in await read_stored_routes(connection, org_id):
        lists.setdefault(row.project_id, []).append(_route(row))
    projects = {project_id: tuple(found) for project_id, found in lists.items() if project_id is not None}
    return Routes(tuple(lists.get(None, ())), projects)


def _route(row: StoredRoute) -> Route:
    criteria = None if row.is_emptied else LeadFilters.model_validate(row.filters or {}).criteria()
    return Route(row.id, row.destination_id, criteria, row.continues, MovePolicy(row.on_move))


def list_version(routes: Sequence[StoredRoute]) -> str:
    """Returns a hash of the list: equal lists have the same version."""
    content = [
        (str(each.id), str(each.segment_id), str(each.destination_id), each.continues, each.on_move) for each in routes
    ]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


async def replace_routes(
    connection: AsyncConnection,
    org_id: UUID,
    actor: str,
    project_id: UUID | None,
    version: str,
    routes: Sequence[NewRoute],
) -> None:
    """Replace one list. Deliveries that earlier routes chose keep their destination.

    Raises 409 `routes_changed`, and 422 `too_many_routes` or `invalid_request` with the place of each unknown id.
    """
    # First the destinations, which must not be archived meanwhile: the order of locks of every change.
    destinations = set(await DESTINATIONS.rows(connection, {"org_id": org_id}))
    await lock_routing(connection, org_id)
    stored = await read_stored_routes(connection, org_id)
    project_routes = [each for each in stored if each.project_id == project_id]
    if version != list_version(project_routes):
        raise ConflictError(
            "These routes have changed since you read them. Read them again, and repeat your change.",
            code="routes_changed",
        )
    if len(stored) - len(project_routes) + len(routes) > MAX_ROUTES:
        raise InvalidError(
            f"An organization has at most {MAX_ROUTES} routes in all its lists: it has {len(stored) - len(project_routes)} in the others.",
            code="too_many_routes",
        )
    segments = set(await SEGMENTS.rows(connection, {"org_id": org_id}))
    unknown = _unknown_ids(routes, {each.id for each in project_routes}, segments, destinations)
    if unknown:
        raise invalid_fields(unknown, MAX_ERRORS)
    await REMOVE_LIST.execute(connection, {"org_id": org_id, "project_id": project_id})
    for position, route in enumerate(routes, start=1):
        values = {"org_id": org_id, "project_id": project_id, "position": position, "actor": actor}
        await ADD.execute(
            connection,
            {
                **values,
                "id": route.id or uuid4(),
                "segment_id": route.segment_id,
                "destination_id": route.destination_id,
                "continues": route.continues,
                "on_move": route.on_move,
            },
        )
    of = None if project_id is None else str(project_id)
    await audit(connection, org_id, actor, "routes.changed", {"project_id": of, "routes": len(routes)})


def _unknown_ids(
    routes: Sequence[NewRoute], route_ids: set[UUID], segments: set[UUID], destinations: set[UUID]
) -> list[FieldError]:
    found: list[FieldError] = []
    for index, route in enumerate(routes):
        if route.id is not None and route.id not in route_ids:
            found.append(FieldError(f"routes.{index}.id", "is not a route of this list; omit it for a new route"))
        if route.segment_id is not None and route.segment_id not in segments:
            found.append(FieldError(f"routes.{index}.segment_id", "is not a segment of your organization"))
        if route.destination_id is not None and route.destination_id not in destinations:
            found.append(FieldError(f"routes.{index}.destination_id", "is not a destination of your organization"))
    return found
