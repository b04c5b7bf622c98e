"""Computes the figures of the charts of enrichment quality, which the server draws as SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from clay_push_service.console.pages.overview.charts import short_day
from clay_push_service.console.pages.words import counted
from clay_push_service.enrichment.jobs.quality import FieldQuality, KindQuality, WeekQuality

FULL: Final = 1000
"""Width of a bar in units of its drawing."""
HEIGHT: Final = 80
STEP: Final = 24
COLUMN: Final = 18


@dataclass(frozen=True, slots=True)
class Segment:
    tone: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Column:
    x: int
    y: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class WeekChart:
    columns: Sequence[Column]
    width: int
    height: int
    label: str
    """The whole chart in one sentence, for screen readers."""


def outcome_segments(kind: KindQuality) -> Sequence[Segment]:
    """Found, partly found, nothing found, and failed or without a result, in this order."""
    return _segments(
        ("good", kind.found_count),
        ("part", kind.partial_count),
        ("none", kind.nothing_count),
        ("bad", kind.failed_count + kind.expired_count),
    )


def field_segments(field: FieldQuality) -> Sequence[Segment]:
    """Found, then the gap."""
    return _segments(("good", field.found_count), ("none", field.not_found_count))


def week_chart(weeks: Sequence[WeekQuality]) -> WeekChart:
    """The mean confidence of each week that has one."""
    measured = [(week, week.mean_confidence) for week in weeks if week.mean_confidence is not None]
    columns = [
        Column(
            number * STEP, round(HEIGHT * (100 - mean) / 100, 1), round(HEIGHT * mean / 100, 1),
            f"Week of {short_day(week.week)}: mean confidence {mean:g} %, {counted(week.with_confidence_count, 'value')}",
        )
        for number, (week, mean) in enumerate(measured)
    ]  # fmt: skip
    if not measured:
        return WeekChart((), 0, HEIGHT, "No value of the period has a confidence.")
    (first, first_mean), (last, last_mean) = measured[0], measured[-1]
    label = (
        f"Mean confidence by week: {first_mean:g} % in the week of {short_day(first.week)},"
        f" {last_mean:g} % in the week of {short_day(last.week)}."
    )
    return WeekChart(columns, len(columns) * STEP - (STEP - COLUMN), HEIGHT, label)


def _segments(*parts: tuple[str, int]) -> Sequence[Segment]:
    total = sum(count for _, count in parts)
    found, x = [], 0.0
    for tone, count in parts:
        if count:
            width = FULL * count / total
            found.append(Segment(tone, round(x, 1), round(width, 1)))
            x += width
    return found
