"""Reads what Clay has of given leads, with the push job that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.eligibility import as_sql, is_in_clay, is_maybe_in_clay, is_queued
from clay_push_service.deliveries.table import LOG
from clay_push_service.destinations.clay_table import ClayTable


class ClayState(StrEnum):
    """What Clay has of a lead."""

    NEVER = "never"
    QUEUED = "queued"
    """A live delivery to this destination exists, in any push job."""
    IN_CLAY = "in_clay"
    """Clay accepted it for the current Clay table."""
    CHANGED = "changed"
    """In Clay, and the lead has changed since."""
    MAYBE_IN_CLAY = "maybe_in_clay"
    """A delivery or an attempt ended without a clear response."""
    FAILED = "failed"
    """Clay did not accept it."""
    ERASED = "erased"
    EXCLUDED = "excluded"
    """An exclusion of the organization keeps it from Clay, and Clay has nothing of it."""


@dataclass(frozen=True, slots=True)
class LeadState:
    """What Clay has of one lead, and the push job that shows it. Never `changed` or `erased`: see `changed_leads`."""

    state: ClayState
    job_id: UUID | None
    pushed_at: datetime | None
    """When Clay last accepted it for this Clay table."""
    in_clay: bool
    """True also while the lead is queued again."""
    confirmed_at: datetime | None
    """When a result from Clay first named that delivery."""


def _newest(columns: str, condition: str, name: str) -> str:
    """The newest delivery of a lead for this Clay table that meets the condition."""
    return f"""LEFT JOIN LATERAL (SELECT {columns} FROM clay.clay_push_log
    WHERE org_id = :org_id AND contributor_id = lead.id AND {condition} AND destination_id = :destination_id AND table_epoch = :table_epoch
    ORDER BY seq DESC LIMIT 1) AS {name} ON true"""


class _LeadJobs(NamedTuple):
    """The newest push job of a lead for each state; null where it has none."""

    id: UUID
    live_job_id: UUID | None
    success_job_id: UUID | None
    pushed_at: datetime | None
    confirmed_at: datetime | None
    unsure_job_id: UUID | None
    last_job_id: UUID | None
    tried_job_id: UUID | None


STATES = Statement(
    f"""
SELECT lead.id,
       live.job_id AS live_job_id,
       success.job_id AS success_job_id, success.pushed_at, success.confirmed_at,
       unsure.job_id AS unsure_job_id, last.job_id AS last_job_id, tried.job_id AS tried_job_id
FROM unnest(CAST(:lead_ids AS uuid[])) AS lead (id)
LEFT JOIN LATERAL (SELECT job_id FROM clay.clay_push_log
    WHERE org_id = :org_id AND destination_id = :destination_id AND contributor_id = lead.id AND {as_sql(is_queued(LOG))} LIMIT 1) AS live ON true
{_newest("job_id, pushed_at, confirmed_at", as_sql(is_in_clay(LOG)), "success")}
{_newest("job_id", as_sql(is_maybe_in_clay(LOG)), "unsure")}
{_newest("job_id", "status IN ('success', 'failed')", "last")}
{_newest("job_id", "uncertain_attempts > 0", "tried")}
""",
    _LeadJobs,
)


async def read_lead_states(
    connection: AsyncConnection, org_id: UUID, lead_ids: Sequence[UUID], clay_table: ClayTable
) -> dict[UUID, LeadState]:
    """One entry for each of `lead_ids`."""
    values = {"org_id": org_id, "lead_ids": list(lead_ids), "destination_id": clay_table.destination_id,
              "table_epoch": clay_table.epoch}  # fmt: skip
    found: dict[UUID, LeadState] = {}
    for row in await STATES.rows(connection, values):
        # First match. A lead cancelled after a 5xx was sent, so the last case is `maybe_in_clay`, and not `never`.
        cases = (
            (ClayState.QUEUED, row.live_job_id),
            (ClayState.IN_CLAY, row.success_job_id),
            (ClayState.MAYBE_IN_CLAY, row.unsure_job_id),
            (ClayState.FAILED, row.last_job_id),
            (ClayState.MAYBE_IN_CLAY, row.tried_job_id),
        )
        shown = [(state, job_id) for state, job_id in cases if job_id is not None]
        state, job_id = shown[0] if shown else (ClayState.NEVER, None)
        found[row.id] = LeadState(state, job_id, row.pushed_at, row.success_job_id is not None, row.confirmed_at)
    return found
