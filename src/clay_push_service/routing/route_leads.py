"""Applies routes to selected leads in one statement: first match wins, `continue` also applies the routes after it.

The statement reads a lead once, and one snapshot decides for all leads. Exclusions come before every route.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Integer,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, array, distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service.database.statement import select_rows
from clay_push_service.deliveries.eligibility import is_erased
from clay_push_service.deliveries.suppression import Excluding, is_excluded
from clay_push_service.host.lead_filters import LeadSource, matches
from clay_push_service.host.leads import PushableLeads, RoutedLeads
from clay_push_service.host.tables import HostTables
from clay_push_service.routing.routes import Route

SUPPRESSED = 0
"""The position of an exclusion or an erasure; routes count from 1."""


@dataclass(frozen=True, slots=True)
class RoutedGroup:
    """Leads of one project that one route sends to its destination, or that no route sends."""

    project_id: UUID
    route: Route | None
    """None: no route matches the leads, or an exclusion or erasure prevents their push."""
    is_suppressed: bool
    lead_ids: Sequence[UUID]

    @property
    def destination_id(self) -> UUID | None:
        return None if self.route is None else self.route.destination_id


class _Group(NamedTuple):
    project_id: UUID
    position: int | None
    lead_ids: list[UUID]


async def route_leads(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    leads: PushableLeads | RoutedLeads,
    lists: Mapping[UUID, tuple[Route, ...]],
    excluding: Excluding,
) -> list[RoutedGroup]:
    """Groups the leads by route. `lists`: the routes of each project. A lead is in several groups if a route continues, once per destination."""
    routes = list(dict.fromkeys(route for each in lists.values() for route in each))
    positions = {route: number for number, route in enumerate(routes, start=1)}
    decided = _decided(tables, org_id, leads, lists, positions, excluding)
    chosen = _chosen(decided, routes)
    query = (
        select(
            chosen.c.project_id,
            chosen.c.position,
            func.array_agg(aggregate_order_by(chosen.c.lead_id, chosen.c.lead_id)).label("lead_ids"),
        )
        .group_by(chosen.c.project_id, chosen.c.position)
        .order_by(chosen.c.project_id, chosen.c.position.asc().nulls_last())
    )
    return [
        RoutedGroup(
            row.project_id,
            routes[row.position - 1] if row.position else None,
            row.position == SUPPRESSED,
            row.lead_ids,
        )
        for row in await select_rows(connection, query, _Group)
    ]


def _decided(
    tables: HostTables,
    org_id: UUID,
    leads: PushableLeads | RoutedLeads,
    lists: Mapping[UUID, tuple[Route, ...]],
    positions: Mapping[Route, int],
    excluding: Excluding,
) -> CTE:
    """Returns each lead with `stop`, the position of the route that ends the list for it, and `also`, the positions of matching routes that continue."""
    selected = leads.cte("selected").prefix_with("MATERIALIZED", dialect="postgresql")
    source = LeadSource.aliases(tables, "routed")
    scores, people, social = source.scores.c, source.leads.c, source.social.c
    # Outer joins: a lead whose score was deleted meanwhile still matches a route for every lead, and is never lost.
    rows: FromClause = selected.outerjoin(
        source.scores, and_(scores.lead_id == selected.c.lead_id, scores.project_id == selected.c.project_id)
    )
    rows = rows.outerjoin(source.leads, people.id == selected.c.lead_id)
    rows = rows.outerjoin(source.social, social.lead_id == selected.c.lead_id)
    by_list: dict[tuple[Route, ...], list[UUID]] = {}
    for project_id, routes in lists.items():
        by_list.setdefault(routes, []).append(project_id)
    stops: list[tuple[ColumnElement[bool], ColumnElement[Any]]] = []
    also: list[ColumnElement[Any]] = []
    for routes, project_ids in by_list.items():
        here = _is_in(selected.c.project_id, project_ids) if len(by_list) > 1 else true()
        ends = [
            (_matches(source, org_id, route), literal(positions[route], Integer()))
            for route in routes
            if not route.continues
        ]
        stops.append((here, case(*ends, else_=null()) if ends else null()))
        also += [
            case((and_(here, _matches(source, org_id, route)), literal(positions[route], Integer())), else_=null())
            for route in routes
            if route.continues
        ]
    suppressed = or_(
        is_erased(selected.c.lead_id, org_id),
        is_excluded(selected.c.lead_id, selected.c.project_id, tables, org_id, excluding),
    )
    stop = case((suppressed, literal(SUPPRESSED, Integer())), *stops, else_=null())
    return (
        select(
            selected.c.lead_id, selected.c.project_id, stop.label("stop"),
            func.array_remove(cast(array(also), ARRAY(Integer())), null()).label("also"),
        )
        .select_from(rows)
        .cte("decided")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )  # fmt: skip


def _matches(source: LeadSource, org_id: UUID, route: Route) -> ColumnElement[bool]:
    return false() if route.criteria is None else matches(source, org_id, route.criteria)


def _is_in(project_id: ColumnElement[UUID], project_ids: Sequence[UUID]) -> ColumnElement[bool]:
    return project_id.in_(
        select(func.unnest(bindparam("project_ids", list(project_ids), type_=ARRAY(Uuid()), unique=True)))
    )


def _chosen(decided: CTE, routes: Sequence[Route]) -> FromClause:
    """Returns one row per lead and destination, by the first route to it. A lead without a destination has one row with the last position."""
    position = (
        func.unnest(func.array_append(decided.c.also, decided.c.stop))
        .table_valued(column("position", Integer()), name="matched")
        .render_derived()
    )
    before = or_(decided.c.stop.is_(None), position.c.position <= decided.c.stop)
    numbers = bindparam("positions", list(range(1, len(routes) + 1)), type_=ARRAY(Integer()), unique=True)
    targets = bindparam("targets", [route.destination_id for route in routes], type_=ARRAY(Uuid()), unique=True)
    target = (
        func.unnest(numbers, targets)
        .table_valued(column("position", Integer()), column("destination_id", Uuid()), name="target")
        .render_derived()
    )
    matched = (
        select(
            decided.c.lead_id,
            decided.c.project_id,
            position.c.position,
            target.c.destination_id,
            func.bool_or(target.c.destination_id.is_not(None))
            .over(partition_by=(decided.c.lead_id, decided.c.project_id))
            .label("has_destination"),
        )
        .select_from(
            decided.outerjoin(position, and_(position.c.position.is_not(None), before)).outerjoin(
                target, target.c.position == position.c.position
            )
        )
        .subquery("matched_routes")
    )
    return (
        select(matched.c.lead_id, matched.c.project_id, matched.c.position)
        .where(or_(matched.c.destination_id.is_not(None), matched.c.has_destination.is_not(true())))
        .ext(distinct_on(matched.c.lead_id, matched.c.project_id, matched.c.destination_id))
        .order_by(matched.c.lead_id, matched.c.project_id, matched.c.destination_id, matched.c.position)
        .subquery("chosen")
    )
