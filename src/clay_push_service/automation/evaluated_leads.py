"""Selects the leads that past scans of a project found, names the condition of a rule that excludes each, and counts and lists them.

Shared by auto-export and auto-enrich, whose own conditions are in their packages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Numeric,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service import pagination
from clay_push_service.database.statement import select_rows
from clay_push_service.host.leads import finite_or_null
from clay_push_service.host.tables import HostTables

FIRST, LAST = 0, 1
"""Leads that pass come before excluded leads."""
NO_SCORE = Decimal(-1)
"""Sorts leads without a score last. Lower than every score and, unlike null, comparable."""
When = tuple[ColumnElement[bool], StrEnum]


def scanned_leads(tables: HostTables, org_id: UUID, project_id: UUID) -> CTE:
    """All leads of the project: lead_id, project_id, username, full_name, overall_score, classification."""
    scores, leads, social, projects = tables.lead_scores, tables.leads, tables.social_context, tables.projects
    return (
        select(
            scores.c.lead_id.label("lead_id"),
            scores.c.project_id,
            leads.c.username,
            leads.c.full_name,
            finite_or_null(scores.c.overall_score).label("overall_score"),
            social.c.classification,
        )
        .select_from(
            scores.join(projects, and_(projects.c.id == scores.c.project_id, projects.c.org_id == org_id))
            .join(leads, leads.c.id == scores.c.lead_id)
            .outerjoin(social, social.c.lead_id == scores.c.lead_id)
        )
        .where(scores.c.project_id == project_id)
        .cte("scanned")
    )


def is_below(scanned: CTE, min_score: Decimal) -> ColumnElement[bool]:
    """A lead without a score does not meet a minimum."""
    score = scanned.c.overall_score
    return or_(score.is_(None), score < min_score)


def has_other_classification(scanned: CTE, classifications: Sequence[str]) -> ColumnElement[bool]:
    """A lead without a classification does not meet a condition on it."""
    classification = scanned.c.classification
    words = bindparam("classifications", list(classifications), type_=ARRAY(Text()), unique=True)
    return or_(classification.is_(None), classification.not_in(select(func.unnest(words))))


def first_clause(whens: Sequence[When]) -> ColumnElement[str | None]:
    """The name of the first condition that excludes a lead; null: it passes."""
    return case(*((condition, literal(clause.value, Text())) for condition, clause in whens), else_=null())


class _ClauseCount(NamedTuple):
    clause: str | None
    leads: int


async def count_clauses(connection: AsyncConnection, evaluated: CTE) -> Mapping[str | None, int]:
    """The number of leads that each condition excludes; under None, of those that pass."""
    query = select(evaluated.c.clause, func.count().label("leads")).group_by(evaluated.c.clause)
    return {row.clause: row.leads for row in await select_rows(connection, query, _ClauseCount)}


class EvaluatedLead(NamedTuple):
    lead_id: UUID
    project_id: UUID
    username: str | None
    full_name: str | None
    overall_score: Decimal | None
    classification: str | None
    clause: str | None
    group: int
    rank: Decimal
    counts: str
    """Of all leads, by clause, as JSON; an empty name: of those that pass."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    counts: Mapping[str | None, int]
    """As `count_clauses` returns them."""
    page: Sequence[EvaluatedLead]
    next_cursor: str | None


async def read_evaluation(connection: AsyncConnection, evaluated: CTE, after: str | None, limit: int) -> Evaluation:
    """The counts, and a page: first the leads that pass; in each group, the best score first.

    One statement reads both, because it takes most of its time to evaluate the leads.
    """
    group = case((evaluated.c.clause.is_(None), FIRST), else_=LAST)
    # Negated, so that best first is ascending, as the row comparison needs.
    rank = -func.coalesce(evaluated.c.overall_score, literal(NO_SCORE, Numeric()))
    keys = (group, rank, evaluated.c.lead_id)
    by_clause = select(evaluated.c.clause, func.count().label("leads")).group_by(evaluated.c.clause).subquery()
    counts = select(cast(func.jsonb_object_agg(func.coalesce(by_clause.c.clause, ""), by_clause.c.leads), Text()))
    columns = (group.label("group"), rank.label("rank"), counts.scalar_subquery().label("counts"))
    statement = select(evaluated, *columns).order_by(*keys).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(*keys) > tuple_(*_position(after)))
    rows = await select_rows(connection, statement, EvaluatedLead)
    if not rows:
        return Evaluation(await count_clauses(connection, evaluated), rows, None)
    found = {clause or None: leads for clause, leads in orjson.loads(rows[0].counts).items()}
    page, last = rows[:limit], rows[:limit][-1]
    more = pagination.encode(last.group, str(last.rank), str(last.lead_id)) if len(rows) > limit else None
    return Evaluation(found, page, more)


def _position(after: str) -> tuple[ColumnElement[int], ColumnElement[Decimal], ColumnElement[UUID]]:
    group, rank, lead_id = pagination.decode(after, 3)
    number, found = pagination.number(rank), pagination.identifier(lead_id)
    if group not in {FIRST, LAST}:
        raise pagination.invalid()
    return literal(pagination.serial(group), Integer()), literal(number, Numeric()), literal(found, Uuid())
