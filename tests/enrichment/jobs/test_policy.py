"""What the response to a start means, as a table; and when a run is polled."""

import itertools
from datetime import UTC, datetime

import pytest

from clay_push_service.clay.response import (
    Blocked,
    NoResponse,
    NoResponseKind,
    NotConnected,
    NotConnectedKind,
    Responded,
)
from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.clay.routines_outcome import ApiFailure, Call, failure_of
from clay_push_service.enrichment.ledger.causes import ITEM_EXPLANATIONS, ItemCause
from clay_push_service.enrichment.runs.policy import AFTER_START, POLL_SECONDS, StartAction, after_start, poll_delay

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (400, StartAction.FAIL_ITEMS), (401, StartAction.CLOSE_KEY), (402, StartAction.PAUSE_RULES), (403, StartAction.CLOSE_KEY), (404, StartAction.FAIL_JOBS),
        (410, StartAction.FAIL_JOBS), (302, StartAction.FAIL_ITEMS), (422, StartAction.FAIL_ITEMS), (429, StartAction.RETURN), (500, StartAction.HOLD),
        (502, StartAction.HOLD), (503, StartAction.HOLD), (504, StartAction.HOLD),
    ],
)  # fmt: skip
def test_each_status_of_a_start_has_an_action(status: int, then: StartAction) -> None:
    failure = failure_of(Responded(status), Call.START, NOW)
    assert failure is not None
    assert after_start(failure, 0).then is then


def test_a_start_without_a_response_is_held_and_one_without_a_connection_is_repeated() -> None:
    for response, then in (
        (NoResponse(NoResponseKind.TIMEOUT), StartAction.HOLD),
        (NotConnected(NotConnectedKind.REFUSED), StartAction.RETRY),
        (Blocked("not_allowed"), StartAction.FAIL_JOBS),
    ):
        failure = failure_of(response, Call.START, NOW)
        assert failure is not None
        assert after_start(failure, 0).then is then


def test_a_start_is_connected_four_times_at_most() -> None:
    failure = ApiFailure(ApiCause.NOT_CONNECTED)
    waits = [after_start(failure, attempts) for attempts in range(4)]
    assert [each.wait_seconds for each in waits] == [2, 8, 30, 0]
    assert [each.then for each in waits] == [
        StartAction.RETRY,
        StartAction.RETRY,
        StartAction.RETRY,
        StartAction.FAIL_ITEMS,
    ]
    busy = after_start(ApiFailure(ApiCause.NOT_CONNECTED, retry_after_seconds=1.0), 3)
    assert (busy.then, busy.uses_attempt) == (StartAction.RETRY, False), "a limit of this process uses no attempt"


def test_a_pause_lasts_as_long_as_clay_requires() -> None:
    assert after_start(ApiFailure(ApiCause.RATE_LIMITED, 429, 77.0), 0).wait_seconds == 77
    assert after_start(ApiFailure(ApiCause.RATE_LIMITED, 429), 0).wait_seconds == 30


def test_a_cause_without_a_rule_is_held() -> None:
    for cause in ApiCause:
        decision = after_start(ApiFailure(cause), 0)
        assert cause in AFTER_START or decision.then is StartAction.HOLD


def test_every_cause_has_message_remedy_and_party() -> None:
    for cause in ItemCause:
        explanation = ITEM_EXPLANATIONS[cause]
        assert explanation.message.strip()
        assert explanation.remedy.strip()
    assert {ItemCause(each.value) for each in AFTER_START} <= ITEM_EXPLANATIONS.keys()


def test_polls_become_rarer_and_spread() -> None:
    waits = [poll_delay(polls, is_complete=False, chance=0.5) for polls in range(7)]
    assert waits == [3, 5, 10, 20, 30, 30, 30]
    assert poll_delay(0, is_complete=True, chance=0.5) == 120
    spread = [poll_delay(9, is_complete=False, chance=chance) for chance in (0.0, 1.0)]
    assert spread == pytest.approx([POLL_SECONDS[-1] * 0.9, POLL_SECONDS[-1] * 1.1])
    assert all(expire_deadlines >= earlier for earlier, expire_deadlines in itertools.pairwise(waits))
