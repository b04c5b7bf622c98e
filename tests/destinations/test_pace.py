"""The computation of slots. The time is an argument."""

from datetime import timedelta

import pytest

from clay_push_service.destinations.pace import Pace, reserve
from tests.destinations.moments import NOW, ms


@pytest.mark.parametrize(
    ("rate_limit_ms", "next_in_ms", "wanted", "slots_ms", "then_ms"),
    [
        (200, 0, 5, [0, 200, 400], 600),
        (200, -60_000, 5, [0, 200, 400], 600),  # the bucket holds one slot, so unused slots are lost
        (200, 150, 5, [150, 350], 550),
        (200, 0, 1, [0], 200),
        (1000, 0, 5, [0], 1000),
        (100, 0, 99, [0, 100, 200, 300, 400, 500], 600),
    ],
)
def test_slots_are_within_the_horizon_and_one_interval_apart(
    rate_limit_ms: int, next_in_ms: int, wanted: int, slots_ms: list[int], then_ms: int
) -> None:
    given = reserve(Pace(rate_limit_ms, NOW + ms(next_in_ms)), NOW, wanted)
    assert given.slots == tuple(NOW + ms(each) for each in slots_ms)
    assert given.next_slot_at == NOW + ms(then_ms)


def test_beyond_the_horizon_the_time_of_the_next_attempt_is_returned() -> None:
    given = reserve(Pace(200, NOW + ms(900)), NOW, 3)
    assert given.slots == ()
    assert given.wait == ms(400)


def test_a_new_push_job_has_a_longer_horizon_for_its_first_slot_only() -> None:
    given = reserve(Pace(200, NOW + ms(900)), NOW, 3, is_first_slot=True)
    assert given.slots == (NOW + ms(900),)


def test_without_a_pace_all_posts_may_be_sent_immediately() -> None:
    assert reserve(Pace(0, NOW - ms(1)), NOW, 500).unpaced


def test_a_429_moves_the_next_slot_and_lowers_the_rate_to_80_percent() -> None:
    slower = Pace(200, NOW).throttle(NOW, 3, NOW)
    assert slower.next_slot_at == NOW + ms(3000)
    assert slower.interval(NOW) == ms(250)
    assert slower.interval(NOW + ms(3000)) == ms(250)
    assert slower.interval(NOW + ms(3000) + timedelta(seconds=4)) == ms(200)


def test_responses_to_posts_that_were_in_flight_together_lower_it_once() -> None:
    slower = Pace(200, NOW).throttle(NOW, 1, NOW - ms(40)).throttle(NOW + ms(20), 5, NOW - ms(20))
    assert slower.interval(NOW + ms(20)) == ms(250)
    assert slower.next_slot_at == NOW + ms(5020)


def test_a_workspace_without_a_pace_gets_clays_limit_after_a_429() -> None:
    slower = Pace(0, NOW).throttle(NOW, 1, NOW)
    assert slower.interval(NOW) == ms(100)
    waiting = reserve(slower, NOW, 5)
    assert (waiting.slots, waiting.wait) == ((), ms(500))
