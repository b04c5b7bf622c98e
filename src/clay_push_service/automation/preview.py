"""What a project's rule would push now, and the clause that leaves each other lead out; nothing is queued."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Numeric, Row, Uuid, case, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service import pagination as cursor
from clay_push_service.automation.choose import MESSAGES, Clause, judged
from clay_push_service.automation.rule import read_rule
from clay_push_service.automation.run import Blocked, blocked
from clay_push_service.automation.schemas import LeftOut, PreviewedLead, RulePreview, RuleView
from clay_push_service.destinations.read import destination_view
from clay_push_service.push_jobs.accept import require_project
from clay_push_service.push_jobs.push_service import PushService

FIRST, LAST = 0, 1
"""Those that would be pushed come before those that are left out."""
NO_SCORE = Decimal(-1)
"""In the order of a page only: below every score, and comparable, which null is not."""


async def preview_rule(service: PushService, project_id: UUID, *, after: str | None, limit: int) -> RulePreview:
    """Raises 404 `project_not_found`."""
    org_id = service.actor.org_id
    await require_project(service.connection, service.tables, org_id, project_id)
    kept = await read_rule(service.connection, service.tables, org_id, project_id)
    found = await blocked(service.connection, service.tables, org_id, kept.rule, service.settings)
    view = await destination_view(service.connection, org_id)
    everyone = judged(service.tables, org_id, project_id, kept.rule, view.table_epoch if view else 1)
    counts = await _counts(service.connection, everyone)
    page, more = await _page(service.connection, everyone, after, limit)
    return RulePreview(
        rule=RuleView.of(project_id, kept),
        blocked=found.outcome if isinstance(found, Blocked) else None,
        message=found.message if isinstance(found, Blocked) else None,
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


async def _counts(connection: AsyncConnection, everyone: CTE) -> dict[Clause | None, int]:
    rows = await connection.execute(select(everyone.c.clause, func.count()).group_by(everyone.c.clause))
    return {None if clause is None else Clause(clause): count for clause, count in rows}


async def _page(
    connection: AsyncConnection, everyone: CTE, after: str | None, limit: int
) -> tuple[Sequence[Row[Any]], str | None]:
    place = case((everyone.c.clause.is_(None), FIRST), else_=LAST)
    # The minus turns best first into the order of a row comparison.
    rank = -func.coalesce(everyone.c.overall_score, literal(NO_SCORE, Numeric()))
    keys = (place, rank, everyone.c.lead_id)
    statement = select(everyone, place.label("place"), rank.label("rank")).order_by(*keys).limit(limit + 1)
    if after is not None:
        statement = statement.where(tuple_(*keys) > tuple_(*_position(after)))
    rows = (await connection.execute(statement)).all()
    page = rows[:limit]
    if len(rows) <= limit:
        return page, None
    last = page[-1]
    return page, cursor.encode(last.place, str(last.rank), str(last.lead_id))


def _position(after: str) -> tuple[ColumnElement[int], ColumnElement[Decimal], ColumnElement[UUID]]:
    place, rank, lead_id = cursor.decode(after, 3)
    number, found = cursor.number(rank), cursor.identifier(lead_id)
    if place not in {FIRST, LAST}:
        raise cursor.invalid()
    return literal(cursor.serial(place), Integer()), literal(number, Numeric()), literal(found, Uuid())
