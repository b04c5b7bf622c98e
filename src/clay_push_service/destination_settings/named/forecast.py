"""Forecasts the day on which the quota of a webhook is used up, from the submissions of the last days."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from math import ceil
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.read import DestinationView, Quota

DAYS: Final = 14
"""The period whose average is the forecast."""
MOST_DAYS_AHEAD: Final = 3650
"""A later day is no useful forecast: the pace will have changed."""


class _DayOfDestination(NamedTuple):
    destination_id: UUID
    day: date
    submissions: int


# A webhook's meter counts for all its versions. The counters of a push job always equal its rows, so no delivery is counted.
SUBMISSIONS = Statement(
    """
SELECT destination.id AS destination_id, CAST(job.created_at AT TIME ZONE 'UTC' AS date) AS day,
       sum(job.success_count + job.unknown_count) AS submissions
FROM clay.push_jobs AS job
JOIN clay.destination_versions AS version ON version.org_id = job.org_id AND version.id = job.destination_version_id
JOIN clay.destination_versions AS current ON current.org_id = job.org_id AND current.meter_id = version.meter_id
JOIN clay.destinations AS destination ON destination.org_id = current.org_id AND destination.version_id = current.id
WHERE job.org_id = :org_id AND job.created_at >= :since
GROUP BY 1, 2
""",
    _DayOfDestination,
)


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


async def read_forecasts(
    connection: AsyncConnection, org_id: UUID, views: Sequence[DestinationView], now: datetime
) -> Mapping[UUID, QuotaForecast]:
    """Returns the forecast of each destination with a webhook, by the destination's id."""
    today = now.date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    since = datetime(days[0].year, days[0].month, days[0].day, tzinfo=now.tzinfo)
    rows = await SUBMISSIONS.rows(connection, {"org_id": org_id, "since": since})
    found = {(row.destination_id, row.day): row.submissions for row in rows}
    return {
        view.id: forecast(view.webhook.quota, [int(found.get((view.id, day), 0)) for day in days], today)
        for view in views
        if view.webhook is not None
    }


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
