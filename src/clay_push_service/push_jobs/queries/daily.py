"""Reads outcomes by day from the counters of push jobs, and forecasts the day on which the webhook's quota is used up."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import ceil
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.read import Quota, destination_view

MAX_DAYS: Final = 90
USUAL_DAYS: Final = 14
MOST_DAYS_AHEAD: Final = 3650
"""A later day is no useful forecast: the pace will have changed."""


class _DayRow(NamedTuple):
    day: date
    jobs: int
    success: int
    failed: int
    skipped: int
    unknown: int
    submissions: int


# The counters of a job always equal its rows, so no delivery is counted. A day is the UTC day on which the push was accepted.
READ = Statement(
    """
SELECT CAST(job.created_at AT TIME ZONE 'UTC' AS date) AS day, count(*) AS jobs,
       sum(job.success_count) AS success, sum(job.failed_count) AS failed, sum(job.skipped_count) AS skipped,
       sum(job.unknown_count) AS unknown,
       coalesce(sum(job.success_count + job.unknown_count) FILTER (WHERE version.meter_id = current.meter_id), 0) AS submissions
FROM clay.push_jobs AS job
JOIN clay.destination_versions AS version ON version.org_id = job.org_id AND version.id = job.destination_version_id
LEFT JOIN clay.destination_versions AS current ON current.org_id = job.org_id AND current.id = CAST(:version_id AS uuid)
WHERE job.org_id = :org_id AND job.created_at >= :since
GROUP BY 1 ORDER BY 1
""",
    _DayRow,
)


class DayView(BaseModel):
    """Outcomes of the pushes that were accepted on one day."""

    day: date = Field(description="The UTC day on which the pushes were accepted.")
    jobs: int = Field(description="Push jobs.", examples=[2])
    success: int = Field(description="Leads that Clay accepted.", examples=[120])
    failed: int = Field(description="Leads that failed, including `unknown`.", examples=[3])
    skipped: int = Field(description="Leads that were not sent.", examples=[8])
    unknown: int = Field(description="Leads that may be in Clay.", examples=[0])


class QuotaForecast(BaseModel):
    """When the webhook's quota is used up at the current pace."""

    used: int = Field(description="Submissions of the webhook's lifetime that are used.", examples=[41_000])
    limit: int | None = Field(description="null: no limit.", examples=[50_000])
    remaining: int | None = Field(description="null: no limit.", examples=[9_000])
    per_day: float | None = Field(
        description="Average submissions to this webhook per day in the period; null: none.", examples=[640.5]
    )
    used_up_on: date | None = Field(
        description="The day on which the quota is used up at this pace; null: no limit, no submissions, or not within 10 years."
    )


class DailyActivity(BaseModel):
    days: list[DayView] = Field(
        description="One entry for each day of the period, oldest first; days without pushes are zero."
    )
    quota: QuotaForecast | None = Field(description="null without a webhook.")


async def read_daily(connection: AsyncConnection, org_id: UUID, now: datetime, days: int = USUAL_DAYS) -> DailyActivity:
    """The last `days` UTC days, including today."""
    view = await destination_view(connection, org_id)
    webhook = view.webhook if view else None
    today = now.date()
    first = today - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=now.tzinfo)
    values = {"org_id": org_id, "since": since, "version_id": webhook.version_id if webhook else None}
    found = {row.day: row for row in await READ.rows(connection, values)}
    every_day = [first + timedelta(days=number) for number in range(days)]
    submissions = [found[each].submissions if each in found else 0 for each in every_day]
    return DailyActivity(
        days=[_day(each, found.get(each)) for each in every_day],
        quota=forecast(webhook.quota, submissions, today) if webhook else None,
    )


def forecast(quota: Quota, submissions: Sequence[int], today: date) -> QuotaForecast:
    """`submissions`: to this webhook on each day until today. The average begins on the first day with one."""
    first = next((number for number, count in enumerate(submissions) if count), None)
    per_day = None if first is None else sum(submissions) / (len(submissions) - first)
    used_up_on = None
    if quota.remaining is not None and per_day is not None:
        days_left = ceil(quota.remaining / per_day)
        used_up_on = today + timedelta(days=days_left) if days_left <= MOST_DAYS_AHEAD else None
    return QuotaForecast(
        used=quota.used,
        limit=quota.limit,
        remaining=quota.remaining,
        per_day=None if per_day is None else round(per_day, 1),
        used_up_on=used_up_on,
    )


def _day(day: date, row: _DayRow | None) -> DayView:
    if row is None:
        return DayView(day=day, jobs=0, success=0, failed=0, skipped=0, unknown=0)
    return DayView(
        day=day, jobs=row.jobs, success=row.success, failed=row.failed, skipped=row.skipped, unknown=row.unknown
    )
