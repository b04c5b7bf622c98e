"""The daily budgets: what the items of today have reserved or used, and how many more items fit.

An item reserves the upper estimate when it starts, and counts with its settled costs once its result is read. The sum over the
items is the only record, so it cannot differ from them. The caller locks the organization's settings, which serializes the
reservations of concurrent workers.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.settings.kinds import Amount, Price
from clay_push_service.enrichment.settings.table import SettingsRow


class BudgetUse(NamedTuple):
    """What items have used on the current day, in the organization's time zone."""

    credits: Decimal
    actions: Decimal
    open_items: int
    """Items whose reservation can still become lower with a result."""


# Only items that started since the last midnight of the time zone count.
READ = Statement(
    """
SELECT coalesce(sum(credits), 0) AS credits, coalesce(sum(actions), 0) AS actions,
       count(*) FILTER (WHERE state IN ('starting', 'requested')) AS open_items
FROM clay.enrichment_items
WHERE org_id = :org_id
  AND started_at >= date_trunc('day', now() AT TIME ZONE CAST(:time_zone AS text)) AT TIME ZONE CAST(:time_zone AS text)
""",
    BudgetUse,
)


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one item reserves: the upper estimate, or the lower one where no upper limit is known."""

    credits: Decimal
    actions: Decimal

    @classmethod
    def of(cls, price: Price) -> "Reservation":
        return cls(_upper(price.credits), _upper(price.actions))


@dataclass(frozen=True, slots=True)
class Budget:
    """The rest of the day's budget; None: no limit."""

    credits: Decimal | None
    actions: Decimal | None
    open_items: int = 0

    def fits(self, reservation: Reservation, item_count: int) -> int:
        """Returns how many of `item_count` items can start without exceeding a budget."""
        return min(
            item_count,
            _times(self.credits, reservation.credits, item_count),
            _times(self.actions, reservation.actions, item_count),
        )


async def read_budget(connection: AsyncConnection, row: SettingsRow) -> Budget:
    """Reads the rest of today's budget. The caller has locked the organization's settings."""
    if row.credits_per_day is None and row.actions_per_day is None:
        return Budget(None, None)
    used = await READ.one(connection, {"org_id": row.org_id, "time_zone": row.time_zone})
    return Budget(
        None if row.credits_per_day is None else row.credits_per_day - used.credits,
        None if row.actions_per_day is None else row.actions_per_day - used.actions,
        used.open_items,
    )


async def read_used(connection: AsyncConnection, org_id: UUID, time_zone: str) -> BudgetUse:
    return await READ.one(connection, {"org_id": org_id, "time_zone": time_zone})


def _upper(amount: Amount) -> Decimal:
    return amount.low if amount.high is None else amount.high


def _times(remaining: Decimal | None, each: Decimal, item_count: int) -> int:
    if remaining is None or each <= 0:
        return item_count
    return max(0, int(remaining // each))
