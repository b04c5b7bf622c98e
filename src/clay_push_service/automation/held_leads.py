"""Reads what the Clay tables of an organization have of leads, for automatic pushes through routes."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, bindparam, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.automation.rule_selection import Clause
from clay_push_service.database.statement import select_rows
from clay_push_service.deliveries.eligibility import (
    FINAL_CAUSES,
    is_for_any,
    is_in_clay,
    is_maybe_in_clay,
    is_not_sent,
    is_queued,
)
from clay_push_service.deliveries.table import LOG


class HeldLead(NamedTuple):
    """What one table has of one lead."""

    lead_id: UUID
    destination_id: UUID
    in_clay: bool
    queued: bool
    maybe_in_clay: bool
    """All three false: its last push there failed with a final cause."""

    @property
    def has_row(self) -> bool:
        return self.in_clay or self.queued or self.maybe_in_clay

    @property
    def clause(self) -> Clause:
        if self.in_clay:
            return Clause.ALREADY_IN_CLAY
        if self.queued:
            return Clause.ALREADY_QUEUED
        return Clause.MAYBE_IN_CLAY if self.maybe_in_clay else Clause.FAILED_BEFORE


def _any(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return func.coalesce(func.bool_or(condition), literal(False))


async def read_held(
    connection: AsyncConnection, org_id: UUID, lead_ids: Collection[UUID]
) -> Mapping[UUID, Sequence[HeldLead]]:
    """Returns, by lead, what each present table of the organization has of it."""
    ids = func.unnest(bindparam("lead_ids", list(lead_ids), type_=ARRAY(Uuid())))
    failed = and_(is_not_sent(LOG), LOG.c.cause.in_([cause.value for cause in FINAL_CAUSES]))
    in_clay, queued, maybe_in_clay = is_in_clay(LOG), is_queued(LOG), is_maybe_in_clay(LOG)
    query = (
        select(
            LOG.c.contributor_id.label("lead_id"),
            LOG.c.destination_id,
            _any(in_clay).label("in_clay"),
            _any(queued).label("queued"),
            _any(maybe_in_clay).label("maybe_in_clay"),
        )
        .where(
            LOG.c.org_id == org_id, LOG.c.contributor_id.in_(select(ids)),
            or_(queued, is_for_any(LOG, org_id)), or_(in_clay, queued, maybe_in_clay, failed),
        )
        .group_by(LOG.c.contributor_id, LOG.c.destination_id)
    )  # fmt: skip
    found: dict[UUID, list[HeldLead]] = {}
    for row in await select_rows(connection, query, HeldLead):
        found.setdefault(row.lead_id, []).append(row)
    return found
