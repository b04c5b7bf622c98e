"""Selects leads of one project by filters, to push, count or list them. A lead of another organization is not found."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Text, and_, bindparam, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import FromClause

from clay_push_service.database.statement import select_one, select_rows
from clay_push_service.host.leads import PushableLeads, finite_or_null
from clay_push_service.host.tables import HostTables
from clay_push_service.host.text_search import contains


@dataclass(frozen=True, slots=True)
class LeadCriteria:
    """Conditions on leads. Empty means no condition; a null value neither matches an inclusion nor an exclusion."""

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
    def needs_social_context(self) -> bool:
        return bool(
            self.classifications or self.industries or self.companies
            or self.exclude_classifications or self.exclude_industries or self.exclude_companies
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageStart:
    """The last lead of the previous page; the next page starts after it."""

    overall_score: Decimal | None
    lead_id: UUID


def select_filtered(tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria) -> PushableLeads:
    """Selects the leads of one project of the organization that match the criteria."""
    scores, leads = tables.lead_scores.c, tables.leads.c
    return (
        select(scores.lead_id.label("lead_id"), scores.project_id, leads.username, leads.full_name)
        .select_from(_joined_tables(tables, filters))
        .where(_conditions(tables, org_id, project_id, filters))
        .order_by(scores.lead_id)
    )


async def count_filtered(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria
) -> int:
    query = (
        select(func.count())
        .select_from(_joined_tables(tables, filters))
        .where(_conditions(tables, org_id, project_id, filters))
    )
    return await select_one(connection, query, int)


class ListedLead(NamedTuple):
    lead_id: UUID
    username: str | None
    full_name: str | None
    email: str | None
    company: str | None
    overall_score: Decimal | None
    classification: str | None
    priority: str | None
    is_qualified: bool | None


async def read_page(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    filters: LeadCriteria,
    after: PageStart | None,
    limit: int,
) -> Sequence[ListedLead]:
    """Reads a page of leads, the highest score first, leads without a score last."""
    return await select_rows(connection, _select_page(tables, org_id, project_id, filters, after, limit), ListedLead)


def _select_page(
    tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria, after: PageStart | None, limit: int
) -> Select[UUID, str | None, str | None, str | None, str | None, Decimal | None, str | None, str | None, bool | None]:
    scores, leads = tables.lead_scores.c, tables.leads.c
    score = finite_or_null(scores.overall_score)
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
        .select_from(_joined_tables(tables, filters, always_social_context=True))
        .where(_conditions(tables, org_id, project_id, filters))
        .order_by(score.desc().nulls_last(), scores.lead_id)
        .limit(limit)
    )
    if after is None:
        return statement
    same_score_later_id = and_(score.is_not_distinct_from(after.overall_score), scores.lead_id > after.lead_id)
    if after.overall_score is None:
        return statement.where(same_score_later_id)
    return statement.where(or_(score < after.overall_score, score.is_(None), same_score_later_id))


def _joined_tables(tables: HostTables, filters: LeadCriteria, *, always_social_context: bool = False) -> FromClause:
    """Joins only the tables that the criteria need, so that a count over 200,000 leads reads no others."""
    scores, leads, social = tables.lead_scores, tables.leads, tables.social_context
    joined: FromClause = scores.join(leads, leads.c.id == scores.c.lead_id)
    if always_social_context or filters.needs_social_context:
        joined = joined.outerjoin(social, social.c.lead_id == scores.c.lead_id)
    return joined


def _conditions(tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria) -> ColumnElement[bool]:
    scores, leads, social, projects = (
        tables.lead_scores.c, tables.leads.c, tables.social_context.c, tables.projects.c,
    )  # fmt: skip
    conditions: list[ColumnElement[bool]] = [
        scores.project_id == project_id,
        select(projects.id).where(projects.id == project_id, projects.org_id == org_id).exists(),
    ]
    if filters.min_score is not None:
        conditions.append(finite_or_null(scores.overall_score) >= filters.min_score)
    if filters.max_score is not None:
        conditions.append(finite_or_null(scores.overall_score) <= filters.max_score)
    if filters.qualified_only:
        conditions.append(scores.is_qualified_lead.is_(True))
    if filters.search:
        searched = (leads.username, leads.full_name, leads.email, leads.company)
        conditions.append(or_(*(contains(each, filters.search) for each in searched)))
    for columns, included, excluded in (
        ((social.classification,), filters.classifications, filters.exclude_classifications),
        ((social.industry,), filters.industries, filters.exclude_industries),
        ((leads.company, social.current_company), filters.companies, filters.exclude_companies),
        ((scores.priority,), filters.priorities, filters.exclude_priorities),
    ):
        if included:
            conditions.append(or_(*(_is_one_of(each, included) for each in columns)))
        if excluded:
            conditions.extend(_is_one_of(each, excluded).is_not(True) for each in columns)
    return and_(*conditions)


def _is_one_of(value: ColumnElement[str], words: Sequence[str]) -> ColumnElement[bool]:
    """Uses unnest(), whose rows PostgreSQL hashes; `= ANY($1)` in a generic plan compares every word."""
    return value.in_(select(func.unnest(bindparam("words", list(words), type_=ARRAY(Text()), unique=True))))
