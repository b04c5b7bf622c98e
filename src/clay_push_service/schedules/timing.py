"""The five kinds of timing of a schedule, as values. Pure: `due_times` computes with them, `words` describes them."""

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Final, Literal

LEAST_MINUTES: Final = 15
"""Least minutes between two runs. A run locks the destination and reads all leads of a project."""


class TimingKind(StrEnum):
    INTERVAL = "interval"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    CRON = "cron"


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@dataclass(frozen=True, slots=True)
class IntervalTiming:
    """Due at the anchor and then at a fixed interval, whenever earlier runs started. Daylight saving time does not move it."""

    every_minutes: int
    anchor: datetime


@dataclass(frozen=True, slots=True)
class DailyTiming:
    at: time


@dataclass(frozen=True, slots=True)
class WeeklyTiming:
    days: tuple[Weekday, ...]
    at: time


@dataclass(frozen=True, slots=True)
class MonthlyTiming:
    day: int | Literal["last"]
    """1 to 28, which every month has, or the last day."""
    at: time


@dataclass(frozen=True, slots=True)
class CronTiming:
    expression: str
    """Five fields, checked by `cron.check_cron`."""


Timing = IntervalTiming | DailyTiming | WeeklyTiming | MonthlyTiming | CronTiming
