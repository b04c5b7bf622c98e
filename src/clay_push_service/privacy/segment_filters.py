"""Finds and removes texts of saved segments that name an erased lead: searches, words of company lists, and names of segments.

Stricter than `stored_filters`, which empties the history of pushes: a segment is in use, and a company that an erased lead shares
with others must stay in it. A segment that loses a condition would match more leads, so it matches none until a person saves it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.host.text_search import fold
from clay_push_service.privacy.stored_filters import NAMES
from clay_push_service.routing.lock import lock_routing
from clay_push_service.routing.segments import Segment, empty_segment, list_segments

SHORTEST = 3
"""Characters of the shortest name that is searched for in a text."""


@dataclass(frozen=True, slots=True)
class NamedSegment:
    """A segment that names a lead, with the name and filters that remain."""

    id: UUID
    name: str
    filters: Mapping[str, object]
    loses_condition: bool


class _Names(NamedTuple):
    username: str | None
    full_name: str | None
    email: str | None


async def find_segments(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    lead_ids: Sequence[UUID],
    former_values: Sequence[str],
) -> Sequence[NamedSegment]:
    segments = await list_segments(connection, org_id)
    if not segments:
        return ()
    names = await _read_names(connection, tables, org_id, lead_ids, former_values)
    return [found for each in segments if (found := without_names(each, names)) is not None]


async def empty_segments(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    lead_ids: Sequence[UUID],
    former_values: Sequence[str],
) -> int:
    """Removes the texts, for an erasure that has locked the destinations. Returns the number of changed segments."""
    await lock_routing(connection, org_id)
    found = await find_segments(connection, tables, org_id, lead_ids, former_values)
    for each in found:
        await empty_segment(connection, org_id, each.id, each.name, each.filters, disable=each.loses_condition)
    return len(found)


def without_names(segment: Segment, names: Sequence[str]) -> NamedSegment | None:
    """Returns None if the segment names no lead. `names`: folded names, user names and addresses."""
    filters = dict(segment.filters)
    search = filters.get("search")
    loses_condition = isinstance(search, str) and _contains_name(search, names)
    if loses_condition:
        del filters["search"]
    for key in ("companies", "exclude_companies"):
        words = filters.get(key)
        kept = [each for each in words if not _contains_name(str(each), names)] if isinstance(words, list) else None
        if kept is None or kept == words:
            continue
        filters[key] = kept
        if not kept:
            del filters[key]
            loses_condition = loses_condition or key == "companies"
    name = f"Segment {str(segment.id)[:8]}" if _contains_name(segment.name, names) else segment.name
    if filters == segment.filters and name == segment.name:
        return None
    return NamedSegment(segment.id, name, filters, loses_condition)


async def _read_names(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID], former: Sequence[str]
) -> Sequence[str]:
    values = set(await NAMES.rows(connection, {"org_id": org_id, "lead_ids": list(lead_ids)}))
    query = select(*(tables.read("leads", name).label(name) for name in ("username", "full_name", "email"))).where(
        tables.leads.c.id == any_(bindparam("lead_ids", list(lead_ids), type_=ARRAY(Uuid())))
    )
    rows = await select_rows(connection, query, _Names)
    values.update(value for row in rows for value in row if value)
    values.update(former)
    return [folded for each in values if len(folded := fold(each.strip())) >= SHORTEST]


def _contains_name(text: str, names: Sequence[str]) -> bool:
    """Whether the text contains a name or an address, or consists of words of one name."""
    folded = fold(text.strip())
    words = _words(folded)
    return any(each in folded or (bool(words) and words <= _words(each.partition("@")[0])) for each in names)


def _words(folded: str) -> set[str]:
    return set(re.findall(r"\w+", folded))
