"""Which leads an organization has and what is known of each. A lead of another organization does not exist here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    column,
    func,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import FromClause

from clay_push_service.host.lead_row import GithubStats, LeadRow
from clay_push_service.host.numbers import finite
from clay_push_service.host.read_lead_rows import payload_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.host.text_search import contains

__all__ = [
    "After", "GithubStats", "LeadCriteria", "LeadRow", "PushableLeads",
    "best_projects", "count_filtered", "filtered", "listed", "paired", "payload_rows", "selected", "unknown_leads",
]  # fmt: skip

PushableLeads = Select[UUID, UUID, str | None, str | None]
"""Columns lead_id, project_id, username, full_name; one row a lead, in the order of lead_id."""


@dataclass(frozen=True, slots=True)
class LeadCriteria:
    """What a lead must be. Empty means no condition; an unknown (null) value is never included and never excluded."""

    min_score: Decimal | None = None
    max_score: Decimal | None = None
    qualified_only: bool = False
    search: str | None = None
    classifications: Sequence[str] = ()
    industries: Sequence[str] = ()
    companies: Sequence[str] = ()
    priorities: Sequence[str] = ()
    exclude_classifications: Sequence[str] = ()
    exclude_industries: Sequence[str] = ()
    exclude_companies: Sequence[str] = ()
    exclude_priorities: Sequence[str] = ()

    @property
    def asks_social_context(self) -> bool:
        return bool(
            self.classifications or self.industries or self.companies
            or self.exclude_classifications or self.exclude_industries or self.exclude_companies
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class After:
    """The last lead of the page before: where the next page begins."""

    overall_score: Decimal | None
    lead_id: UUID


def selected(tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID], project_id: UUID | None) -> PushableLeads:
    """Those of `lead_ids` that are leads of the organization (and the project), each once.

    Without a project a lead counts for the one where its overall score is highest; ties go to the lower project id.
    The ids are ONE bound uuid[] (10,000 parameters cost more to parse than the query to run), through unnest(): `= ANY($1)`
    is a little faster at best (36 ms against 45 for 10,000 of 200,000 leads), and 650 in a generic plan.
    """
    scores, projects, leads = tables.lead_scores.c, tables.projects.c, tables.leads.c
    best = (
        select(scores.lead_id.label("lead_id"), scores.project_id.label("project_id"))
        .join_from(
            tables.lead_scores, tables.projects, and_(projects.id == scores.project_id, projects.org_id == org_id)
        )
        .where(scores.lead_id.in_(select(func.unnest(_ids(lead_ids)))))
        .ext(distinct_on(scores.lead_id))
        .order_by(scores.lead_id, finite(scores.overall_score).desc().nulls_last(), scores.project_id)
    )
    if project_id is not None:
        best = best.where(scores.project_id == project_id)
    chosen = best.subquery("best")
    return (
        select(chosen.c.lead_id, chosen.c.project_id, leads.username, leads.full_name)
        .join_from(chosen, tables.leads, leads.id == chosen.c.lead_id)
        .order_by(chosen.c.lead_id)
    )


async def best_projects(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID]
) -> dict[UUID, UUID]:
    """Those of `lead_ids` that are leads of the organization, each with the project it counts for just now."""
    best = selected(tables, org_id, lead_ids, None).subquery("best")
    found = await connection.execute(select(best.c.lead_id, best.c.project_id))
    return {row.lead_id: row.project_id for row in found}


def paired(tables: HostTables, projects: Mapping[UUID, UUID]) -> PushableLeads:
    """The leads of `best_projects`, whatever scoring has made of them since."""
    leads = tables.leads.c
    pairs = func.unnest(_ids(list(projects)), _ids(list(projects.values()))).table_valued(
        column("lead_id", Uuid()), column("project_id", Uuid()), name="pair"
    )
    pairs = pairs.render_derived()
    return (
        select(pairs.c.lead_id, pairs.c.project_id, leads.username, leads.full_name)
        .join_from(pairs, tables.leads, leads.id == pairs.c.lead_id)
        .order_by(pairs.c.lead_id)
    )


def _ids(lead_ids: Sequence[UUID]) -> BindParameter[Sequence[UUID]]:
    return bindparam("lead_ids", list(lead_ids), type_=ARRAY(Uuid()), unique=True)


async def unknown_leads(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    ids: Sequence[UUID],
    project_id: UUID | None,
    limit: int = 10,
) -> list[UUID]:
    """The first `limit` of `ids`, in the order given and each once, that are no lead of the organization (and the project)."""
    scores, projects = tables.lead_scores.c, tables.projects.c
    asked = func.unnest(_ids(ids)).table_valued(column("lead_id", Uuid()), with_ordinality="position", name="asked")
    asked = asked.render_derived()
    # Not `exists().where()`: it renders SELECT *, for which the role would need every column.
    leads = select(scores.lead_id).where(
        scores.lead_id == asked.c.lead_id, projects.id == scores.project_id, projects.org_id == org_id
    )
    if project_id is not None:
        leads = leads.where(scores.project_id == project_id)
    found = await connection.execute(
        select(asked.c.lead_id)
        .where(not_(leads.exists()))
        .group_by(asked.c.lead_id)
        .order_by(func.min(asked.c.position))
        .limit(limit)
    )
    return list(found.scalars())


def filtered(tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria) -> PushableLeads:
    """The leads of one project of the organization that meet the criteria."""
    scores, leads = tables.lead_scores.c, tables.leads.c
    return (
        select(scores.lead_id.label("lead_id"), scores.project_id, leads.username, leads.full_name)
        .select_from(_from(tables, filters))
        .where(_met(tables, org_id, project_id, filters))
        .order_by(scores.lead_id)
    )


async def count_filtered(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria
) -> int:
    found = await connection.execute(
        select(func.count()).select_from(_from(tables, filters)).where(_met(tables, org_id, project_id, filters))
    )
    return found.scalar_one()


def listed(
    tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria, after: After | None, limit: int
) -> Select[UUID, str | None, str | None, str | None, str | None, Decimal | None, str | None, str | None, bool | None]:
    """A page of leads, best first, those without a score last.

    Columns lead_id, username, full_name, email, company, overall_score, classification, priority, is_qualified.
    """
    scores, leads = tables.lead_scores.c, tables.leads.c
    score = finite(scores.overall_score)
    statement = (
        select(
            scores.lead_id.label("lead_id"),
            leads.username,
            leads.full_name,
            leads.email,
            leads.company,
            score.label("overall_score"),
            tables.social_context.c.classification,
            scores.priority,
            scores.is_qualified_lead.label("is_qualified"),
        )
        .select_from(_from(tables, filters, always_social_context=True))
        .where(_met(tables, org_id, project_id, filters))
        .order_by(score.desc().nulls_last(), scores.lead_id)
        .limit(limit)
    )
    if after is None:
        return statement
    same_score_later_id = and_(score.is_not_distinct_from(after.overall_score), scores.lead_id > after.lead_id)
    if after.overall_score is None:
        return statement.where(same_score_later_id)
    return statement.where(or_(score < after.overall_score, score.is_(None), same_score_later_id))


def _from(tables: HostTables, filters: LeadCriteria, *, always_social_context: bool = False) -> FromClause:
    """Joined only as far as the criteria ask: a count over 200,000 leads need not touch what it does not read."""
    scores, leads, social = tables.lead_scores, tables.leads, tables.social_context
    joined: FromClause = scores.join(leads, leads.c.id == scores.c.lead_id)
    if always_social_context or filters.asks_social_context:
        joined = joined.outerjoin(social, social.c.lead_id == scores.c.lead_id)
    return joined


def _met(tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria) -> ColumnElement[bool]:
    scores, leads, social, projects = (
        tables.lead_scores.c, tables.leads.c, tables.social_context.c, tables.projects.c,
    )  # fmt: skip
    conditions: list[ColumnElement[bool]] = [
        scores.project_id == project_id,
        select(projects.id).where(projects.id == project_id, projects.org_id == org_id).exists(),
    ]
    if filters.min_score is not None:
        conditions.append(finite(scores.overall_score) >= filters.min_score)
    if filters.max_score is not None:
        conditions.append(finite(scores.overall_score) <= filters.max_score)
    if filters.qualified_only:
        conditions.append(scores.is_qualified_lead.is_(True))
    if filters.search:
        named = (leads.username, leads.full_name, leads.email, leads.company)
        conditions.append(or_(*(contains(each, filters.search) for each in named)))
    for columns, included, excluded in (
        ((social.classification,), filters.classifications, filters.exclude_classifications),
        ((social.industry,), filters.industries, filters.exclude_industries),
        ((leads.company, social.current_company), filters.companies, filters.exclude_companies),
        ((scores.priority,), filters.priorities, filters.exclude_priorities),
    ):
        if included:
            conditions.append(or_(*(_in(each, included) for each in columns)))
        if excluded:
            conditions.extend(_in(each, excluded).is_not(True) for each in columns)
    return and_(*conditions)


def _in(value: ColumnElement[str], words: Sequence[str]) -> ColumnElement[bool]:
    """Through unnest(), whose rows PostgreSQL hashes: `= ANY($1)` in a generic plan compares one word after another."""
    return value.in_(select(func.unnest(bindparam("words", list(words), type_=ARRAY(Text()), unique=True))))
