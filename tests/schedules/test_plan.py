"""What a schedule does that is due: on time, late, after an outage; and when failures pause it."""

from datetime import UTC, datetime, time, timedelta

import pytest

from clay_push_service.schedules.plan import FAILURES, NEUTRAL, PastRun, ScheduleOutcome, failures_in_a_row, plan_due
from clay_push_service.schedules.timing import CronTiming, DailyTiming, IntervalTiming

HOUR = timedelta(hours=1)
NOON = datetime(2027, 5, 3, 12, 0, tzinfo=UTC)
HOURLY = IntervalTiming(60, NOON)
O = ScheduleOutcome  # noqa: E741 - a short name for the tables below


def test_a_due_time_runs_and_the_next_one_follows() -> None:
    plan = plan_due(HOURLY, "UTC", NOON, NOON + timedelta(seconds=9), HOUR)
    assert (plan.run, plan.missed, plan.next_due) == (NOON, [], NOON + HOUR)


@pytest.mark.parametrize(
    ("late", "runs"), [(timedelta(minutes=59), True), (HOUR, True), (HOUR + timedelta(seconds=1), False)]
)
def test_a_late_run_starts_within_the_catch_up_window_only(late: timedelta, runs: bool) -> None:
    plan = plan_due(DailyTiming(time(9)), "UTC", NOON, NOON + late, HOUR)
    assert plan.run == (NOON if runs else None)
    assert plan.missed == ([] if runs else [NOON])
    assert plan.next_due == datetime(2027, 5, 4, 9, 0, tzinfo=UTC)


def test_after_three_hours_down_only_the_newest_run_is_caught_up() -> None:
    plan = plan_due(HOURLY, "UTC", NOON, NOON + 3 * HOUR + timedelta(minutes=5), HOUR)
    assert plan.run == NOON + 3 * HOUR
    assert plan.missed == [NOON, NOON + HOUR, NOON + 2 * HOUR]
    assert plan.next_due == NOON + 4 * HOUR


def test_after_three_hours_down_a_daily_run_is_missed_or_caught_up_as_configured() -> None:
    now = NOON + 3 * HOUR
    assert plan_due(DailyTiming(time(12)), "UTC", NOON, now, HOUR).run is None
    assert plan_due(DailyTiming(time(12)), "UTC", NOON, now, 4 * HOUR).run == NOON


def test_without_a_catch_up_window_a_late_run_is_missed() -> None:
    assert plan_due(HOURLY, "UTC", NOON, NOON, timedelta()).run == NOON
    assert plan_due(HOURLY, "UTC", NOON, NOON + timedelta(seconds=1), timedelta()).run is None


@pytest.mark.parametrize("catch_up", [timedelta(), HOUR])
def test_a_long_outage_records_the_newest_hundred_missed_runs_and_counts_the_others(catch_up: timedelta) -> None:
    timing = CronTiming("*/15 * * * *")
    plan = plan_due(timing, "Europe/Berlin", NOON, NOON + timedelta(days=30, minutes=1), catch_up)
    number = 30 * 24 * 4 + 1
    assert (plan.run is not None) + len(plan.missed) + plan.missed_earlier == number
    assert len(plan.missed) == 100
    newest = plan.missed[-1] if plan.run is None else plan.run
    assert newest == NOON + timedelta(days=30)
    assert sorted(plan.missed) == list(plan.missed)


def test_every_outcome_has_a_meaning_for_the_pause() -> None:
    assert frozenset(ScheduleOutcome) == FAILURES | NEUTRAL | {O.QUEUED, O.NOTHING_NEW}


@pytest.mark.parametrize(
    ("newest_first", "number"),
    [
        ([], 0),
        ([O.CLOSED, O.NOT_CONFIGURED, O.FAILED], 3),
        ([O.CLOSED, O.QUEUED, O.CLOSED], 1),
        ([O.CLOSED, O.NOTHING_NEW, O.CLOSED], 1),
        ([O.CLOSED, O.OVERLAP, O.MISSED, O.PAUSED, O.CLOSED], 2),
        ([O.NOTHING_NEW, O.CLOSED], 0),
    ],
)
def test_failures_in_a_row(newest_first: list[ScheduleOutcome], number: int) -> None:
    assert failures_in_a_row(PastRun(each, job_failed=False) for each in newest_first) == number


def test_a_run_whose_push_job_failed_is_a_failure() -> None:
    past = [PastRun(O.QUEUED, job_failed=True), PastRun(O.QUEUED, job_failed=True), PastRun(O.QUEUED, job_failed=False)]
    assert failures_in_a_row(past) == 2
