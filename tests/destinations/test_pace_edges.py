"""Edge cases of the pace: the limits of the horizon and of a throttled pace, and reservations without slots."""

from datetime import timedelta

import pytest

from clay_push_service.destinations.pace import Pace, Reservation, reserve
from tests.destinations.moments import NOW, ms

NO_WAIT = timedelta(0)


def test_without_a_pace_nothing_is_reserved() -> None:
    for next_slot_at in (NOW, NOW - ms(1)):
        given = reserve(Pace(0, next_slot_at), NOW, 500)
        assert given == Reservation((), NO_WAIT, next_slot_at, unpaced=True)


def test_a_pause_without_a_pace_ends_with_one_slot() -> None:
    given = reserve(Pace(0, NOW + ms(300)), NOW, 500)
    assert given == Reservation((NOW + ms(300),), NO_WAIT, NOW + ms(300))


def test_a_slot_at_the_end_of_the_horizon_is_reserved() -> None:
    given = reserve(Pace(200, NOW + ms(500)), NOW, 3)
    assert given == Reservation((NOW + ms(500),), NO_WAIT, NOW + ms(700), interval=ms(200))


@pytest.mark.parametrize("wanted", [0, -1])
def test_a_request_for_no_slots_reserves_none(wanted: int) -> None:
    assert reserve(Pace(200, NOW), NOW, wanted) == Reservation((), NO_WAIT, NOW)


def test_beyond_the_horizon_the_next_slot_is_unchanged() -> None:
    assert reserve(Pace(200, NOW + ms(900)), NOW, 3) == Reservation((), ms(400), NOW + ms(900))


def test_a_new_push_job_gets_only_one_slot() -> None:
    assert reserve(Pace(100, NOW), NOW, 5, is_first_slot=True) == Reservation(
        (NOW,), NO_WAIT, NOW + ms(100), interval=ms(100)
    )


def test_a_pause_is_not_shortened_by_a_second_429() -> None:
    paused = Pace(200, NOW).throttle(NOW, 300, NOW).throttle(NOW + ms(50), 1, NOW - ms(10))
    assert paused.next_slot_at == NOW + timedelta(seconds=300)
    assert paused.throttled_at == NOW + timedelta(seconds=300)


def test_a_pace_of_one_millisecond_is_applied() -> None:
    assert Pace(1, NOW).throttle(NOW, 1, NOW).interval(NOW) == ms(1.25)
