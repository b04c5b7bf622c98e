"""Reads the state of each Clay table of an organization: webhook, quota, totals of its push jobs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement
from clay_push_service.destinations.read import DestinationView, Quota, destination_views
from clay_push_service.push_jobs.views import Totals


class _TableCounts(NamedTuple):
    destination_id: UUID
    pushed: int
    failed: int
    skipped: int
    unknown: int
    active: int
    last_push_at: datetime


# Summed over push jobs, not deliveries: the counters of a job always equal its rows.
COUNTS = Statement(
    """
SELECT destination_id, sum(success_count) AS pushed, sum(failed_count) AS failed, sum(skipped_count) AS skipped,
       sum(unknown_count) AS unknown, count(*) FILTER (WHERE status IN ('pending', 'running')) AS active,
       max(created_at) AS last_push_at
FROM clay.push_jobs WHERE org_id = :org_id GROUP BY destination_id
""",
    _TableCounts,
)


class TableCounts(NamedTuple):
    """Totals of push jobs, of one destination or of all."""

    pushed: int = 0
    failed: int = 0
    skipped: int = 0
    unknown: int = 0
    active: int = 0
    """Push jobs that have not finished."""
    last_push_at: datetime | None = None

    @property
    def totals(self) -> Totals:
        sent = self.pushed + self.failed
        return Totals(
            pushed=self.pushed, failed=self.failed, skipped=self.skipped, unknown=self.unknown,
            success_rate=round(self.pushed / sent, 4) if sent else None,
        )  # fmt: skip


class QuotaView(BaseModel):
    used: int = Field(description="Submissions of the webhook's lifetime that are used.", examples=[1200])
    limit: int | None = Field(description="null: an auto-deleting table, without a limit.", examples=[50_000])
    remaining: int | None = Field(description="Submissions left; null: no limit.", examples=[48_800])
    warning: str | None = Field(description="Warning in one sentence, from 80 % of the limit.", examples=[None])

    @classmethod
    def of(cls, quota: Quota) -> Self:
        return cls(used=quota.used, limit=quota.limit, remaining=quota.remaining, warning=quota.warning)


class TableStatus(BaseModel):
    """One Clay table of the organization."""

    id: UUID = Field(description="The destination.")
    name: str = Field(description="Its name.", examples=["Enterprise"])
    is_default: bool = Field(description="Whether the other fields of the status describe it.")
    configured: bool = Field(description="Whether a webhook is stored.")
    state: Literal["open", "waiting", "closed"] | None = Field(
        description="As in `destination`; null without a webhook.", examples=["open"]
    )
    reason: Cause | None = Field(description="A cause, while it waits or is closed.", examples=["unauthorized"])
    results_missing_since: datetime | None = Field(
        description="Since when results from Clay have stopped; null: they have not."
    )
    quota: QuotaView | None = Field(description="Quota of its webhook; null without a webhook.")
    totals: Totals = Field(description="Totals of its push jobs.")
    active_jobs: int = Field(description="Its push jobs that have not finished.", examples=[0])
    last_push_at: datetime | None = Field(description="When its newest push job was accepted; null: none yet.")

    @classmethod
    def of(cls, view: DestinationView, counts: TableCounts) -> Self:
        webhook = view.webhook
        return cls(
            id=view.id, name=view.name, is_default=view.is_default, configured=webhook is not None,
            state=webhook.state.value if webhook else None,
            reason=Cause(webhook.reason) if webhook and webhook.reason else None,
            results_missing_since=view.suspect_since, quota=QuotaView.of(webhook.quota) if webhook else None,
            totals=counts.totals, active_jobs=counts.active, last_push_at=counts.last_push_at,
        )  # fmt: skip


async def read_counts(connection: AsyncConnection, org_id: UUID) -> Mapping[UUID, TableCounts]:
    """By destination, also of archived ones. A destination without push jobs is missing."""
    rows = await COUNTS.rows(connection, {"org_id": org_id})
    return {
        row.destination_id: TableCounts(
            int(row.pushed), int(row.failed), int(row.skipped), int(row.unknown), row.active, row.last_push_at
        )
        for row in rows
    }


def sum_of(counts: Sequence[TableCounts]) -> TableCounts:
    """Of all destinations."""
    return TableCounts(
        sum(each.pushed for each in counts), sum(each.failed for each in counts), sum(each.skipped for each in counts),
        sum(each.unknown for each in counts), sum(each.active for each in counts),
        max((each.last_push_at for each in counts if each.last_push_at is not None), default=None),
    )  # fmt: skip


async def read_table_statuses(
    connection: AsyncConnection, org_id: UUID, counts: Mapping[UUID, TableCounts]
) -> list[TableStatus]:
    """The default one first, the others by name, without archived ones."""
    views = await destination_views(connection, org_id)
    return [TableStatus.of(view, counts.get(view.id, TableCounts())) for view in views]
