"""Pushes the leads that a rule selects to the Clay tables that routes choose. Auto-export and schedules share it.

A route with `stay` sends no lead that is in any table of the organization: Clay deletes no row, so a lead whose score moves
it to another segment would be billed twice. A route with `follow` looks at its own table only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service.automation.push_new import Blocked, BlockReason, push_new
from clay_push_service.automation.quota_left import leads_are
from clay_push_service.automation.routed_plan import Candidates, PlannedTable, RoutedPlan, plan_routed
from clay_push_service.automation.rule import Rule
from clay_push_service.automation.rule_selection import apply_rule
from clay_push_service.callers.actor import Actor
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destinations.clay_table import NO_TABLE
from clay_push_service.errors import ForbiddenError
from clay_push_service.gate import require_available
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import AcceptedJob
from clay_push_service.push_jobs.schemas import MAX_LEADS
from clay_push_service.push_jobs.targets.choose import lock_destinations
from clay_push_service.routing.routes import Routes, read_routes
from clay_push_service.settings import Settings


@dataclass(frozen=True, slots=True)
class RoutedPush:
    """What a push did, table by table."""

    plan: RoutedPlan
    """With the numbers of leads that were queued."""
    jobs: Sequence[AcceptedJob]

    @property
    def lead_count(self) -> int:
        return sum(job.to_send for job in self.jobs)


async def lock_and_read_routes(connection: AsyncConnection, org_id: UUID, project_id: UUID) -> Routes | None:
    """Returns the routes if they apply to the project, else None. Locks, so that of two automatic pushes the second sees the first one's leads."""
    if await routes_of(connection, org_id, project_id) is None:
        return None
    await lock_destinations(connection, org_id, anywhere=True)
    return await read_routes(connection, org_id)


async def routes_of(connection: AsyncConnection, org_id: UUID, project_id: UUID) -> Routes | None:
    """Returns the routes if they apply to the project, else None. Locks nothing, for a preview."""
    routes = await read_routes(connection, org_id)
    return routes if routes.of(project_id) else None


async def evaluate_candidates(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    rule: Rule,
    filters: LeadCriteria | None = None,
) -> CTE:
    """Returns all leads of the project with their clauses. Ignores what Clay already has, because that depends on the table that a route chooses."""
    excluding = await read_excluding(connection, org_id)
    return apply_rule(tables, org_id, project_id, rule, NO_TABLE, excluding, filters)


async def push_routed(
    connection: AsyncConnection,
    tables: HostTables,
    actor: Actor,
    settings: Settings,
    candidates: Candidates,
    routes: Routes,
    held_message: str,
    most: int = MAX_LEADS,
) -> Blocked | RoutedPush:
    """Creates one push job for each table with leads to send. Returns Blocked if the organization may not use Clay.

    `held_message`: the message of RESULTS_MISSING. The routes must be locked.
    """
    blocked = await gate_block(connection, tables, actor.org_id, settings)
    if blocked is not None:
        return blocked
    plan = await plan_routed(connection, tables, actor.org_id, candidates, routes, held_message, most)
    jobs: list[AcceptedJob] = []
    pushed: list[PlannedTable] = []
    for each in plan.tables:
        job = None
        if each.destination is not None and each.to_send:
            job = await push_new(connection, tables, actor, each.destination, each.selection)
        if job is not None:
            jobs.append(job)
        # A push by hand that was accepted at the same time may have queued some of the leads since the plan was made.
        pushed.append(replace(each, to_send=0 if job is None else job.to_send))
    return RoutedPush(replace(plan, tables=pushed), jobs)


async def gate_block(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings
) -> Blocked | None:
    try:
        await require_available(
            connection, tables, org_id, billing_enabled=settings.billing_enabled, upgrade_url=settings.upgrade_url
        )
    except ForbiddenError as error:
        return Blocked(BlockReason(error.code), error.detail)
    return None


def describe_result(queued: str, plan: RoutedPlan) -> str:
    """Adds to `queued`, the sentence about the pushed leads, those about leads that wait."""
    return " ".join(([queued] if plan.to_send else []) + [describe_table(each) for each in plan.blocked])


def describe_table(table: PlannedTable) -> str:
    """Describes the result for one table, for the history of runs and the preview."""
    if table.blocked is not None:
        return f"{leads_are(table.waiting)} waiting. {table.blocked.message}"
    if table.to_send:
        return queued_message(table.to_send)
    if table.waiting:
        return (
            f"{leads_are(table.waiting)} waiting, because another table of theirs takes none now, or for a later run."
        )
    return "No new lead goes to this table."


def queued_message(count: int) -> str:
    return f"{leads_are(count)} being pushed to Clay."
