"""Selects leads of one project by filters, to push, count or list them. A lead of another organization is not found."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Text, and_, bindparam, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import FromClause

from clay_push_service.database.statement import select_one, select_rows
from clay_push_service.host.enrichment_conditions import (
    EnrichedState,
    OrgId,
    has_chosen_email,
    has_enrichment_state,
    select_enrichment_scores,
)
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
    without_email: bool = False
    enrichment: EnrichedState | None = None

    @property
    def needs_social_context(self) -> bool:
        return bool(
            self.classifications or self.industries or self.companies
            or self.exclude_classifications or self.exclude_industries or self.exclude_companies
        )  # fmt: skip


class LeadSort(StrEnum):
    """The order of a list, by the overall score or by the enrichment score; leads without this score are last."""

    HIGHEST_SCORE = "highest_score"
    LOWEST_SCORE = "lowest_score"
    HIGHEST_ENRICHMENT_SCORE = "highest_enrichment_score"
    LOWEST_ENRICHMENT_SCORE = "lowest_enrichment_score"

    @property
    def is_ascending(self) -> bool:
        return self in {LeadSort.LOWEST_SCORE, LeadSort.LOWEST_ENRICHMENT_SCORE}

    @property
    def is_by_enrichment(self) -> bool:
        return self in {LeadSort.HIGHEST_ENRICHMENT_SCORE, LeadSort.LOWEST_ENRICHMENT_SCORE}


@dataclass(frozen=True, slots=True)
class PageStart:
    """The last lead of the previous page; the next page starts after it. `score`: the one that the list is sorted by."""

    score: Decimal | None
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
    sorted_by: Decimal | None
    """The score that decides the order."""


async def read_page(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    filters: LeadCriteria,
    after: PageStart | None,
    limit: int,
    sort: LeadSort = LeadSort.HIGHEST_SCORE,
) -> Sequence[ListedLead]:
    """Reads a page of leads, leads without a score last."""
    query = _select_page(tables, org_id, project_id, filters, after, limit, sort)
    return await select_rows(connection, query, ListedLead)


def _select_page(
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    filters: LeadCriteria,
    after: PageStart | None,
    limit: int,
    sort: LeadSort,
) -> Select[
    UUID, str | None, str | None, str | None, str | None, Decimal | None, str | None, str | None, bool | None, Decimal | None
]:  # fmt: skip
    scores, leads = tables.lead_scores.c, tables.leads.c
    overall = finite_or_null(scores.overall_score)
    joined = _joined_tables(tables, filters, always_social_context=True)
    score = overall
    if sort.is_by_enrichment:
        of_project = select(scores.lead_id).where(scores.project_id == project_id)
        enriched = select_enrichment_scores(tables, org_id, lambda lead_id: lead_id.in_(of_project))
        joined = joined.outerjoin(enriched, enriched.c.lead_id == scores.lead_id)
        score = enriched.c.score
    order = score.asc() if sort.is_ascending else score.desc()
    statement = (
        select(
            scores.lead_id.label("lead_id"),
            leads.username,
            leads.full_name,
            leads.email,
            leads.company,
            overall.label("overall_score"),
            tables.social_context.c.classification,
            scores.priority,
            scores.is_qualified_lead.label("is_qualified"),
            score.label("sorted_by"),
        )
        .select_from(joined)
        .where(_conditions(tables, org_id, project_id, filters))
        .order_by(order.nulls_last(), scores.lead_id)
        .limit(limit)
    )
    if after is None:
        return statement
    same_score_later_id = and_(score.is_not_distinct_from(after.score), scores.lead_id > after.lead_id)
    if after.score is None:
        return statement.where(same_score_later_id)
    is_later = score > after.score if sort.is_ascending else score < after.score
    return statement.where(or_(is_later, score.is_(None), same_score_later_id))


def _joined_tables(tables: HostTables, filters: LeadCriteria, *, always_social_context: bool = False) -> FromClause:
    """Joins only the tables that the criteria need, so that a count over 200,000 leads reads no others."""
    scores, leads, social = tables.lead_scores, tables.leads, tables.social_context
    joined: FromClause = scores.join(leads, leads.c.id == scores.c.lead_id)
    if always_social_context or filters.needs_social_context:
        joined = joined.outerjoin(social, social.c.lead_id == scores.c.lead_id)
    return joined


def _conditions(tables: HostTables, org_id: UUID, project_id: UUID, filters: LeadCriteria) -> ColumnElement[bool]:
    projects = tables.projects.c
    return and_(
        tables.lead_scores.c.project_id == project_id,
        select(projects.id).where(projects.id == project_id, projects.org_id == org_id).exists(),
        matches(LeadSource(tables.lead_scores, tables.leads, tables.social_context), org_id, filters),
    )


class LeadSource(NamedTuple):
    """The tables, or aliases of them, whose joined rows a condition reads. `social` is joined by an outer join."""

    scores: FromClause
    leads: FromClause
    social: FromClause

    @classmethod
    def aliases(cls, tables: HostTables, name: str) -> "LeadSource":
        """For a subquery: the names do not occur in the statement around it."""
        return cls(
            tables.lead_scores.alias(f"{name}_scores"), tables.leads.alias(f"{name}_leads"),
            tables.social_context.alias(f"{name}_social"),
        )  # fmt: skip


def matches(source: LeadSource, org_id: OrgId, filters: LeadCriteria) -> ColumnElement[bool]:
    """Whether a lead matches the criteria with its score in the project of the row. Null counts as false."""
    scores, leads, social = source.scores.c, source.leads.c, source.social.c
    conditions: list[ColumnElement[bool]] = [true()]
    if filters.min_score is not None:
        conditions.append(finite_or_null(scores.overall_score) >= filters.min_score)
    if filters.max_score is not None:
        conditions.append(finite_or_null(scores.overall_score) <= filters.max_score)
    if filters.qualified_only:
        conditions.append(scores.is_qualified_lead.is_(True))
    if filters.search:
        searched = (leads.username, leads.full_name, leads.email, leads.company)
        conditions.append(or_(*(contains(each, filters.search) for each in searched)))
    if filters.without_email:
        conditions.append(func.coalesce(func.btrim(leads.email), "") == "")
        conditions.append(~has_chosen_email(scores.lead_id, org_id))
    if filters.enrichment is not None:
        conditions.append(has_enrichment_state(scores.lead_id, org_id, filters.enrichment))
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
