"""Computes the figures of server-drawn charts: bars of outcomes by day, and the gauge of the quota. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from clay_push_service.console.pages.words import counted
from clay_push_service.destination_settings.named.forecast import QuotaForecast
from clay_push_service.push_jobs.queries.daily import DayView

HEIGHT: Final = 64
STEP: Final = 20
BAR: Final = 14
LEAST_VISIBLE: Final = 2.0
"""Height of a bar for a small number, so that one failed lead among thousands is visible."""


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    bars: Sequence[Bar]
    width: int
    height: int
    label: str
    """All of the chart in one sentence, for screen readers."""
    most: int
    """Leads of the highest bar."""


def daily_chart(days: Sequence[DayView]) -> Chart:
    most = max((day.success + day.failed for day in days), default=0)
    bars = [_bar(number, day, most) for number, day in enumerate(days)]
    success, failed = sum(day.success for day in days), sum(day.failed for day in days)
    label = (
        f"In the last {len(days)} days, Clay accepted {counted(success, 'lead')}, and {counted(failed, 'lead')} failed."
    )
    return Chart(bars, len(days) * STEP - (STEP - BAR), HEIGHT, label, most)


def _bar(number: int, day: DayView, most: int) -> Bar:
    good = _height(day.success, most)
    bad = _height(day.failed, most)
    good = min(good, HEIGHT - bad)
    title = f"{short_day(day.day)}: {counted(day.success, 'lead')} in Clay, {day.failed:,} failed"
    return Bar(
        number * STEP, round(HEIGHT - good, 1), round(good, 1), round(HEIGHT - good - bad, 1), round(bad, 1), title
    )


def _height(count: int, most: int) -> float:
    return max(HEIGHT * count / most, LEAST_VISIBLE) if count else 0.0


def short_day(day: date) -> str:
    """`30 Nov`."""
    return f"{day.day} {day:%b}"


def long_day(day: date) -> str:
    """`30 Nov 2026`."""
    return f"{day.day} {day:%b %Y}"


def quota_sentence(quota: QuotaForecast, today: date) -> str:
    """When the quota is used up, or why no day can be named."""
    if quota.limit is None:
        return "Clay deletes the rows of this table by itself, so the webhook has no limit."
    if not quota.remaining:
        return "All submissions are used up: Clay accepts no more leads through this webhook."
    if quota.per_day is None:
        return "No lead was sent to this webhook in the last 14 days, so no day can be forecast."
    pace = f"About {quota.per_day:,.0f} a day" if quota.per_day >= 1 else "Less than one a day"
    if quota.used_up_on is None:
        return f"{pace}: the quota lasts for more than ten years."
    if quota.used_up_on <= today:
        return f"{pace}: the quota is used up today."
    return f"{pace}: the quota is used up on about {long_day(quota.used_up_on)}."


def quota_share(quota: QuotaForecast) -> float:
    """0 to 1000, for the gauge."""
    return 0.0 if not quota.limit else min(1000 * quota.used / quota.limit, 1000.0)


def quota_tone(quota: QuotaForecast) -> str:
    """`good`, `wait` from 80 %, `bad` from 95 %."""
    share = quota_share(quota)
    return "bad" if share >= 950 else "wait" if share >= 800 else "good"  # noqa: PLR2004 - the warnings of `destinations/read.py`
