"""Previews an auto-export rule: the leads that it would push now, and the clause that excludes each other lead."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Numeric, Uuid, case, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service import pagination
from clay_push_service.automation.rule import read_rule
from clay_push_service.automation.rule_selection import MESSAGES, Clause, apply_rule
from clay_push_service.automation.run import Blocked, destination_or_block
from clay_push_service.automation.schemas import LeftOut, PreviewedLead, RulePreview, RuleView
from clay_push_service.database.statement import select_rows
from clay_push_service.destinations.clay_table import NO_TABLE
from clay_push_service.destinations.read import destination_view
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.selection import require_project

FIRST, LAST = 0, 1
"""Leads that would be pushed come before excluded leads."""
NO_SCORE = Decimal(-1)
"""For ordering a page only: lower than every score and, unlike null, comparable."""


async def preview_rule(service: PushService, project_id: UUID, *, after: str | None, limit: int) -> RulePreview:
    """Raises 404 `project_not_found`."""
    org_id = service.actor.org_id
    await require_project(service.connection, service.tables, org_id, project_id)
    stored = await read_rule(service.connection, service.tables, org_id, project_id)
    destination = await destination_or_block(
        service.connection, service.tables, org_id, stored.rule, service.settings, lock=False
    )
    view = await destination_view(service.connection, org_id)
    judged = apply_rule(service.tables, org_id, project_id, stored.rule, view.clay_table if view else NO_TABLE)
    counts = await _counts(service.connection, judged)
    page, more = await _page(service.connection, judged, after, limit)
    return RulePreview(
        rule=RuleView.of(project_id, stored),
        blocked=destination.outcome if isinstance(destination, Blocked) else None,
        message=destination.message if isinstance(destination, Blocked) else None,
        lead_count=sum(counts.values()),
        to_send=counts.get(None, 0),
        left_out=[
            LeftOut(clause=clause, count=counts[clause], message=MESSAGES[clause])
            for clause in Clause
            if clause in counts
        ],
        leads=[
            PreviewedLead(
                id=row.lead_id,
                username=row.username,
                full_name=row.full_name,
                overall_score=None if row.overall_score is None else float(row.overall_score),
                classification=row.classification,
                left_out_by=None if row.clause is None else Clause(row.clause),
            )
            for row in page
        ],
        next_cursor=more,
    )


class _ClauseCount(NamedTuple):
    clause: str | None
    leads: int


async def _counts(connection: AsyncConnection, judged: CTE) -> dict[Clause | None, int]:
    query = select(judged.c.clause, func.count().label("leads")).group_by(judged.c.clause)
    rows = await select_rows(connection, query, _ClauseCount)
    return {None if row.clause is None else Clause(row.clause): row.leads for row in rows}


class _JudgedLead(NamedTuple):
    lead_id: UUID
    project_id: UUID
    username: str | None
    full_name: str | None
    overall_score: Decimal | None
    classification: str | None
    clause: str | None
    group: int
    rank: Decimal


async def _page(
    connection: AsyncConnection, judged: CTE, after: str | None, limit: int
) -> tuple[Sequence[_JudgedLead], str | None]:
    group = case((judged.c.clause.is_(None), FIRST), else_=LAST)
    # Negated, so that best first is ascending, as the row comparison needs.
    rank = -func.coalesce(judged.c.overall_score, literal(NO_SCORE, Numeric()))
    keys = (group, rank, judged.c.lead_id)
    statement = select(judged, group.label("group"), rank.label("rank")).order_by(*keys).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(*keys) > tuple_(*_position(after)))
    rows = await select_rows(connection, statement, _JudgedLead)
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    last = page[-1]
    return page, pagination.encode(last.group, str(last.rank), str(last.lead_id))


def _position(after: str) -> tuple[ColumnElement[int], ColumnElement[Decimal], ColumnElement[UUID]]:
    group, rank, lead_id = pagination.decode(after, 3)
    number, found = pagination.number(rank), pagination.identifier(lead_id)
    if group not in {FIRST, LAST}:
        raise pagination.invalid()
    return literal(pagination.serial(group), Integer()), literal(number, Numeric()), literal(found, Uuid())
