"""SQL that starts enrichment items, holds them and queues them again. Callers lock the items' jobs first (see `counters`).

`new_jobs` inserts items, `item_ends` ends them; no other module changes them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.budget import Reservation


class DueItem(NamedTuple):
    id: UUID
    job_id: UUID
    lead_id: UUID
    project_id: UUID
    run_id: UUID | None


class NextQueued(NamedTuple):
    kind: str
    wait: timedelta
    """Time until the item is due."""


NEXT_QUEUED = Statement(
    """
SELECT kind, greatest(due_at - clock_timestamp(), interval '0') AS wait FROM clay.enrichment_items
WHERE org_id = :org_id AND state = 'queued' AND way = 'routine'
ORDER BY greatest(due_at, now()), seq LIMIT 1
""",
    NextQueued,
)
TAKE_DUE = Statement(
    """
SELECT id, job_id, lead_id, project_id, run_id FROM clay.enrichment_items
WHERE org_id = :org_id AND state = 'queued' AND way = 'routine' AND kind = :kind AND due_at <= now()
  AND job_id = ANY(CAST(:job_ids AS uuid[]))
ORDER BY seq LIMIT :rows FOR UPDATE SKIP LOCKED
""",
    DueItem,
)
START = Statement("""
UPDATE clay.enrichment_items
SET state = 'starting', run_id = :run_id, credits = :credits, actions = :actions, cost_basis = 'reserved', started_at = now()
WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[])) AND state = 'queued'
""")
REQUEST = Statement("""
UPDATE clay.enrichment_items SET state = 'requested', deadline_at = :deadline_at, throttled_at = NULL
WHERE org_id = :org_id AND run_id = :run_id AND state IN ('starting', 'held')
""")
HOLD = Statement("""
UPDATE clay.enrichment_items SET state = 'held', deadline_at = :deadline_at
WHERE org_id = :org_id AND run_id = :run_id AND state = 'starting'
""")
# Nothing reached Clay: the item waits again, and its reservation is released.
RETURN = Statement("""
UPDATE clay.enrichment_items
SET state = 'queued', run_id = NULL, due_at = now() + CAST(:delay AS interval), attempts = attempts + :attempts,
    throttled_at = CASE WHEN :throttled THEN coalesce(throttled_at, now()) END,
    credits = 0, actions = 0, cost_basis = 'none', started_at = NULL
WHERE org_id = :org_id AND run_id = :run_id AND state = 'starting'
""")


async def next_queued(connection: AsyncConnection, org_id: UUID) -> NextQueued | None:
    """The queued item (way `routine`) that is due first."""
    return await NEXT_QUEUED.one_or_none(connection, {"org_id": org_id})


async def take_due(
    connection: AsyncConnection, org_id: UUID, kind: str, job_ids: Sequence[UUID], rows: int
) -> Sequence[DueItem]:
    """Lock up to `rows` queued items that are due, oldest first, of locked jobs. Never waits for an item."""
    return await TAKE_DUE.rows(connection, {"org_id": org_id, "kind": kind, "job_ids": list(job_ids), "rows": rows})


async def start_items(
    connection: AsyncConnection, org_id: UUID, run_id: UUID, item_ids: Sequence[UUID], reservation: Reservation
) -> None:
    """Marks items as starting, with their reservation. Commit before any byte is sent."""
    values = {
        "org_id": org_id, "run_id": run_id, "ids": list(item_ids), "credits": reservation.credits,
        "actions": reservation.actions,
    }  # fmt: skip
    await START.execute(connection, values)


async def request_items(connection: AsyncConnection, org_id: UUID, run_id: UUID, deadline_at: datetime) -> None:
    await REQUEST.execute(connection, {"org_id": org_id, "run_id": run_id, "deadline_at": deadline_at})


async def hold_items(connection: AsyncConnection, org_id: UUID, run_id: UUID, deadline_at: datetime) -> None:
    await HOLD.execute(connection, {"org_id": org_id, "run_id": run_id, "deadline_at": deadline_at})


async def return_items(
    connection: AsyncConnection,
    org_id: UUID,
    run_id: UUID,
    *,
    delay: timedelta,
    uses_attempt: bool = False,
    is_throttled: bool = False,
) -> None:
    """Queues the items of a run again, if the run did not reach Clay."""
    values = {
        "org_id": org_id, "run_id": run_id, "delay": delay, "attempts": int(uses_attempt), "throttled": is_throttled,
    }  # fmt: skip
    await RETURN.execute(connection, values)


class RunItemRow(NamedTuple):
    """A live item of a run."""

    id: UUID
    job_id: UUID
    lead_id: UUID
    state: str
    attempts: int
    throttled_at: datetime | None
    credits: Decimal
    actions: Decimal


ITEMS_OF_RUN = Statement(
    """
SELECT id, job_id, lead_id, state, attempts, throttled_at, credits, actions FROM clay.enrichment_items
WHERE org_id = :org_id AND run_id = :run_id AND state <> 'done' ORDER BY seq
""",
    RunItemRow,
)


async def items_of_run(connection: AsyncConnection, org_id: UUID, run_id: UUID) -> Sequence[RunItemRow]:
    return await ITEMS_OF_RUN.rows(connection, {"org_id": org_id, "run_id": run_id})
