"""When schedules are due: once a local day over five years in twelve zones, in both changes of daylight saving time."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from clay_push_service.schedules.due_times import due_after, next_due, next_dues, spread_seconds
from clay_push_service.schedules.timing import (
    CronTiming,
    DailyTiming,
    IntervalTiming,
    MonthlyTiming,
    Timing,
    Weekday,
    WeeklyTiming,
)
from clay_push_service.schedules.zones import load_zone, zone_names

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
# Both hemispheres, a gap at midnight (Cairo), half an hour of daylight saving time (Lord Howe), offsets of 15, 30 and 45 minutes, no changes at all.
ZONES = {
    "Europe/Berlin": time(2, 30),
    "Europe/London": time(1, 30),
    "America/New_York": time(2, 30),
    "America/Los_Angeles": time(1, 30),
    "America/St_Johns": time(2, 15),
    "America/Santiago": time(0, 30),
    "Africa/Cairo": time(0, 30),
    "Asia/Kolkata": time(9, 0),
    "Australia/Sydney": time(2, 30),
    "Australia/Lord_Howe": time(2, 15),
    "Pacific/Chatham": time(3, 0),
    "UTC": time(9, 0),
}


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_schedule_is_due_once_on_each_local_day_of_five_years(zone: str) -> None:
    at, tz = ZONES[zone], load_zone(zone)
    timing = DailyTiming(at)
    days, moved, moment = [], [], START
    while (due := next_due(timing, zone, moment)) < END:
        assert due > moment
        days.append(due.date())
        if due.time() != at:
            moved.append(due)
        moment = due
    first = START.astimezone(tz).date() + timedelta(days=days[0] > START.astimezone(tz).date())
    assert days == [first + timedelta(days=number) for number in range(len(days))]
    assert days[-1] >= END.astimezone(tz).date() - timedelta(days=1)
    # A moved time is the end of the gap that contains the wanted time.
    for due in moved:
        assert _offset_before(due) != due.utcoffset()
        assert due.time() > at


def _offset_before(due: datetime) -> timedelta | None:
    return (due.astimezone(UTC) - timedelta(seconds=1)).astimezone(due.tzinfo).utcoffset()


@pytest.mark.parametrize(
    ("zone", "at", "day", "utc"),
    [
        # The gap: 02:00 to 03:00 does not exist.
        ("Europe/Berlin", time(2, 30), date(2027, 3, 28), "2027-03-28T01:00"),
        ("Europe/Berlin", time(3, 0), date(2027, 3, 28), "2027-03-28T01:00"),
        # The fold: 02:30 occurs at 00:30 and 01:30 UTC; the first one counts.
        ("Europe/Berlin", time(2, 30), date(2027, 10, 31), "2027-10-31T00:30"),
        ("Africa/Cairo", time(0, 30), date(2027, 4, 30), "2027-04-29T22:00"),
        ("America/New_York", time(2, 30), date(2027, 3, 14), "2027-03-14T07:00"),
        ("America/New_York", time(1, 30), date(2027, 11, 7), "2027-11-07T05:30"),
        ("Australia/Lord_Howe", time(2, 15), date(2027, 10, 3), "2027-10-02T15:30"),
        # Nine o'clock stays nine o'clock in winter and in summer.
        ("Europe/Berlin", time(9, 0), date(2027, 1, 15), "2027-01-15T08:00"),
        ("Europe/Berlin", time(9, 0), date(2027, 7, 15), "2027-07-15T07:00"),
    ],
)
def test_a_daily_schedule_on_a_day_that_changes_the_clock(zone: str, at: time, day: date, utc: str) -> None:
    midnight = datetime.combine(day, time(), load_zone(zone)) - timedelta(seconds=1)
    [due, following] = next_dues(DailyTiming(at), zone, midnight, 2)
    assert due.astimezone(UTC).isoformat(timespec="minutes") == f"{utc}+00:00"
    assert following.date() == day + timedelta(days=1)


def test_no_time_of_the_hour_that_occurs_twice_is_due_again() -> None:
    between = datetime(2027, 10, 31, 1, 10, tzinfo=UTC)  # 02:10 in Berlin, for the second time
    due = next_due(CronTiming("30 2 * * *"), "Europe/Berlin", between)
    assert due.isoformat() == "2027-11-01T02:30:00+01:00"


def test_an_hourly_cron_runs_each_real_hour_on_the_long_and_on_the_short_day() -> None:
    zone = load_zone("Europe/Berlin")
    for day, hours in ((date(2027, 3, 28), 23), (date(2027, 10, 31), 25)):
        start = datetime.combine(day, time(), zone) - timedelta(seconds=1)
        dues = next_dues(CronTiming("0 * * * *"), "Europe/Berlin", start, hours + 1)
        assert [due.date() for due in dues] == [day] * hours + [day + timedelta(days=1)]
        in_utc = [due.astimezone(UTC) for due in dues]
        assert {b - a for a, b in pairwise(in_utc)} == {timedelta(hours=1)}


def test_an_interval_keeps_its_phase_whenever_it_is_computed() -> None:
    anchor = datetime(2026, 1, 1, 9, 10, tzinfo=UTC)
    timing = IntervalTiming(360, anchor)
    late = anchor + timedelta(hours=7, minutes=41)
    assert next_due(timing, "Europe/Berlin", late) == anchor + timedelta(hours=12)
    assert next_due(timing, "UTC", anchor - timedelta(days=3)) == anchor
    assert next_due(timing, "UTC", anchor) == anchor + timedelta(hours=6)


@pytest.mark.parametrize(
    ("timing", "dates"),
    [
        (WeeklyTiming((Weekday.MONDAY, Weekday.SUNDAY), time(9)), ["2027-02-01", "2027-02-07", "2027-02-08"]),
        (MonthlyTiming("last", time(9)), ["2027-02-28", "2027-03-31", "2027-04-30"]),
        (MonthlyTiming(28, time(9)), ["2027-02-28", "2027-03-28", "2027-04-28"]),
        (CronTiming("0 9 13 * 5"), ["2027-02-05", "2027-02-12", "2027-02-13"]),  # day 13, and each Friday
        (CronTiming("0 9 * * MON#1"), ["2027-02-01", "2027-03-01", "2027-04-05"]),
        (CronTiming("0 9 29 2 *"), ["2028-02-29", "2032-02-29", "2036-02-29"]),
    ],
)
def test_the_days_of_weekly_monthly_and_cron_schedules(timing: Timing, dates: list[str]) -> None:
    start = datetime(2027, 2, 1, tzinfo=UTC)
    assert [due.date().isoformat() for due in next_dues(timing, "Europe/Berlin", start, 3)] == dates


@pytest.mark.parametrize(
    "timing", [MonthlyTiming(1, time(9)), MonthlyTiming(28, time(9)), MonthlyTiming("last", time(9))]
)
def test_a_monthly_schedule_is_due_once_a_month(timing: MonthlyTiming) -> None:
    months = [(due.year, due.month) for due in next_dues(timing, "America/New_York", START, 60)]
    assert months == [(2026 + number // 12, number % 12 + 1) for number in range(60)]


def test_all_zones_load_and_names_in_another_case_do_not() -> None:
    assert len(zone_names()) > 500
    for name in zone_names():
        assert next(due_after(DailyTiming(time(9)), name, START)).hour == 9
    for wrong in ("europe/berlin", "Europe/Atlantis", "../etc/passwd", "", "zones"):
        with pytest.raises(KeyError):
            load_zone(wrong)


def test_a_schedule_starts_within_a_minute_and_always_after_the_same_time() -> None:
    found = {spread_seconds(UUID(int=number)) for number in range(1000)}
    assert found == set(range(61))
    assert spread_seconds(UUID(int=61)) == 0
