"""Selects the leads that an auto-enrich rule requests, and names the condition that excludes each other lead of the project."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Text, Uuid, column, func, or_, select, table
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE, Select

from clay_push_service.automation.evaluated_leads import (
    When,
    first_clause,
    has_other_classification,
    is_below,
    scanned_leads,
)
from clay_push_service.database.statement import select_rows
from clay_push_service.deliveries.eligibility import is_erased
from clay_push_service.deliveries.suppression import Excluding, is_excluded
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.states import CostSource, ItemOutcome
from clay_push_service.enrichment.rules.rule import EnrichRule
from clay_push_service.enrichment.settings.trial_schemas import MAX_LEADS
from clay_push_service.host.tables import HostTables

MAX_JOBS = 20
MOST: Final = MAX_JOBS * MAX_LEADS
"""Most leads of one run, the best first. The next scan continues."""
ITEMS = table(
    "enrichment_items",
    *(column(name, Uuid()) for name in ("org_id", "lead_id")),
    *(column(name, Text()) for name in ("outcome", "cause", "cost_basis")),
    column("finished_at", DateTime(timezone=True)),
    schema="clay",
)


class RunReason(StrEnum):
    """The kind of a run."""

    SCAN = "scan"
    """After a scan: leads that were never requested."""
    STALE = "stale"
    """Once a day: leads whose last result is old."""


class EnrichClause(StrEnum):
    """Why a rule does not request a lead: the first that applies, in this order."""

    ERASED = "erased"
    EXCLUDED = "excluded"
    REQUESTED_BEFORE = "requested_before"
    NOT_STALE = "not_stale"
    MIN_SCORE = "min_score"
    CLASSIFICATION = "classification"


MESSAGES: Mapping[EnrichClause, str] = MappingProxyType(
    {
        EnrichClause.ERASED: "This person was erased and must not be enriched again.",
        EnrichClause.EXCLUDED: "An exclusion of your organization keeps this lead, or its e-mail address, from Clay.",
        EnrichClause.REQUESTED_BEFORE: "Requested from Clay before: a rule requests a new lead once.",
        EnrichClause.NOT_STALE: "The last result, or a later request that may have been charged, is younger than the rule's months; or there is no result.",
        EnrichClause.MIN_SCORE: "The score is below the rule's minimum, or unknown.",
        EnrichClause.CLASSIFICATION: "The classification is not in the rule, or unknown.",
    }
)


def evaluate_leads(
    tables: HostTables, org_id: UUID, project_id: UUID, rule: EnrichRule, reason: RunReason, excluding: Excluding
) -> CTE:
    """All leads of the project, as `scanned_leads`, and `clause` (null: the rule requests it)."""
    scanned = scanned_leads(tables, org_id, project_id)
    clause = first_clause(_whens(scanned, rule, reason, tables, org_id, excluding))
    return select(*scanned.c, clause.label("clause")).select_from(scanned).cte("evaluated")


def _whens(
    scanned: CTE, rule: EnrichRule, reason: RunReason, tables: HostTables, org_id: UUID, excluding: Excluding
) -> list[When]:
    lead_id = scanned.c.lead_id
    whens: list[When] = [
        (is_erased(lead_id, org_id), EnrichClause.ERASED),
        (is_excluded(lead_id, scanned.c.project_id, tables, org_id, excluding), EnrichClause.EXCLUDED),
    ]
    if reason is RunReason.STALE:
        whens.append((lead_id.not_in(_stale(org_id, rule.stale_months or 0)), EnrichClause.NOT_STALE))
    else:
        whens.append((lead_id.in_(_requested_before(org_id)), EnrichClause.REQUESTED_BEFORE))
    if rule.min_score is not None:
        whens.append((is_below(scanned, rule.min_score), EnrichClause.MIN_SCORE))
    if rule.classifications:
        whens.append((has_other_classification(scanned, rule.classifications), EnrichClause.CLASSIFICATION))
    return whens


def _requested_before(org_id: UUID) -> Select[tuple[UUID]]:
    """Selects leads that were requested before, also without a result. A lead that was skipped, cancelled or not covered by the budget is still new."""
    is_new = (
        ITEMS.c.outcome.is_distinct_from(ItemOutcome.SKIPPED.value),
        ITEMS.c.outcome.is_distinct_from(ItemOutcome.CANCELLED.value),
        ITEMS.c.cause.is_distinct_from(ItemCause.BUDGET_EXHAUSTED.value),
    )
    return select(ITEMS.c.lead_id).where(ITEMS.c.org_id == org_id, *is_new)


def _stale(org_id: UUID, months: int) -> Select[tuple[UUID]]:
    """Selects leads whose last result is older than this number of months, and that had no later request that may have been charged.

    A request without a result, such as a held run, would otherwise be repeated and charged on every day.
    """
    results = [ItemOutcome.FOUND.value, ItemOutcome.PARTIAL.value, ItemOutcome.NOTHING.value]
    has_result = ITEMS.c.outcome.in_(results)
    before: ColumnElement[datetime] = func.now() - func.make_interval(0, months)
    return (
        select(ITEMS.c.lead_id)
        .where(ITEMS.c.org_id == org_id, or_(has_result, ITEMS.c.cost_basis != CostSource.NONE.value))
        .group_by(ITEMS.c.lead_id)
        .having(func.bool_or(has_result), func.max(ITEMS.c.finished_at) < before)
    )


async def read_chosen(connection: AsyncConnection, evaluated: CTE) -> Sequence[UUID]:
    """The leads that a run requests: those that pass, the highest score first, at most MOST."""
    query = (
        select(evaluated.c.lead_id)
        .where(evaluated.c.clause.is_(None))
        .order_by(evaluated.c.overall_score.desc().nulls_last(), evaluated.c.lead_id)
        .limit(MOST)
    )
    return await select_rows(connection, query, UUID)
