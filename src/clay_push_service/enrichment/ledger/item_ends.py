"""SQL that ends enrichment items. Callers lock the items' jobs first (see `counters`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import metrics
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import recount
from clay_push_service.enrichment.ledger.run_rows import end_runs_without_items
from clay_push_service.enrichment.ledger.states import CostSource, ItemOutcome, ItemState


@dataclass(frozen=True, slots=True)
class ItemEnd:
    """How an item ends. Its costs are unchanged if `credits` is None."""

    id: UUID
    outcome: ItemOutcome
    cause: ItemCause | None = None
    missing: Sequence[str] = ()
    found: Sequence[str] = ()
    not_found: Sequence[str] = ()
    credits: Decimal | None = None
    actions: Decimal | None = None
    cost_basis: CostSource | None = None


FREE = (Decimal(0), Decimal(0), CostSource.NONE)
"""The costs of an item that Clay refused or did not receive."""


class ChangedItem(NamedTuple):
    """The job and the run of a changed item."""

    id: UUID
    job_id: UUID
    run_id: UUID | None


END = Statement(
    """
UPDATE clay.enrichment_items AS item
SET state = 'done', outcome = done.outcome, cause = done.cause, missing = string_to_array(done.missing, ','),
    found = string_to_array(done.found, ','), not_found = string_to_array(done.not_found, ','), finished_at = now(),
    credits = coalesce(done.credits, item.credits), actions = coalesce(done.actions, item.actions),
    cost_basis = coalesce(done.cost_basis, item.cost_basis)
FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:causes AS text[]), CAST(:missing AS text[]),
            CAST(:found AS text[]), CAST(:not_found AS text[]), CAST(:credits AS numeric[]), CAST(:actions AS numeric[]),
            CAST(:bases AS text[]))
     AS done (id, outcome, cause, missing, found, not_found, credits, actions, cost_basis)
WHERE item.org_id = :org_id AND item.id = done.id
  AND (item.state = ANY(CAST(:states AS text[])) OR :is_late AND item.outcome = 'expired')
RETURNING item.id, item.job_id, item.run_id
""",
    ChangedItem,
)
# Every queued item of these jobs, or of the whole organization.
END_QUEUED = Statement(
    """
UPDATE clay.enrichment_items
SET state = 'done', outcome = :outcome, cause = :cause, finished_at = now()
WHERE org_id = :org_id AND state = 'queued' AND way = 'routine'
  AND job_id = ANY(CAST(:job_ids AS uuid[]))
RETURNING id, job_id, run_id
""",
    ChangedItem,
)


# Of the way `table`: their deliveries ended without any attempt that Clay may have stored.
END_UNSENT = Statement(
    """
UPDATE clay.enrichment_items AS item
SET state = 'done', outcome = 'cancelled', cause = 'cancelled', finished_at = now(), credits = 0, actions = 0, cost_basis = 'none'
FROM clay.clay_push_log AS delivery
WHERE item.org_id = :org_id AND item.job_id = :job_id AND item.state = 'requested'
  AND delivery.org_id = item.org_id AND delivery.id = item.delivery_id AND delivery.cause = 'cancelled'
  AND delivery.uncertain_attempts = 0
RETURNING item.id, item.job_id, item.run_id
""",
    ChangedItem,
)


async def end_items(
    connection: AsyncConnection,
    org_id: UUID,
    ends: Sequence[ItemEnd],
    *,
    states: Sequence[ItemState],
    is_late: bool = False,
) -> Sequence[ChangedItem]:
    """Ends those of the items that are in one of `states`. Their jobs are locked. Returns the items that ended.

    `is_late`: also ends items that expired before, because a result has arrived since.
    """
    if not ends:
        return []
    values = {
        "org_id": org_id,
        "states": list(states),
        "is_late": is_late,
        "ids": [each.id for each in ends],
        "outcomes": [each.outcome for each in ends],
        "causes": [each.cause for each in ends],
        "missing": [",".join(each.missing) for each in ends],
        "found": [",".join(each.found) for each in ends],
        "not_found": [",".join(each.not_found) for each in ends],
        "credits": [each.credits for each in ends],
        "actions": [each.actions for each in ends],
        "bases": [each.cost_basis for each in ends],
    }
    ended = await END.rows(connection, values)
    by_id = {each.id: each for each in ends}
    for place in ended:
        end = by_id[place.id]
        metrics.enrichment_ended(end.outcome, end.cause, end.found, end.not_found)
    run_ids = {each.run_id for each in ended if each.run_id is not None}
    await recount(connection, org_id, {each.job_id for each in ended})
    if run_ids:
        await end_runs_without_items(connection, org_id, run_ids)
    return ended


async def end_queued(
    connection: AsyncConnection, org_id: UUID, job_ids: Iterable[UUID], outcome: ItemOutcome, cause: ItemCause
) -> int:
    """End the queued items (way `routine`) of locked jobs. Returns their number."""
    values = {"org_id": org_id, "job_ids": sorted(set(job_ids)), "outcome": outcome, "cause": cause}
    ended = await END_QUEUED.rows(connection, values)
    for _ in ended:
        metrics.enrichment_ended(outcome, cause, (), ())
    await recount(connection, org_id, {each.job_id for each in ended})
    return len(ended)


async def end_unsent(connection: AsyncConnection, org_id: UUID, job_id: UUID) -> int:
    """End the items of a locked job whose deliveries were cancelled before they were sent. Returns their number."""
    ended = await END_UNSENT.rows(connection, {"org_id": org_id, "job_id": job_id})
    for _ in ended:
        metrics.enrichment_ended(ItemOutcome.CANCELLED, ItemCause.CANCELLED, (), ())
    return len(ended)


class OverdueItem(NamedTuple):
    """A live item that ends without a result."""

    id: UUID
    job_id: UUID
    state: str
    way: str


OVERDUE = Statement(
    """
SELECT id, job_id, state, way FROM clay.enrichment_items
WHERE org_id = :org_id AND state IN ('held', 'requested') AND deadline_at < now() ORDER BY seq LIMIT :rows
""",
    OverdueItem,
)
OVERDUE_ORGANIZATIONS = Statement(
    "SELECT DISTINCT org_id FROM clay.enrichment_items WHERE state IN ('held', 'requested') AND deadline_at < now()",
    UUID,
)


async def organizations_overdue(connection: AsyncConnection) -> Sequence[UUID]:
    return await OVERDUE_ORGANIZATIONS.rows(connection)


async def overdue_items(connection: AsyncConnection, org_id: UUID, rows: int) -> Sequence[OverdueItem]:
    return await OVERDUE.rows(connection, {"org_id": org_id, "rows": rows})
