"""Settles items by results that Clay's tables sent back, and ends items whose row was never sent to the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_jobs
from clay_push_service.enrichment.ledger.item_ends import FREE, ItemEnd, end_items
from clay_push_service.enrichment.ledger.states import CostSource, ItemOutcome, ItemState


class MatchedItem(NamedTuple):
    """An item that a result can settle."""

    id: UUID
    job_id: UUID
    lead_id: UUID
    delivery_id: UUID | None


@dataclass(frozen=True, slots=True)
class TableResult:
    """The content of one result. It settles the item of its delivery, or the item that the result names."""

    delivery_id: UUID | None
    item_id: UUID | None
    lead_id: UUID
    found: Sequence[str]
    not_found: Sequence[str]

    def is_for(self, item: MatchedItem) -> bool:
        named = item.id == self.item_id or (item.delivery_id is not None and item.delivery_id == self.delivery_id)
        return named and item.lead_id == self.lead_id

    def end(self, item: MatchedItem) -> ItemEnd:
        outcome = ItemOutcome.PARTIAL if self.not_found else ItemOutcome.FOUND
        if not self.found:
            outcome = ItemOutcome.NOTHING
        return ItemEnd(
            item.id, outcome, ItemCause.NO_DATA if outcome is ItemOutcome.NOTHING else None, found=self.found,
            not_found=self.not_found, cost_basis=CostSource.ESTIMATED,
        )  # fmt: skip


FIND = Statement(
    """
SELECT id, job_id, lead_id, delivery_id FROM clay.enrichment_items
WHERE org_id = :org_id
  AND (id = ANY(CAST(:item_ids AS uuid[])) OR delivery_id = ANY(CAST(:delivery_ids AS uuid[])))
""",
    MatchedItem,
)


class _Unsent(NamedTuple):
    id: UUID
    job_id: UUID
    cause: str | None


# The row is certainly not in the table: the delivery ended without an attempt of uncertain outcome.
UNSENT = """
FROM clay.enrichment_items AS item
JOIN clay.clay_push_log AS delivery ON delivery.org_id = item.org_id AND delivery.id = item.delivery_id
WHERE item.state = 'requested' AND item.way = 'table' AND delivery.state = 'done' AND delivery.status <> 'success'
  AND delivery.uncertain_attempts = 0 AND delivery.cause <> 'unknown'
"""
UNSENT_ORGANIZATIONS = Statement(f"SELECT DISTINCT item.org_id {UNSENT}", UUID)
UNSENT_ITEMS = Statement(
    f"SELECT item.id, item.job_id, delivery.cause {UNSENT} AND item.org_id = :org_id ORDER BY item.seq LIMIT 500",
    _Unsent,
)


OF_DELIVERY: Mapping[str, tuple[ItemOutcome, ItemCause]] = {
    "cancelled": (ItemOutcome.CANCELLED, ItemCause.CANCELLED),
    "excluded": (ItemOutcome.SKIPPED, ItemCause.EXCLUDED),
    "erased": (ItemOutcome.SKIPPED, ItemCause.ERASED),
    "lead_gone": (ItemOutcome.FAILED, ItemCause.LEAD_GONE),
}
"""Causes of deliveries that are also causes of items."""


async def find_items(
    connection: AsyncConnection, org_id: UUID, delivery_ids: Sequence[UUID], item_ids: Sequence[UUID]
) -> Sequence[MatchedItem]:
    """The items of the organization with one of these ids or deliveries."""
    if not delivery_ids and not item_ids:
        return []
    values = {"org_id": org_id, "delivery_ids": list(delivery_ids), "item_ids": list(item_ids)}
    return await FIND.rows(connection, values)


async def settle_items(
    connection: AsyncConnection, org_id: UUID, items: Sequence[MatchedItem], answers: Sequence[TableResult]
) -> int:
    """Ends the items by the first result for each. Their jobs are locked. Items that are held or expired also end."""
    ends: dict[UUID, ItemEnd] = {}
    for item in items:
        answer = next((each for each in answers if each.is_for(item)), None)
        if answer is not None:
            ends[item.id] = answer.end(item)
    states = [ItemState.REQUESTED, ItemState.HELD]
    return len(await end_items(connection, org_id, list(ends.values()), states=states, is_late=True))


async def organizations_unsent(connection: AsyncConnection) -> Sequence[UUID]:
    return await UNSENT_ORGANIZATIONS.rows(connection)


async def end_unsent_items(connection: AsyncConnection, org_id: UUID) -> int:
    """End the items whose delivery ended without a row in the table. Nothing is charged."""
    unsent = await UNSENT_ITEMS.rows(connection, {"org_id": org_id})
    await lock_jobs(connection, org_id, {each.job_id for each in unsent})
    nothing, no_actions, basis = FREE
    ends = []
    for each in unsent:
        outcome, cause = OF_DELIVERY.get(each.cause or "", (ItemOutcome.FAILED, ItemCause.NOT_PUSHED))
        ends.append(ItemEnd(each.id, outcome, cause, credits=nothing, actions=no_actions, cost_basis=basis))
    return len(await end_items(connection, org_id, ends, states=[ItemState.REQUESTED]))
