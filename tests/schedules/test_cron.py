"""Which cron expressions are accepted, and the sentences that describe schedules."""

from datetime import UTC, datetime, time

import pytest

from clay_push_service.schedules.cron import CronError, check_cron
from clay_push_service.schedules.timing import (
    CronTiming,
    DailyTiming,
    IntervalTiming,
    MonthlyTiming,
    Timing,
    Weekday,
    WeeklyTiming,
)
from clay_push_service.schedules.words import describe


@pytest.mark.parametrize(
    "expression",
    [
        "0 9 * * 1-5", "*/15 * * * *", "0,15,30,45 * * * *", "0 9 L * *", "0 9 LW * *", "0 9 * * FRI#1", "0 9 29 2 *",
        "45 23 * * *", "0 0,23 * * *", "59 8,10 * * *",
    ],
)  # fmt: skip
def test_an_expression_that_is_accepted(expression: str) -> None:
    assert check_cron(f" {expression.replace(' ', '   ')} ") == expression


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 0 31 2 *", "never runs"),
        ("0 0 30 2 *", "never runs"),
        ("0 0 31 4,6,9,11 *", "never runs"),
        ("0 0 */31 2 1#5", "never runs"),
        ("* * * * *", "more often than every 15 minutes"),
        ("*/14 * * * *", "more often than every 15 minutes"),
        ("0,10 9 1 1 *", "more often than every 15 minutes"),
        ("0,50 9,10 * * *", "more often than every 15 minutes"),
        ("0,50 0,23 * * *", "more often than every 15 minutes"),
        ("60 9 * * *", "the field minute is not valid"),
        ("0 24 * * *", "the field hour is not valid"),
        ("0 9 32 * *", "the field day-of-month is not valid"),
        ("0 9 * 13 *", "the field month is not valid"),
        ("0 9 * * 8", "the field day-of-week is not valid"),
        ("0 9 * * 1#6", "the field day-of-week is not valid"),
        ("1/1/1 9 * * *", "the field minute is not valid"),
        ("@daily", "has 1 fields"),
        ("0 0 9 * * *", "has 6 fields"),
        ("", "has 0 fields"),
    ],
)
def test_an_expression_that_is_refused_with_the_reason(expression: str, message: str) -> None:
    with pytest.raises(CronError, match=message):
        check_cron(expression)


ANCHOR = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        (DailyTiming(time(9)), "Every day at 09:00 Europe/Berlin"),
        (WeeklyTiming((Weekday.MONDAY,), time(7, 5)), "Every Monday at 07:05 Europe/Berlin"),
        (
            WeeklyTiming((Weekday.MONDAY, Weekday.WEDNESDAY, Weekday.FRIDAY), time(9)),
            "Every Monday, Wednesday and Friday at 09:00 Europe/Berlin",
        ),
        (MonthlyTiming(1, time(9)), "Day 1 of every month at 09:00 Europe/Berlin"),
        (MonthlyTiming("last", time(9)), "The last day of every month at 09:00 Europe/Berlin"),
        (IntervalTiming(360, ANCHOR), "Every 6 hours, counted from 2026-11-30 08:00 UTC"),
        (IntervalTiming(90, ANCHOR), "Every 90 minutes, counted from 2026-11-30 08:00 UTC"),
        (IntervalTiming(1440, ANCHOR), "Every day, counted from 2026-11-30 08:00 UTC"),
        (CronTiming("0 9 * * 1-5"), "At 09:00 on Monday through Friday, Europe/Berlin (cron 0 9 * * 1-5)"),
    ],
)
def test_a_timing_in_words(timing: Timing, words: str) -> None:
    assert describe(timing, "Europe/Berlin") == words
