"""Reads the figures that the overview and Clay's panel show: status, last jobs, outcomes by day and the quota."""

from dataclasses import dataclass
from datetime import date

from clay_push_service.console.pages.overview.charts import Chart, daily_chart
from clay_push_service.console.pages.page import Page
from clay_push_service.push_jobs.queries.daily import DailyActivity, read_daily
from clay_push_service.push_jobs.queries.jobs import read_jobs
from clay_push_service.push_jobs.queries.status import StatusView
from clay_push_service.push_jobs.views import JobPage

LAST_JOBS = 5


@dataclass(frozen=True, slots=True)
class Figures:
    status: StatusView
    jobs: JobPage
    daily: DailyActivity
    chart: Chart
    today: date


async def read_figures(page: Page) -> Figures:
    jobs = await read_jobs(
        page.connection, page.caller.org_id, project_id=None, status=None, after=None, limit=LAST_JOBS
    )
    daily = await read_daily(page.connection, page.caller.org_id, page.now)
    return Figures(await page.service.read_status(), jobs, daily, daily_chart(daily.days), page.now.date())
