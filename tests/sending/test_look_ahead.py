"""The time by which slots are marked and reserved in advance, while the pacer's statements are fast, slow, and fast again."""

import pytest

from clay_push_service.sending.look_ahead import LookAhead


@pytest.mark.parametrize(
    ("marking", "reserving", "mark_ahead", "reserve_ahead"),
    [
        (0.005, 0.01, 0.1, 0.5),
        (0.1, 0.01, 0.23, 0.5),
        (0.1, 0.1, 0.23, 0.5),
        (0.2, 0.1, 0.43, 0.66),
        (5.0, 5.0, 0.5, 0.8),
    ],
)
def test_slow_steps_mark_and_reserve_further_ahead_up_to_a_limit(
    marking: float, reserving: float, mark_ahead: float, reserve_ahead: float
) -> None:
    ahead = LookAhead()
    ahead.marking.add(marking)
    ahead.reserving.add(reserving)
    assert ahead.mark_seconds == pytest.approx(mark_ahead)
    assert ahead.reserve_seconds == pytest.approx(reserve_ahead)


def test_a_slow_step_is_forgotten_after_some_fast_ones() -> None:
    ahead = LookAhead()
    ahead.marking.add(0.2)
    ahead.marking.add(0.005)
    assert ahead.mark_seconds > 0.4
    for _ in range(40):
        ahead.marking.add(0.005)
    assert ahead.mark_seconds == pytest.approx(0.1)
