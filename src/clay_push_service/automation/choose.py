"""Which leads of a project a rule lets through, and which clause leaves each other lead out; only new leads, none twice."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, and_, bindparam, case, func, literal, null, or_, select, true
from sqlalchemy.sql.selectable import CTE

from clay_push_service.automation.rule import Rule
from clay_push_service.clay.cause import Cause
from clay_push_service.deliveries.enqueue import LOG, NOT_SENT
from clay_push_service.deliveries.suppression import is_erased
from clay_push_service.host.leads import PushableLeads
from clay_push_service.host.numbers import finite_or_null
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import MAX_LEADS
from clay_push_service.states import DeliveryState, DeliveryStatus

OF_THE_LEAD = (
    Cause.REJECTED, Cause.TOO_LARGE, Cause.INVALID_LEAD, Cause.LEAD_GONE, Cause.POISON, Cause.ERASED, Cause.CANCELLED,
)  # fmt: skip
"""Ends that another scan does not change, or that a person wanted: whoever wants the lead sent all the same retries it."""


class Clause(StrEnum):
    """Why a rule leaves a lead out: the first that applies, in this order."""

    ERASED = "erased"
    ALREADY_IN_CLAY = "already_in_clay"
    ALREADY_QUEUED = "already_queued"
    MAYBE_IN_CLAY = "maybe_in_clay"
    FAILED_BEFORE = "failed_before"
    MIN_SCORE = "min_score"
    CLASSIFICATION = "classification"


MESSAGES: Mapping[Clause, str] = MappingProxyType(
    {
        Clause.ERASED: "This person was erased and must not be pushed again.",
        Clause.ALREADY_IN_CLAY: "Already in your Clay table.",
        Clause.ALREADY_QUEUED: "On its way to Clay in another push.",
        Clause.MAYBE_IN_CLAY: "An earlier push got no clear response: may already be in Clay.",
        Clause.FAILED_BEFORE: "An earlier push of it was refused or cancelled: retry that push to send it.",
        Clause.MIN_SCORE: "Its score is below the rule's minimum, or not known.",
        Clause.CLASSIFICATION: "Its classification is none of the rule's, or not known.",
    }
)


def judged(tables: HostTables, org_id: UUID, project_id: UUID, rule: Rule, table_epoch: int) -> CTE:
    """Every lead of the project: lead_id, project_id, username, full_name, overall_score, classification, clause (or null)."""
    scores, leads, social, projects = tables.lead_scores, tables.leads, tables.social_context, tables.projects
    asked = (
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
    in_this_table = LOG.c.table_epoch == table_epoch
    history = (
        select(
            LOG.c.contributor_id,
            func.bool_or(and_(in_this_table, LOG.c.status == DeliveryStatus.SUCCESS.value)).label("in_clay"),
            func.bool_or(LOG.c.state != DeliveryState.DONE.value).label("queued"),
            func.bool_or(and_(in_this_table, LOG.c.cause == Cause.UNKNOWN.value)).label("maybe"),
            func.bool_or(and_(in_this_table, NOT_SENT, LOG.c.cause.in_([cause.value for cause in OF_THE_LEAD]))).label(
                "failed"
            ),
        )
        .where(LOG.c.org_id == org_id, LOG.c.contributor_id.in_(select(asked.c.lead_id)))
        .group_by(LOG.c.contributor_id)
        .cte("past")
    )
    return (
        select(*asked.c, _clause(asked, history, rule, org_id).label("clause"))
        .join_from(asked, history, history.c.contributor_id == asked.c.lead_id, isouter=True)
        .cte("ruled")
    )


def _clause(asked: CTE, history: CTE, rule: Rule, org_id: UUID) -> ColumnElement[str | None]:
    whens: list[tuple[ColumnElement[bool], ColumnElement[str]]] = [
        (is_erased(asked.c.lead_id, org_id), _word(Clause.ERASED)),
        (history.c.in_clay.is_(true()), _word(Clause.ALREADY_IN_CLAY)),
        (history.c.queued.is_(true()), _word(Clause.ALREADY_QUEUED)),
        (history.c.maybe.is_(true()), _word(Clause.MAYBE_IN_CLAY)),
        (history.c.failed.is_(true()), _word(Clause.FAILED_BEFORE)),
    ]
    score, classification = asked.c.overall_score, asked.c.classification
    if rule.min_score is not None:
        low = or_(score.is_(None), score < rule.min_score)
        whens.append((low, _word(Clause.MIN_SCORE)))
    if rule.classifications:
        words = bindparam("classifications", list(rule.classifications), type_=ARRAY(Text()), unique=True)
        other = or_(classification.is_(None), classification.not_in(select(func.unnest(words))))
        whens.append((other, _word(Clause.CLASSIFICATION)))
    return case(*whens, else_=null())


def _word(clause: Clause) -> ColumnElement[str]:
    return literal(clause.value, Text())


def chosen(everyone: CTE) -> PushableLeads:
    """Those that are let through; the best 50,000 where there are more, and the next run takes the others."""
    best = (
        select(everyone.c.lead_id, everyone.c.project_id, everyone.c.username, everyone.c.full_name)
        .where(everyone.c.clause.is_(None))
        .order_by(everyone.c.overall_score.desc().nulls_last(), everyone.c.lead_id)
        .limit(MAX_LEADS)
        .subquery("best")
    )
    return select(best.c.lead_id, best.c.project_id, best.c.username, best.c.full_name).order_by(best.c.lead_id)
