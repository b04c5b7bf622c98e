"""Selects leads of an organization by their ids, with their best project. A lead of another organization is not found."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Boolean,
    ColumnElement,
    Numeric,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    not_,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_rows
from clay_push_service.host.tables import HostTables

PushableLeads = Select[UUID, UUID, str | None, str | None]
"""Columns lead_id, project_id, username, full_name; one row per lead, ordered by lead_id."""


RoutedLeads = Select[UUID, UUID, str | None, str | None, UUID | None, bool]
"""As `PushableLeads`, with the columns route_id and is_routed: false for a lead that no route sends anywhere."""


_MOST: ColumnElement[Decimal] = literal_column("CAST('Infinity' AS numeric)", Numeric())
_LEAST: ColumnElement[Decimal] = literal_column("CAST('-Infinity' AS numeric)", Numeric())


def finite_or_null(value: ColumnElement[Decimal]) -> ColumnElement[Decimal | None]:
    """The number, or null for NaN and infinity. PostgreSQL sorts NaN above every number, including infinity."""
    number = cast(value, Numeric())
    return case((and_(number > _LEAST, number < _MOST), number))


def select_by_id(tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID], project_id: UUID | None) -> PushableLeads:
    """Selects each of `lead_ids` that is a lead of the organization (and the project) once.

    Without a project, a lead counts for the project where its overall score is highest; ties go to the lower project id.
    The ids are ONE bound uuid[] (parsing 10,000 parameters takes longer than the query) in unnest(): `= ANY($1)` takes 36 ms
    at best instead of 45 for 10,000 of 200,000 leads, but 650 ms in a generic plan.
    """
    scores, projects, leads = tables.lead_scores.c, tables.projects.c, tables.leads.c
    best = (
        select(scores.lead_id.label("lead_id"), scores.project_id.label("project_id"))
        .join_from(
            tables.lead_scores, tables.projects, and_(projects.id == scores.project_id, projects.org_id == org_id)
        )
        .where(scores.lead_id.in_(select(func.unnest(_bind_ids(lead_ids)))))
        .ext(distinct_on(scores.lead_id))
        .order_by(scores.lead_id, finite_or_null(scores.overall_score).desc().nulls_last(), scores.project_id)
    )
    if project_id is not None:
        best = best.where(scores.project_id == project_id)
    chosen = best.subquery("best")
    return (
        select(chosen.c.lead_id, chosen.c.project_id, leads.username, leads.full_name)
        .join_from(chosen, tables.leads, leads.id == chosen.c.lead_id)
        .order_by(chosen.c.lead_id)
    )


class _LeadProject(NamedTuple):
    lead_id: UUID
    project_id: UUID


async def best_projects(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID]
) -> dict[UUID, UUID]:
    """Maps each of `lead_ids` that is a lead of the organization to the project that it counts for now."""
    best = select_by_id(tables, org_id, lead_ids, None).subquery("best")
    found = await select_rows(connection, select(best.c.lead_id, best.c.project_id), _LeadProject)
    return {row.lead_id: row.project_id for row in found}


def select_pairs(tables: HostTables, projects: Mapping[UUID, UUID]) -> PushableLeads:
    """Selects the pairs of `best_projects`, even if scores have changed since."""
    leads = tables.leads.c
    pairs = func.unnest(_bind_ids(list(projects)), _bind_ids(list(projects.values()))).table_valued(
        column("lead_id", Uuid()), column("project_id", Uuid()), name="pair"
    )
    pairs = pairs.render_derived()
    return (
        select(pairs.c.lead_id, pairs.c.project_id, leads.username, leads.full_name)
        .join_from(pairs, tables.leads, leads.id == pairs.c.lead_id)
        .order_by(pairs.c.lead_id)
    )


class RoutedLead(NamedTuple):
    lead_id: UUID
    project_id: UUID
    route_id: UUID | None
    is_routed: bool


def select_routed(tables: HostTables, routed: Sequence[RoutedLead]) -> RoutedLeads:
    """Selects leads that routes have decided about, each with the decision, even if its score has changed since."""
    leads = tables.leads.c
    found = func.unnest(
        _bind_ids([each.lead_id for each in routed]),
        _bind_ids([each.project_id for each in routed]),
        bindparam("route_ids", [each.route_id for each in routed], type_=ARRAY(Uuid()), unique=True),
        bindparam("are_routed", [each.is_routed for each in routed], type_=ARRAY(Boolean()), unique=True),
    ).table_valued(
        column("lead_id", Uuid()), column("project_id", Uuid()), column("route_id", Uuid()), column("is_routed", Boolean()),
        name="routed",
    )  # fmt: skip
    found = found.render_derived()
    return (
        select(
            found.c.lead_id, found.c.project_id, leads.username, leads.full_name, found.c.route_id, found.c.is_routed
        )
        .join_from(found, tables.leads, leads.id == found.c.lead_id)
        .order_by(found.c.lead_id)
    )


def _bind_ids(lead_ids: Sequence[UUID]) -> BindParameter[Sequence[UUID]]:
    return bindparam("lead_ids", list(lead_ids), type_=ARRAY(Uuid()), unique=True)


async def unknown_leads(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    ids: Sequence[UUID],
    project_id: UUID | None,
    limit: int = 10,
) -> list[UUID]:
    """Returns the first `limit` distinct ids, in the given order, that are not leads of the organization (and the project)."""
    scores, projects = tables.lead_scores.c, tables.projects.c
    requested = func.unnest(_bind_ids(ids)).table_valued(
        column("lead_id", Uuid()), with_ordinality="position", name="requested"
    )
    requested = requested.render_derived()
    # Not `exists().where()`: it renders SELECT *, which requires rights on every column.
    leads = select(scores.lead_id).where(
        scores.lead_id == requested.c.lead_id, projects.id == scores.project_id, projects.org_id == org_id
    )
    if project_id is not None:
        leads = leads.where(scores.project_id == project_id)
    query = (
        select(requested.c.lead_id)
        .where(not_(leads.exists()))
        .group_by(requested.c.lead_id)
        .order_by(func.min(requested.c.position))
        .limit(limit)
    )
    return await select_rows(connection, query, UUID)
