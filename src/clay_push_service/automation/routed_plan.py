"""Plans an automatic push through routes: which leads go to each Clay table now, and why others do not. Queues nothing.

A run and its preview use the same plan. A table that takes no leads now does not stop the others. A lead that also goes to such a
table by a route with `stay` waits as a whole: once it is in one table, no automatic push sends it to another.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service.automation.held_leads import HeldLead, read_held
from clay_push_service.automation.push_new import Blocked, BlockReason, check_destination
from clay_push_service.automation.quota_left import quota_message, read_quota_left
from clay_push_service.automation.rule_selection import Clause, select_passed
from clay_push_service.database.statement import select_rows
from clay_push_service.destinations.read import destination_views
from clay_push_service.host.leads import RoutedLead, select_routed
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.push_jobs.targets.choose import Destination
from clay_push_service.push_jobs.targets.divide import Share, divide
from clay_push_service.push_jobs.views import DestinationRef
from clay_push_service.routing.route_leads import RoutedGroup
from clay_push_service.routing.routes import MovePolicy, Routes
from clay_push_service.states import PushMode

MOST_CANDIDATES = 1_000_000
"""More than a project has. The limit of a push counts what is sent, not what is in Clay already."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """All leads of a project with the clause that excludes each, and the selection of those that pass.

    What Clay has of them depends on the table that a route chooses, so no clause is about that.
    """

    evaluated: CTE
    selection: Selection


@dataclass(frozen=True, slots=True)
class PlannedTable:
    """What a push does with one Clay table."""

    ref: DestinationRef
    destination: Destination | None
    """None: it takes no leads now, and `blocked` is the reason."""
    blocked: Blocked | None
    selection: Selection
    to_send: int
    waiting: int
    """Leads that pass and are not sent: this table or another one of theirs takes none now, or the push has its limit."""
    left_out: Mapping[Clause, int]


@dataclass(frozen=True, slots=True)
class RoutedPlan:
    tables: Sequence[PlannedTable]
    clauses: Mapping[UUID, Clause]
    """Leads that pass the rule and go to no table, now or later, with the first reason."""

    @property
    def to_send(self) -> int:
        return sum(each.to_send for each in self.tables)

    @property
    def blocked(self) -> Sequence[PlannedTable]:
        """The tables that keep leads waiting, the most leads first."""
        found = [each for each in self.tables if each.blocked is not None]
        return sorted(found, key=lambda each: -each.waiting)


@dataclass(slots=True)
class _Table:
    """The leads that routes choose for one table."""

    id: UUID
    share: Share
    sendable: dict[UUID, RoutedGroup] = field(default_factory=dict)
    left_out: Counter[Clause] = field(default_factory=Counter)
    destination: Destination | None = None
    blocked: Blocked | None = None


async def plan_routed(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    candidates: Candidates,
    routes: Routes,
    held_message: str,
    most: int,
) -> RoutedPlan:
    """Plans one push. `held_message`: the message of RESULTS_MISSING. `most`: the leads of one push, the best first."""
    shares = await divide(connection, tables, org_id, candidates.selection, routes)
    lead_ids = {lead_id for share in shares for group in share.groups for lead_id in group.lead_ids}
    history = await read_held(connection, org_id, lead_ids)
    clauses: dict[UUID, Clause] = {}
    chosen = _evaluate(shares, history, clauses)
    for table in chosen:
        for lead_id in table.sendable:
            clauses.pop(lead_id, None)
        if table.sendable:
            await _check(connection, org_id, table, held_message)
    leads = await _best(connection, candidates, _ready(chosen), most)
    # Leads of a table with too little quota do not use up `most`: the best leads of the other tables are chosen again.
    while await _block_by_quotas(connection, org_id, chosen, leads):
        leads = await _best(connection, candidates, _ready(chosen), most)
    names = {view.id: view.name for view in await destination_views(connection, org_id)}
    planned = [_planned(tables, table, leads, names.get(table.id, "")) for table in chosen]
    return RoutedPlan(planned, clauses)


def _evaluate(
    shares: Sequence[Share], history: Mapping[UUID, Sequence[HeldLead]], clauses: dict[UUID, Clause]
) -> list[_Table]:
    """Returns the tables of the routes. Adds to `clauses` the first reason for each lead that is left out."""
    found: list[_Table] = []
    for share in shares:
        table: _Table | None = None
        for group in share.groups:
            if group.route is None or group.destination_id is None:
                reason = Clause.EXCLUDED if group.is_suppressed else Clause.NO_ROUTE
                clauses.update(dict.fromkeys(group.lead_ids, reason))
                continue
            if table is None:
                table = _Table(group.destination_id, share)
                found.append(table)
            stays = group.route.on_move is MovePolicy.STAY
            for lead_id in group.lead_ids:
                clause = _clause(history.get(lead_id, ()), group.destination_id, stays=stays)
                if clause is None:
                    table.sendable[lead_id] = group
                else:
                    table.left_out[clause] += 1
                    clauses.setdefault(lead_id, clause)
    return found


def _clause(history: Sequence[HeldLead], destination_id: UUID, *, stays: bool) -> Clause | None:
    for each in history:
        if each.destination_id == destination_id:
            return each.clause
    return Clause.IN_ANOTHER_TABLE if stays and any(each.has_row for each in history) else None


async def _check(connection: AsyncConnection, org_id: UUID, table: _Table, held_message: str) -> None:
    found = await check_destination(
        connection, org_id, table.share.destination_id, held_message, lock=False, named=True
    )
    if isinstance(found, Blocked):
        table.blocked = found
        return
    table.destination = found
    left = await read_quota_left(connection, org_id, found.version_id)
    if left is not None and left <= 0:
        _block_by_quota(table, len(table.sendable), left)


async def _block_by_quotas(
    connection: AsyncConnection, org_id: UUID, chosen: Sequence[_Table], leads: Collection[UUID]
) -> bool:
    """Blocks each table whose quota is too small for its leads. Returns whether it has blocked one."""
    has_blocked = False
    for table in chosen:
        count = sum(lead_id in leads for lead_id in table.sendable)
        if table.destination is None or not count:
            continue
        left = await read_quota_left(connection, org_id, table.destination.version_id)
        if left is not None and left < count:
            _block_by_quota(table, count, left)
            has_blocked = True
    return has_blocked


def _block_by_quota(table: _Table, count: int, left: int) -> None:
    name = "" if table.destination is None else table.destination.name
    table.blocked = Blocked(BlockReason.QUOTA_EXHAUSTED, f"The Clay table “{name}”: {quota_message(count, left)}")
    table.destination = None


def _ready(chosen: Sequence[_Table]) -> set[UUID]:
    """Returns the leads that a push may send now: to all of their tables, or by routes that ignore the other tables."""
    waiting = {
        lead_id
        for table in chosen
        if table.blocked is not None
        for lead_id, group in table.sendable.items()
        if group.route is not None and group.route.on_move is MovePolicy.STAY
    }
    return {lead_id for table in chosen if table.blocked is None for lead_id in table.sendable} - waiting


async def _best(connection: AsyncConnection, candidates: Candidates, leads: set[UUID], most: int) -> set[UUID]:
    """Returns up to `most` of the leads, by score."""
    if len(leads) <= most:
        return leads
    evaluated = candidates.evaluated
    ranked = (
        select(evaluated.c.lead_id)
        .where(evaluated.c.clause.is_(None))
        .order_by(evaluated.c.overall_score.desc().nulls_last(), evaluated.c.lead_id)
    )
    best = [each for each in await select_rows(connection, ranked, UUID) if each in leads]
    return set(best[:most])


def _planned(tables: HostTables, table: _Table, leads: Collection[UUID], name: str) -> PlannedTable:
    rows = [
        RoutedLead(lead_id, group.project_id, group.route.id if group.route else None, is_routed=True)
        for lead_id, group in sorted(table.sendable.items())
        if table.blocked is None and lead_id in leads
    ]
    return PlannedTable(
        DestinationRef(id=table.id, name=name),
        table.destination,
        table.blocked,
        replace(table.share.selection, leads=select_routed(tables, rows)),
        len(rows),
        len(table.sendable) - len(rows),
        table.left_out,
    )


def passing_candidates(
    evaluated: CTE, push_mode: PushMode, projects: Mapping[UUID, str | None], filters_json: str
) -> Candidates:
    """Returns the leads of one project that no clause excludes."""
    leads = select_passed(evaluated, MOST_CANDIDATES)
    return Candidates(evaluated, Selection(push_mode, leads, projects, filters_json=filters_json))
