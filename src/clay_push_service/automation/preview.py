"""Previews an auto-export rule: the leads that it would push now, and the clause that excludes each other lead.

With routes that decide for the project, each lead is compared with the table of its route, as the run does.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, column, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service.automation.evaluated_leads import EvaluatedLead, count_clauses, read_evaluation
from clay_push_service.automation.push_routed import describe_table, gate_block, routes_of
from clay_push_service.automation.routed_plan import PlannedTable, RoutedPlan, plan_routed
from clay_push_service.automation.rule import Rule, read_rule
from clay_push_service.automation.rule_selection import MESSAGES, Clause, apply_rule
from clay_push_service.automation.run import (
    HELD_MESSAGE,
    OFF_MESSAGE,
    RuleBlocked,
    RunOutcome,
    destination_of_rule,
    rule_candidates,
)
from clay_push_service.automation.schemas import LeftOut, PreviewedLead, RulePreview, RuleView, TablePreview
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destinations.clay_table import NO_TABLE
from clay_push_service.destinations.read import destination_view
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.schemas import MAX_LEADS
from clay_push_service.push_jobs.selection import require_project
from clay_push_service.routing.routes import Routes


class _Previewed(NamedTuple):
    evaluated: CTE
    blocked: RuleBlocked | None
    plan: RoutedPlan | None
    """None: routes do not decide."""


async def preview_rule(service: PushService, project_id: UUID, *, after: str | None, limit: int) -> RulePreview:
    """Raises 404 `project_not_found`."""
    connection, org_id = service.connection, service.actor.org_id
    name = await require_project(connection, service.tables, org_id, project_id)
    stored = await read_rule(connection, service.tables, org_id, project_id)
    routes = await routes_of(connection, org_id, project_id)
    if routes is None:
        seen = await _preview_one_table(service, project_id, stored.rule)
    else:
        seen = await _preview_routed(service, project_id, name, stored.rule, routes)
    found = await read_evaluation(connection, seen.evaluated, after, limit)
    counts = found.counts
    return RulePreview(
        rule=RuleView.of(project_id, stored),
        blocked=seen.blocked.outcome if seen.blocked else None,
        message=seen.blocked.message if seen.blocked else None,
        lead_count=sum(counts.values()),
        to_send=counts.get(None, 0) if seen.plan is None else seen.plan.to_send,
        left_out=left_out_leads(counts),
        destinations=None if seen.plan is None else preview_tables(seen.plan.tables),
        leads=[_previewed_lead(each) for each in found.page],
        next_cursor=found.next_cursor,
    )


async def _preview_one_table(service: PushService, project_id: UUID, rule: Rule) -> _Previewed:
    connection, tables, org_id = service.connection, service.tables, service.actor.org_id
    destination = await destination_of_rule(connection, tables, org_id, rule, service.settings, lock=False)
    view = await destination_view(connection, org_id)
    excluding = await read_excluding(connection, org_id)
    evaluated = apply_rule(tables, org_id, project_id, rule, view.clay_table if view else NO_TABLE, excluding)
    return _Previewed(evaluated, destination if isinstance(destination, RuleBlocked) else None, None)


async def _preview_routed(
    service: PushService, project_id: UUID, name: str | None, rule: Rule, routes: Routes
) -> _Previewed:
    connection, tables, org_id = service.connection, service.tables, service.actor.org_id
    candidates = await rule_candidates(connection, tables, org_id, project_id, name, rule)
    plan = await plan_routed(connection, tables, org_id, candidates, routes, HELD_MESSAGE, MAX_LEADS)
    gate = await gate_block(connection, tables, org_id, service.settings)
    blocked: RuleBlocked | None = None
    if not rule.enabled:
        blocked = RuleBlocked(RunOutcome.OFF, OFF_MESSAGE)
    elif gate is not None:
        blocked = RuleBlocked(RunOutcome(gate.reason), gate.message)
    elif not plan.to_send:
        found = [each for each in plan.blocked if each.blocked is not None]
        if found and found[0].blocked is not None:
            message = " ".join(describe_table(each) for each in found)
            blocked = RuleBlocked(RunOutcome(found[0].blocked.reason), message)
    return _Previewed(with_routed_clauses(candidates.evaluated, plan.clauses), blocked, plan)


def with_routed_clauses(evaluated: CTE, clauses: Mapping[UUID, Clause]) -> CTE:
    """Adds to the evaluated leads the reasons for which routes or their tables leave out leads that pass the rule."""
    routed = (
        func.unnest(
            bindparam("routed_ids", list(clauses), type_=ARRAY(Uuid()), unique=True),
            bindparam("routed_clauses", [each.value for each in clauses.values()], type_=ARRAY(Text()), unique=True),
        )
        .table_valued(column("lead_id", Uuid()), column("clause", Text()), name="routed")
        .render_derived()
    )
    others = [each for each in evaluated.c if each.name != "clause"]
    clause = func.coalesce(evaluated.c.clause, routed.c.clause).label("clause")
    return (
        select(*others, clause).join_from(evaluated, routed, routed.c.lead_id == evaluated.c.lead_id, isouter=True)
    ).cte("routed_rule")


def preview_tables(planned: Sequence[PlannedTable]) -> list[TablePreview]:
    return [
        TablePreview(
            destination=each.ref,
            blocked=None if each.blocked is None else RunOutcome(each.blocked.reason),
            message=describe_table(each),
            to_send=each.to_send,
            waiting=each.waiting,
            left_out=left_out_leads(each.left_out),
        )
        for each in planned
    ]


def _previewed_lead(row: EvaluatedLead) -> PreviewedLead:
    return PreviewedLead(
        id=row.lead_id,
        username=row.username,
        full_name=row.full_name,
        overall_score=None if row.overall_score is None else float(row.overall_score),
        classification=row.classification,
        left_out_by=None if row.clause is None else Clause(row.clause),
    )


def left_out_leads(counts: Mapping[Clause, int] | Mapping[str | None, int]) -> list[LeftOut]:
    found = {str(clause): count for clause, count in counts.items() if clause is not None}
    return [
        LeftOut(clause=clause, count=found[clause], message=MESSAGES[clause]) for clause in Clause if clause in found
    ]


async def count_routed(connection: AsyncConnection, evaluated: CTE, plan: RoutedPlan) -> Mapping[str | None, int]:
    """Counts the leads of the project by the reason why they go to no table; under None, those that go to one now or later."""
    return await count_clauses(connection, with_routed_clauses(evaluated, plan.clauses))
