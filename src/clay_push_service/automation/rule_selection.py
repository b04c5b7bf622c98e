"""Selects the leads of a project that an auto-export rule pushes, and names the clause that excludes each other lead."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import FromClause, select, true
from sqlalchemy.sql.selectable import CTE

from clay_push_service.automation.evaluated_leads import (
    When,
    first_clause,
    has_other_classification,
    is_below,
    scanned_leads,
)
from clay_push_service.automation.rule import Rule
from clay_push_service.deliveries.eligibility import is_erased, push_history
from clay_push_service.deliveries.suppression import Excluding, is_excluded
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.host.lead_filters import LeadCriteria, select_filtered
from clay_push_service.host.leads import PushableLeads
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.schemas import MAX_LEADS


class Clause(StrEnum):
    """Why a rule excludes a lead: the first that applies, in this order."""

    ERASED = "erased"
    EXCLUDED = "excluded"
    ALREADY_IN_CLAY = "already_in_clay"
    ALREADY_QUEUED = "already_queued"
    MAYBE_IN_CLAY = "maybe_in_clay"
    FAILED_BEFORE = "failed_before"
    IN_ANOTHER_TABLE = "in_another_table"
    """A route with `stay` chooses the table."""
    NO_ROUTE = "no_route"
    MIN_SCORE = "min_score"
    CLASSIFICATION = "classification"
    FILTERS = "filters"


MESSAGES: Mapping[Clause, str] = MappingProxyType(
    {
        Clause.ERASED: "This person was erased and must not be pushed again.",
        Clause.EXCLUDED: "An exclusion of your organization keeps this lead, or its e-mail address, from Clay.",
        Clause.ALREADY_IN_CLAY: "Already in your Clay table.",
        Clause.ALREADY_QUEUED: "Already queued in another push.",
        Clause.MAYBE_IN_CLAY: "An earlier push got no clear response: may already be in Clay.",
        Clause.FAILED_BEFORE: "An earlier push of the lead failed or was cancelled. Retry that push to send it.",
        Clause.IN_ANOTHER_TABLE: "Already in another Clay table, or queued for one. The route does not follow a lead that moves.",
        Clause.NO_ROUTE: "No route sends the lead to a Clay table.",
        Clause.MIN_SCORE: "The score is below the rule's minimum, or unknown.",
        Clause.CLASSIFICATION: "The classification is not in the rule, or unknown.",
        Clause.FILTERS: "The filters of the schedule do not match the lead.",
    }
)


def apply_rule(
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    rule: Rule,
    clay_table: ClayTable,
    excluding: Excluding,
    filters: LeadCriteria | None = None,
) -> CTE:
    """All leads of the project: lead_id, project_id, username, full_name, overall_score, classification, clause (or null).

    A schedule has `filters` and a rule without conditions.
    """
    scanned = scanned_leads(tables, org_id, project_id)
    history = push_history(scanned, org_id, clay_table)
    matching = None if filters is None else select_filtered(tables, org_id, project_id, filters).subquery("matching")
    return (
        select(
            *scanned.c,
            first_clause(_whens(scanned, history, rule, tables, org_id, matching, excluding)).label("clause"),
        )
        .join_from(scanned, history, history.c.contributor_id == scanned.c.lead_id, isouter=True)
        .cte("ruled")
    )


def _whens(
    scanned: CTE,
    history: CTE,
    rule: Rule,
    tables: HostTables,
    org_id: UUID,
    matching: FromClause | None,
    excluding: Excluding,
) -> list[When]:
    whens: list[When] = [
        (is_erased(scanned.c.lead_id, org_id), Clause.ERASED),
        (is_excluded(scanned.c.lead_id, scanned.c.project_id, tables, org_id, excluding), Clause.EXCLUDED),
        (history.c.in_clay.is_(true()), Clause.ALREADY_IN_CLAY),
        (history.c.queued.is_(true()), Clause.ALREADY_QUEUED),
        (history.c.maybe_in_clay.is_(true()), Clause.MAYBE_IN_CLAY),
        (history.c.failed.is_(true()), Clause.FAILED_BEFORE),
    ]
    if rule.min_score is not None:
        whens.append((is_below(scanned, rule.min_score), Clause.MIN_SCORE))
    if rule.classifications:
        whens.append((has_other_classification(scanned, rule.classifications), Clause.CLASSIFICATION))
    if matching is not None:
        whens.append((scanned.c.lead_id.not_in(select(matching.c.lead_id)), Clause.FILTERS))
    return whens


def select_passed(evaluated: CTE, limit: int = MAX_LEADS) -> PushableLeads:
    """Returns up to `limit` leads that no clause excludes, the best first. The next run pushes the others."""
    best = (
        select(evaluated.c.lead_id, evaluated.c.project_id, evaluated.c.username, evaluated.c.full_name)
        .where(evaluated.c.clause.is_(None))
        .order_by(evaluated.c.overall_score.desc().nulls_last(), evaluated.c.lead_id)
        .limit(limit)
        .subquery("best")
    )
    return select(best.c.lead_id, best.c.project_id, best.c.username, best.c.full_name).order_by(best.c.lead_id)
