"""Saved filters of an organization: creates, lists, changes and deletes segments. The only module that changes `clay.segments`.

A segment has no leads of its own: its filters are applied whenever a route, an exclusion or a preview needs them.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.end_queued import skip_queued_of_excluded
from clay_push_service.errors import ConflictError, InvalidError, NotFoundError
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.routing.exclusions import lock_destinations
from clay_push_service.routing.lock import lock_routing

MAX_SEGMENTS = 200
"""Most segments of an organization: one for each possible route, and as many for exclusions."""


class Segment(NamedTuple):
    id: UUID
    name: str
    filters: dict[str, object]
    emptied_at: datetime | None
    """When an erasure removed a text that named an erased lead; the segment matches no lead until it is saved again."""
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


class SegmentUse(NamedTuple):
    """A route, an exclusion or a schedule that uses a segment."""

    segment_id: UUID
    kind: str
    id: UUID
    project_id: UUID | None
    name: str | None = None
    """Of the schedule."""


COLUMNS = "id, name, filters, emptied_at, created_by, created_at, updated_by, updated_at"
READ_ALL = Statement(f"SELECT {COLUMNS} FROM clay.segments WHERE org_id = :org_id ORDER BY name, id", Segment)
READ = Statement(f"SELECT {COLUMNS} FROM clay.segments WHERE org_id = :org_id AND id = :id", Segment)
COUNT = Statement("SELECT count(*) AS segments FROM clay.segments WHERE org_id = :org_id", int)
NAMED = Statement("SELECT id FROM clay.segments WHERE org_id = :org_id AND name = :name", UUID)
CREATE = Statement(
    f"""
INSERT INTO clay.segments (id, org_id, name, filters, created_by, updated_by)
VALUES (:id, :org_id, :name, CAST(:filters AS jsonb), :actor, :actor)
RETURNING {COLUMNS}
""",
    Segment,
)
CHANGE = Statement(
    f"""
UPDATE clay.segments
SET name = :name, filters = CAST(:filters AS jsonb), emptied_at = NULL, updated_by = :actor, updated_at = now()
WHERE org_id = :org_id AND id = :id
RETURNING {COLUMNS}
""",
    Segment,
)
DELETE = Statement("DELETE FROM clay.segments WHERE org_id = :org_id AND id = :id")
USES = Statement(
    """
SELECT segment_id, 'route' AS kind, id, project_id, CAST(NULL AS text) AS name FROM clay.routes
WHERE org_id = :org_id AND segment_id IS NOT NULL AND (CAST(:id AS uuid) IS NULL OR segment_id = :id)
UNION ALL
SELECT segment_id, 'exclusion', id, NULL, NULL FROM clay.exclusions
WHERE org_id = :org_id AND segment_id IS NOT NULL AND (CAST(:id AS uuid) IS NULL OR segment_id = :id)
UNION ALL
SELECT segment_id, 'schedule', id, project_id, name FROM clay.schedules
WHERE org_id = :org_id AND segment_id IS NOT NULL AND (CAST(:id AS uuid) IS NULL OR segment_id = :id)
ORDER BY segment_id, kind, id
""",
    SegmentUse,
)
# An erasure: a removed condition would make the segment match more leads, so it matches none until a person saves it.
EMPTY = Statement("""
UPDATE clay.segments
SET name = :name, filters = CAST(:filters AS jsonb), updated_at = now(),
    emptied_at = CASE WHEN :disable THEN now() ELSE emptied_at END
WHERE org_id = :org_id AND id = :id
""")


async def list_segments(connection: AsyncConnection, org_id: UUID) -> Sequence[Segment]:
    return await READ_ALL.rows(connection, {"org_id": org_id})


async def read_segment(connection: AsyncConnection, org_id: UUID, segment_id: UUID) -> Segment:
    """Raises 404 `segment_not_found`."""
    found = await READ.one_or_none(connection, {"org_id": org_id, "id": segment_id})
    if found is None:
        raise NotFoundError("Your organization has no segment with this id.", code="segment_not_found")
    return found


async def read_uses(connection: AsyncConnection, org_id: UUID, segment_id: UUID | None = None) -> Sequence[SegmentUse]:
    """Returns the routes, exclusions and schedules that use one segment, or any segment of the organization."""
    return await USES.rows(connection, {"org_id": org_id, "id": segment_id})


async def create_segment(
    connection: AsyncConnection, org_id: UUID, actor: str, name: str, filters: LeadFilters
) -> Segment:
    """Raises 409 `segment_name_taken`, and 422 `too_many_segments`."""
    await lock_routing(connection, org_id)
    await _require_free_name(connection, org_id, name, None)
    if await COUNT.one(connection, {"org_id": org_id}) >= MAX_SEGMENTS:
        raise InvalidError(
            f"Your organization has {MAX_SEGMENTS} segments, which is the limit: delete one first.",
            code="too_many_segments",
        )
    values = {"org_id": org_id, "name": name, "filters": stored_filters(filters), "actor": actor}
    created = await CREATE.one(connection, {**values, "id": uuid4()})
    await audit(connection, org_id, actor, "segment.created", {"segment_id": str(created.id)})
    return created


async def change_segment(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    actor: str,
    segment_id: UUID,
    name: str,
    filters: LeadFilters,
) -> Segment:
    """Replace name and filters. If the segment is excluded, queued deliveries that it matches now are skipped.

    Raises 404 `segment_not_found` and 409 `segment_name_taken`.
    """
    await lock_destinations(connection, org_id)
    await lock_routing(connection, org_id)
    await read_segment(connection, org_id, segment_id)
    await _require_free_name(connection, org_id, name, segment_id)
    values = {"org_id": org_id, "name": name, "filters": stored_filters(filters), "actor": actor}
    changed = await CHANGE.one(connection, {**values, "id": segment_id})
    uses = await read_uses(connection, org_id, segment_id)
    excluded = any(use.kind == "exclusion" for use in uses)
    stopped = await skip_queued_of_excluded(connection, tables, org_id) if excluded else 0
    details: dict[str, Detail] = {"segment_id": str(segment_id), "stopped": stopped}
    await audit(connection, org_id, actor, "segment.changed", details)
    return changed


async def delete_segment(connection: AsyncConnection, org_id: UUID, actor: str, segment_id: UUID) -> None:
    """Raises 404 `segment_not_found`, and 409 `segment_in_use` with its uses."""
    await lock_routing(connection, org_id)
    found = await read_segment(connection, org_id, segment_id)
    uses = await read_uses(connection, org_id, segment_id)
    if uses:
        raise ConflictError(
            f"The segment “{found.name}” is used by {_named(uses)}. Remove it there first; `uses` lists each place.",
            code="segment_in_use",
            extra={"uses": [use_view(use) for use in uses]},
        )
    await DELETE.execute(connection, {"org_id": org_id, "id": segment_id})
    await audit(connection, org_id, actor, "segment.deleted", {"segment_id": str(segment_id)})


def use_view(use: SegmentUse) -> dict[str, str | None]:
    project_id = None if use.project_id is None else str(use.project_id)
    return {"kind": use.kind, "id": str(use.id), "project_id": project_id, "name": use.name}


def _named(uses: Sequence[SegmentUse]) -> str:
    """Such as `2 routes, the schedule “Morning” and the schedule “Weekly”`."""
    counts = Counter(use.kind for use in uses if use.name is None)
    words = [f"{count} {kind}" if count == 1 else f"{count} {kind}s" for kind, count in counts.items()]
    words += [f"the {use.kind} “{use.name}”" for use in uses if use.name is not None]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def stored_filters(filters: LeadFilters) -> str:
    return filters.model_dump_json(exclude_defaults=True)


async def _require_free_name(connection: AsyncConnection, org_id: UUID, name: str, own_id: UUID | None) -> None:
    segment_id = await NAMED.one_or_none(connection, {"org_id": org_id, "name": name})
    if segment_id is not None and segment_id != own_id:
        raise ConflictError(
            "Another segment of your organization has this name. Choose another name.", code="segment_name_taken"
        )


async def empty_segment(
    connection: AsyncConnection,
    org_id: UUID,
    segment_id: UUID,
    name: str,
    filters: Mapping[str, object],
    *,
    disable: bool,
) -> None:
    """Stores, for an erasure, the remaining name and filters. `disable`: a condition was removed, so the segment matches no lead."""
    values = {
        "org_id": org_id,
        "id": segment_id,
        "name": name,
        "filters": json.dumps(dict(filters)),
        "disable": disable,
    }
    await EMPTY.execute(connection, values)
