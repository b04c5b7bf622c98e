"""Computes when a schedule is due: the next times after a moment, in the schedule's time zone. Pure: the moment is an argument.

A time that daylight saving time skips is due once that day, when the gap ends; a time that occurs twice is due once, at its first
occurrence (Debian's rules for cron, by `cronsim`). Kinds with a local time become cron expressions here, never in the database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from cronsim import CronSim

from clay_push_service.schedules.timing import (
    CronTiming,
    DailyTiming,
    IntervalTiming,
    MonthlyTiming,
    Timing,
    Weekday,
    WeeklyTiming,
)
from clay_push_service.schedules.zones import load_zone

SPREAD_SECONDS: Final = 60
DAYS: Final = tuple(Weekday)


def next_due(timing: Timing, time_zone: str, after: datetime) -> datetime:
    """Returns the first due time later than `after`, in the zone. Raises StopIteration for a cron expression that never runs again."""
    return next(due_after(timing, time_zone, after))


def due_after(timing: Timing, time_zone: str, after: datetime) -> Iterator[datetime]:
    """Yields all due times later than `after`, in their order."""
    zone = load_zone(time_zone)
    if isinstance(timing, IntervalTiming):
        return _intervals(timing, zone, after)
    return _cron_times(cron_expression(timing), zone, after)


def next_dues(timing: Timing, time_zone: str, after: datetime, count: int) -> list[datetime]:
    return list(islice(due_after(timing, time_zone, after), count))


def spread_seconds(schedule_id: UUID) -> int:
    """Returns the delay of a schedule's starts in seconds, 0 to 60, so that a thousand schedules at 09:00 do not start together."""
    return schedule_id.int % (SPREAD_SECONDS + 1)


def cron_expression(timing: DailyTiming | WeeklyTiming | MonthlyTiming | CronTiming) -> str:
    match timing:
        case CronTiming():
            return timing.expression
        case DailyTiming():
            return f"{timing.at.minute} {timing.at.hour} * * *"
        case WeeklyTiming():
            days = ",".join(str(DAYS.index(day) + 1) for day in timing.days)
            return f"{timing.at.minute} {timing.at.hour} * * {days}"
        case MonthlyTiming():
            day = "L" if timing.day == "last" else timing.day
            return f"{timing.at.minute} {timing.at.hour} {day} * *"


def _intervals(timing: IntervalTiming, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    every = timedelta(minutes=timing.every_minutes)
    number = max((after - timing.anchor) // every + 1, 0)
    while True:
        yield (timing.anchor + number * every).astimezone(zone)
        number += 1


def _cron_times(expression: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    last = after.astimezone(UTC)
    # In the hour that occurs twice, cronsim begins at the first occurrence, which may be before `after`.
    for due in CronSim(expression, after.astimezone(zone)):
        found = due.astimezone(UTC)
        if found > last:
            last = found
            yield found.astimezone(zone)
