"""Selects the leads of a project that an auto-export rule pushes, and names the clause that excludes each other lead."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, and_, bindparam, case, func, literal, null, or_, select, true
from sqlalchemy.sql.selectable import CTE

from clay_push_service.automation.rule import Rule
from clay_push_service.deliveries.eligibility import is_erased, push_history
from clay_push_service.deliveries.suppression import is_excluded
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.host.leads import PushableLeads, finite_or_null
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
    MIN_SCORE = "min_score"
    CLASSIFICATION = "classification"


MESSAGES: Mapping[Clause, str] = MappingProxyType(
    {
        Clause.ERASED: "This person was erased and must not be pushed again.",
        Clause.EXCLUDED: "An exclusion of your organization keeps this lead, or its e-mail address, from Clay.",
        Clause.ALREADY_IN_CLAY: "Already in your Clay table.",
        Clause.ALREADY_QUEUED: "Already queued in another push.",
        Clause.MAYBE_IN_CLAY: "An earlier push got no clear response: may already be in Clay.",
        Clause.FAILED_BEFORE: "An earlier push of the lead failed or was cancelled. Retry that push to send it.",
        Clause.MIN_SCORE: "The score is below the rule's minimum, or unknown.",
        Clause.CLASSIFICATION: "The classification is not in the rule, or unknown.",
    }
)


def apply_rule(tables: HostTables, org_id: UUID, project_id: UUID, rule: Rule, clay_table: ClayTable) -> CTE:
    """All leads of the project: lead_id, project_id, username, full_name, overall_score, classification, clause (or null)."""
    scores, leads, social, projects = tables.lead_scores, tables.leads, tables.social_context, tables.projects
    scanned = (
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
    history = push_history(scanned, org_id, clay_table)
    return (
        select(*scanned.c, _clause(scanned, history, rule, tables, org_id).label("clause"))
        .join_from(scanned, history, history.c.contributor_id == scanned.c.lead_id, isouter=True)
        .cte("ruled")
    )


def _clause(scanned: CTE, history: CTE, rule: Rule, tables: HostTables, org_id: UUID) -> ColumnElement[str | None]:
    whens: list[tuple[ColumnElement[bool], ColumnElement[str]]] = [
        (is_erased(scanned.c.lead_id, org_id), _text(Clause.ERASED)),
        (is_excluded(scanned.c.lead_id, tables, org_id), _text(Clause.EXCLUDED)),
        (history.c.in_clay.is_(true()), _text(Clause.ALREADY_IN_CLAY)),
        (history.c.queued.is_(true()), _text(Clause.ALREADY_QUEUED)),
        (history.c.maybe_in_clay.is_(true()), _text(Clause.MAYBE_IN_CLAY)),
        (history.c.failed.is_(true()), _text(Clause.FAILED_BEFORE)),
    ]
    score, classification = scanned.c.overall_score, scanned.c.classification
    if rule.min_score is not None:
        low = or_(score.is_(None), score < rule.min_score)
        whens.append((low, _text(Clause.MIN_SCORE)))
    if rule.classifications:
        words = bindparam("classifications", list(rule.classifications), type_=ARRAY(Text()), unique=True)
        other = or_(classification.is_(None), classification.not_in(select(func.unnest(words))))
        whens.append((other, _text(Clause.CLASSIFICATION)))
    return case(*whens, else_=null())


def _text(clause: Clause) -> ColumnElement[str]:
    return literal(clause.value, Text())


def select_passed(judged: CTE) -> PushableLeads:
    """The leads that no clause excludes: the best 50,000 of them; the next run pushes the others."""
    best = (
        select(judged.c.lead_id, judged.c.project_id, judged.c.username, judged.c.full_name)
        .where(judged.c.clause.is_(None))
        .order_by(judged.c.overall_score.desc().nulls_last(), judged.c.lead_id)
        .limit(MAX_LEADS)
        .subquery("best")
    )
    return select(best.c.lead_id, best.c.project_id, best.c.username, best.c.full_name).order_by(best.c.lead_id)
