"""The health of a destination as a pure function of responses: which ones open, close or pause it, and which do not change it."""

import pytest

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import Outcome, Streaks, outcome_of
from clay_push_service.clay.response import NoResponse, NoResponseKind, Responded
from clay_push_service.deliveries.destination_health import Health
from clay_push_service.states import DestinationState
from tests.support.moments import NOW

OPEN, WAITING, CLOSED = DestinationState.OPEN, DestinationState.WAITING, DestinationState.CLOSED


def answers(*statuses: int) -> list[Outcome]:
    return [outcome_of(Responded(status), 1, NOW) for status in statuses]


@pytest.mark.parametrize(
    ("before", "statuses", "after"),
    [
        (Health(OPEN, Streaks()), (), Health(OPEN, Streaks())),
        (Health(OPEN, Streaks()), (401, 401), Health(OPEN, Streaks(2, 0))),
        (Health(OPEN, Streaks()), (401, 404, 401), Health(CLOSED, Streaks(3, 0), Cause.UNAUTHORIZED)),
        (Health(OPEN, Streaks()), (401, 401, 404), Health(CLOSED, Streaks(3, 0), Cause.WEBHOOK_GONE)),
        (Health(OPEN, Streaks(2, 0)), (200,), Health(OPEN, Streaks())),
        (Health(OPEN, Streaks()), (500,) * 9, Health(OPEN, Streaks(0, 9))),
        (Health(OPEN, Streaks()), (500,) * 10, Health(WAITING, Streaks(0, 10), Cause.SERVER_ERROR)),
        (Health(OPEN, Streaks(1, 9)), (500,), Health(WAITING, Streaks(1, 10), Cause.SERVER_ERROR)),
        (Health(WAITING, Streaks(0, 10), Cause.NETWORK_ERROR), (500,),
         Health(WAITING, Streaks(0, 11), Cause.NETWORK_ERROR)),
        (Health(WAITING, Streaks(0, 10), Cause.SERVER_ERROR), (200,), Health(OPEN, Streaks())),
        (Health(WAITING, Streaks(0, 10), Cause.SERVER_ERROR), (401,), Health(OPEN, Streaks(1, 0))),
        (Health(WAITING, Streaks(2, 10), Cause.SERVER_ERROR), (401,),
         Health(CLOSED, Streaks(3, 0), Cause.UNAUTHORIZED)),
        (Health(WAITING, Streaks(0, 10), Cause.SERVER_ERROR), (429,),
         Health(WAITING, Streaks(0, 10), Cause.SERVER_ERROR)),
        (Health(WAITING, Streaks(0, 5), Cause.SERVER_ERROR), (500,),
         Health(WAITING, Streaks(0, 6), Cause.SERVER_ERROR)),
        (Health(CLOSED, Streaks(3, 0), Cause.UNAUTHORIZED), (200, 200),
         Health(CLOSED, Streaks(3, 0), Cause.UNAUTHORIZED)),
        (Health(OPEN, Streaks()), (401, 401, 401, 200), Health(CLOSED, Streaks(3, 0), Cause.UNAUTHORIZED)),
    ],
)  # fmt: skip
def test_responses_change_the_state_of_a_destination(before: Health, statuses: tuple[int, ...], after: Health) -> None:
    assert before.after(answers(*statuses)) == after


def test_a_missing_response_does_not_change_a_destination() -> None:
    before = Health(WAITING, Streaks(1, 10), Cause.SERVER_ERROR)
    assert before.after([outcome_of(NoResponse(NoResponseKind.TIMEOUT), 1, NOW)]) == before
