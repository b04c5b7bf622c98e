"""Stores a timing as JSON, in the terms in which it was entered, and reads it again. Pure."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import assert_never

from clay_push_service.schedules.timing import (
    CronTiming,
    DailyTiming,
    IntervalTiming,
    MonthlyTiming,
    Timing,
    TimingKind,
    Weekday,
    WeeklyTiming,
)

CLOCK = "%H:%M"
Spec = dict[str, str | int | list[str]]


def kind_of(timing: Timing) -> TimingKind:
    match timing:
        case IntervalTiming():
            return TimingKind.INTERVAL
        case DailyTiming():
            return TimingKind.DAILY
        case WeeklyTiming():
            return TimingKind.WEEKLY
        case MonthlyTiming():
            return TimingKind.MONTHLY
        case CronTiming():
            return TimingKind.CRON
        case _:
            assert_never(timing)


def to_spec(timing: Timing) -> Spec:
    match timing:
        case IntervalTiming():
            return {"every_minutes": timing.every_minutes, "anchor": timing.anchor.isoformat()}
        case DailyTiming():
            return {"at": timing.at.strftime(CLOCK)}
        case WeeklyTiming():
            return {"days": [day.value for day in timing.days], "at": timing.at.strftime(CLOCK)}
        case MonthlyTiming():
            return {"day": timing.day, "at": timing.at.strftime(CLOCK)}
        case CronTiming():
            return {"cron": timing.expression}
        case _:
            assert_never(timing)


def from_spec(kind: TimingKind, spec: Mapping[str, object]) -> Timing:
    """`spec`: what `to_spec` returned for a timing of this kind."""
    match kind:
        case TimingKind.INTERVAL:
            return IntervalTiming(int(str(spec["every_minutes"])), datetime.fromisoformat(str(spec["anchor"])))
        case TimingKind.DAILY:
            return DailyTiming(_clock(spec))
        case TimingKind.WEEKLY:
            days = spec["days"]
            return WeeklyTiming(tuple(Weekday(day) for day in days) if isinstance(days, list) else (), _clock(spec))
        case TimingKind.MONTHLY:
            day = spec["day"]
            return MonthlyTiming("last" if day == "last" else int(str(day)), _clock(spec))
        case TimingKind.CRON:
            return CronTiming(str(spec["cron"]))
        case _:
            assert_never(kind)


def _clock(spec: Mapping[str, object]) -> time:
    return datetime.strptime(str(spec["at"]), CLOCK).time()  # noqa: DTZ007 - a local time of day has no zone
