"""Reads outcomes by day from the counters of push jobs, and forecasts the day on which the webhook's quota is used up."""

from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.named.forecast import QuotaForecast, forecast
from clay_push_service.destination_settings.named.store import destination_not_found
from clay_push_service.destinations.read import destination_view

MAX_DAYS: Final = 90
USUAL_DAYS: Final = 14


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
  AND (CAST(:destination_id AS uuid) IS NULL OR job.destination_id = :destination_id)
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


class DailyActivity(BaseModel):
    days: list[DayView] = Field(
        description="One entry for each day of the period, oldest first; days without pushes are zero."
    )
    quota: QuotaForecast | None = Field(
        description="Of `destination_id`, or of the default destination; null without a webhook. `GET /api/clay/destinations` has"
        " the forecast of each."
    )


async def read_daily(
    connection: AsyncConnection, org_id: UUID, now: datetime, days: int = USUAL_DAYS, destination_id: UUID | None = None
) -> DailyActivity:
    """The last `days` UTC days, including today: pushes to all destinations, or to this one. Raises 404 `destination_not_found`."""
    view = await destination_view(connection, org_id, destination_id)
    if view is None and destination_id is not None:
        raise destination_not_found()
    webhook = view.webhook if view else None
    today = now.date()
    first = today - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=now.tzinfo)
    values = {
        "org_id": org_id, "since": since, "version_id": webhook.version_id if webhook else None,
        "destination_id": destination_id,
    }  # fmt: skip
    found = {row.day: row for row in await READ.rows(connection, values)}
    every_day = [first + timedelta(days=number) for number in range(days)]
    submissions = [found[each].submissions if each in found else 0 for each in every_day]
    return DailyActivity(
        days=[_day(each, found.get(each)) for each in every_day],
        quota=forecast(webhook.quota, submissions, today) if webhook else None,
    )


def _day(day: date, row: _DayRow | None) -> DayView:
    if row is None:
        return DayView(day=day, jobs=0, success=0, failed=0, skipped=0, unknown=0)
    return DayView(
        day=day, jobs=row.jobs, success=row.success, failed=row.failed, skipped=row.skipped, unknown=row.unknown
    )
