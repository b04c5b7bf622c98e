"""Describes a schedule's timing in one sentence, such as "Every day at 09:00 Europe/Berlin". Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import Final

from cronsim import CronSim

from clay_push_service.schedules.timing import (
    CronTiming,
    DailyTiming,
    IntervalTiming,
    MonthlyTiming,
    Timing,
    WeeklyTiming,
)

UNITS: Final = ((24 * 60, "day"), (60, "hour"), (1, "minute"))
START: Final = datetime(2000, 1, 1, tzinfo=UTC)


def describe(timing: Timing, time_zone: str) -> str:
    match timing:
        case IntervalTiming():
            anchor = timing.anchor.astimezone(UTC)
            return f"Every {_duration(timing.every_minutes)}, counted from {anchor:%Y-%m-%d %H:%M} UTC"
        case DailyTiming():
            return f"Every day at {_clock(timing.at)} {time_zone}"
        case WeeklyTiming():
            return f"Every {_listed([day.capitalize() for day in timing.days])} at {_clock(timing.at)} {time_zone}"
        case MonthlyTiming():
            day = "The last day" if timing.day == "last" else f"Day {timing.day}"
            return f"{day} of every month at {_clock(timing.at)} {time_zone}"
        case CronTiming():
            return f"{CronSim(timing.expression, START).explain()}, {time_zone} (cron {timing.expression})"


def _duration(minutes: int) -> str:
    size, name = next((size, name) for size, name in UNITS if minutes % size == 0)
    number = minutes // size
    return name if number == 1 else f"{number:,} {name}s"


def _clock(at: time) -> str:
    return at.strftime("%H:%M")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
