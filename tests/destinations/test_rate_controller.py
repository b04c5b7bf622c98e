"""The rate after 429 responses, in examples and as properties. The time is an argument."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clay_push_service.destinations.rate_controller import RateController

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
PACE_MS = 100.0


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def throttled(at_seconds: Iterable[float], rate_limit_ms: float = PACE_MS, retry_after: float = 1.0) -> RateController:
    """Apply a 429 at each of these seconds, for a POST that was sent 20 ms earlier."""
    controller = RateController(rate_limit_ms)
    for each in at_seconds:
        controller = controller.after_429(later(each), retry_after, later(each - 0.02))
    return controller


def test_without_a_429_the_interval_is_the_set_one() -> None:
    assert RateController(PACE_MS).interval_ms(NOW) == PACE_MS
    assert RateController(PACE_MS, throttled_ms=400.0).interval_ms(NOW) == PACE_MS
    assert RateController(PACE_MS, throttled_at=NOW).interval_ms(NOW) == PACE_MS


@pytest.mark.parametrize(
    ("since_resume", "interval_ms"),
    [
        (-1.0, 250.0),  # 80 % of the refused rate, until the pause ends
        (0.0, 250.0),
        (2.0, 200.0 / (1.0 - 0.2 * 0.125)),  # half of the recovery: nearly the refused rate
        (4.0, 200.0),  # 20 POSTs of 200 ms
        (6.0, 200.0 / 1.25),
        (7.0, 200.0 / (1.0 + 2.0 * 0.75**3)),
        (8.0, PACE_MS),
        (3600.0, PACE_MS),
    ],
)
def test_the_rate_returns_quickly_then_stays_and_then_grows_faster(since_resume: float, interval_ms: float) -> None:
    controller = RateController(PACE_MS, throttled_ms=250.0, throttled_at=NOW)
    assert controller.interval_ms(later(since_resume)) == pytest.approx(interval_ms)


def test_a_429_keeps_80_percent_of_the_rate_at_which_the_post_was_sent() -> None:
    controller = throttled([0.0])
    assert controller == RateController(PACE_MS, 125.0, later(1.0), 2000.0)
    again = throttled([0.0, 1.52])
    assert again.throttled_ms == pytest.approx(controller.interval_ms(later(1.5)) / 0.8)
    assert again.throttled_at == later(2.52)


def test_a_429_to_a_post_from_before_the_end_of_the_pause_only_extends_the_pause() -> None:
    once = throttled([0.0])
    together = once.after_429(later(0.3), 1.0, later(-0.1)).after_429(later(0.9), 5.0, later(0.6))
    assert together == RateController(PACE_MS, once.throttled_ms, later(5.9), once.recovery_ms)
    late = once.after_429(later(1.2), 1.0, later(0.99))  # a slow response
    assert late.throttled_ms == once.throttled_ms
    shorter = throttled([0.0], retry_after=60.0).after_429(later(0.1), 1.0, NOW)
    assert shorter.throttled_at == later(60.0)


def test_a_single_429_costs_a_tenth_of_a_second_beside_its_pause() -> None:
    controller, now, posts = throttled([0.0]), later(1.0), 0
    while now < later(11.0):
        now += timedelta(milliseconds=controller.interval_ms(now))
        posts += 1
    assert posts >= 99


def test_a_workspace_at_the_floor_is_back_at_9_per_second_within_16_s() -> None:
    controller = throttled([number * 1.1 for number in range(60)])
    assert controller.throttled_ms == 1250.0
    assert controller.throttled_at is not None
    assert controller.interval_ms(controller.throttled_at) == 1000.0
    assert controller.interval_ms(controller.throttled_at + timedelta(seconds=16)) <= 1000 / 9


@pytest.mark.parametrize(
    ("retry_after", "recovery_ms"),
    [(1.0, 2_000.0), (2.0, 2_000.0), (30.0, 30_000.0), (60.0, 60_000.0), (900.0, 60_000.0)],
)
def test_after_a_long_pause_the_rate_returns_over_the_same_time(retry_after: float, recovery_ms: float) -> None:
    assert throttled([0.0], retry_after=retry_after).recovery_ms == recovery_ms


@pytest.mark.parametrize(("seconds_later", "recovery_ms"), [(0.0, 2_500.0), (0.249, 2_500.0), (0.25, 60_000.0)])
def test_a_429_directly_after_the_pause_is_an_outage_and_the_rate_returns_soon(
    seconds_later: float, recovery_ms: float
) -> None:
    resumed = RateController(PACE_MS, 125.0, NOW, 60_000.0)
    again = resumed.after_429(later(seconds_later + 0.1), 60.0, later(seconds_later))
    assert again.recovery_ms == pytest.approx(recovery_ms, rel=0.01)


def test_a_low_limit_is_probed_after_6_s_at_most() -> None:
    assert throttled([0.0], rate_limit_ms=700.0).recovery_ms == 6_000.0
    assert RateController(700.0, 1250.0, NOW).interval_ms(later(6.0)) == 1000.0


def test_a_set_pace_slower_than_one_a_second_is_kept() -> None:
    assert throttled([0.0, 10.0, 20.0], rate_limit_ms=5_000.0).interval_ms(later(21.0)) == 5_000.0


def test_without_a_set_pace_a_429_starts_at_10_per_second_and_the_limit_ends_later() -> None:
    controller = throttled([0.0], rate_limit_ms=0.0)
    assert controller.interval_ms(later(1.0)) == pytest.approx(100.0)
    assert 1.0 <= controller.interval_ms(later(6.0)) < 100.0
    assert controller.interval_ms(later(16.0)) == 0.0


def test_state_of_an_earlier_release_is_within_the_bounds() -> None:
    """The earlier release doubled the interval up to a minute and stored no recovery time."""
    controller = RateController(PACE_MS, 60_000.0, NOW)
    assert controller.interval_ms(NOW) == 1000.0
    assert controller.interval_ms(later(30.0)) == PACE_MS


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e308, 5e-324])
def test_any_stored_number_gives_a_finite_interval_within_the_bounds(bad: float) -> None:
    for controller in (RateController(PACE_MS, bad, NOW, 2000.0), RateController(PACE_MS, 125.0, NOW, bad)):
        assert PACE_MS <= controller.interval_ms(later(3.0)) <= 1000.0


FLOATS = st.none() | st.floats()
MOMENTS = st.floats(-1e9, 1e9).map(later)
STATES = st.builds(RateController, st.floats(0.0, 600_000.0), FLOATS, st.none() | MOMENTS, FLOATS)
EVENTS = st.lists(st.tuples(st.floats(-3600.0, 3600.0), st.floats(1.0, 900.0), st.floats(0.0, 40.0)), max_size=12)
"""Seconds since the previous event (negative if the clock went backwards), Retry-After, seconds until the response."""


def within_bounds(controller: RateController, now: datetime) -> bool:
    interval_ms, set_ms = controller.interval_ms(now), controller.rate_limit_ms
    return math.isfinite(interval_ms) and set_ms <= interval_ms <= max(set_ms, 1000.0)


@given(STATES, MOMENTS)
def test_never_faster_than_the_set_pace_nor_slower_than_the_floor(controller: RateController, now: datetime) -> None:
    assert within_bounds(controller, now)


@given(STATES, MOMENTS, st.lists(st.floats(0.0, 600.0), min_size=2, max_size=5))
def test_without_a_429_the_rate_never_decreases(
    controller: RateController, now: datetime, seconds: list[float]
) -> None:
    intervals = [controller.interval_ms(now + timedelta(seconds=each)) for each in sorted(seconds)]
    assert intervals == sorted(intervals, reverse=True)


@given(STATES, EVENTS)
def test_every_sequence_of_429_responses_stays_within_the_bounds(
    controller: RateController, events: list[tuple[float, float, float]]
) -> None:
    """The clock may go backwards."""
    now = NOW
    for step, retry_after, answered_in in events:
        now += timedelta(seconds=step)
        before = controller.interval_ms(now)
        controller = controller.after_429(now, retry_after, now - timedelta(seconds=answered_in))
        assert within_bounds(controller, now)
        assert controller.throttled_at is not None
        assert controller.throttled_at >= now + timedelta(seconds=retry_after)
        assert controller.interval_ms(now) >= before


@given(st.floats(100.0, 600_000.0), EVENTS)
def test_the_set_pace_is_reached_again_within_minutes_of_the_last_429(
    rate_limit_ms: float, events: list[tuple[float, float, float]]
) -> None:
    now, controller = NOW, RateController(rate_limit_ms)
    for step, retry_after, answered_in in events:
        now += timedelta(seconds=abs(step))
        controller = controller.after_429(now, retry_after, now - timedelta(seconds=answered_in))
    resumes_at = controller.throttled_at or now
    assert controller.interval_ms(resumes_at + timedelta(minutes=5)) == controller.rate_limit_ms
