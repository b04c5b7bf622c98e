"""Tests each row of the table of outcomes of Clay's public API, and the texts of the enrichment guide."""

from datetime import UTC, datetime

import pytest

from clay_push_service.clay.response import (
    Blocked,
    NoResponse,
    NoResponseKind,
    NotConnected,
    NotConnectedKind,
    Responded,
    Response,
)
from clay_push_service.clay.routines_cause import API_EXPLANATIONS, ApiCause
from clay_push_service.clay.routines_outcome import KEY_CHARACTERS, ApiFailure, Call, failure_of

NOW = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)
PAGE = b"\xef\xbb\xbf <!DOCTYPE html><title>Sign in</title>"

BOTH: list[tuple[Response, ApiFailure | None]] = [
    *((Responded(status, body=b"{}"), None) for status in (200, 201, 202, 204, 299)),
    *((Responded(status), ApiFailure(ApiCause.INVALID_CREDENTIALS, status)) for status in (401, 403)),
    (Responded(402), ApiFailure(ApiCause.INSUFFICIENT_CREDITS, 402)),
    *((Responded(status), ApiFailure(ApiCause.NOT_FOUND, status)) for status in (404, 410)),
    *((Responded(status), ApiFailure(ApiCause.REJECTED, status)) for status in (400, 405, 408, 413, 415, 422, 499)),
    *((Responded(status), ApiFailure(ApiCause.UNREADABLE, status)) for status in (301, 302, 304, 307, 308)),
    (Responded(429), ApiFailure(ApiCause.RATE_LIMITED, 429, 1.0)),
    (Responded(429, "7"), ApiFailure(ApiCause.RATE_LIMITED, 429, 7.0)),
    (Responded(429, "Mon, 30 Nov 2026 12:01:00 GMT"), ApiFailure(ApiCause.RATE_LIMITED, 429, 60.0)),
    (Responded(429, "86400"), ApiFailure(ApiCause.RATE_LIMITED, 429, 900.0)),
    *(
        (NotConnected(kind), ApiFailure(ApiCause.NOT_CONNECTED))
        for kind in NotConnectedKind
        if kind is not NotConnectedKind.BUSY
    ),
    (NotConnected(NotConnectedKind.BUSY), ApiFailure(ApiCause.NOT_CONNECTED, retry_after_seconds=1.0)),
    (Blocked("host_not_allowed"), ApiFailure(ApiCause.BLOCKED)),
    (Blocked(KEY_CHARACTERS), ApiFailure(ApiCause.INVALID_CREDENTIALS)),
]
BY_CALL: list[tuple[Response, int | None, ApiCause]] = [
    *((Responded(status), status, ApiCause.SERVER_ERROR) for status in (500, 502, 503, 504, 599, 101, 600)),
    *((NoResponse(kind), None, ApiCause.NO_RESPONSE) for kind in NoResponseKind),
    (Responded(200, body=PAGE), 200, ApiCause.UNREADABLE),
]


@pytest.mark.parametrize("call", Call)
@pytest.mark.parametrize(("response", "expected"), BOTH)
def test_responses_that_mean_the_same_for_a_start_and_a_read(
    response: Response, expected: ApiFailure | None, call: Call
) -> None:
    assert failure_of(response, call, NOW) == expected


@pytest.mark.parametrize(("response", "status", "cause"), BY_CALL)
def test_a_start_without_a_clear_response_is_held(response: Response, status: int | None, cause: ApiCause) -> None:
    assert failure_of(response, Call.READ, NOW) == ApiFailure(cause, status)
    held = failure_of(response, Call.START, NOW)
    assert held == ApiFailure(ApiCause.HELD, status)
    assert held.may_have_started


def test_only_a_held_start_may_have_started() -> None:
    assert [cause for cause in ApiCause if ApiFailure(cause).may_have_started] == [ApiCause.HELD]


def test_each_cause_has_a_message_and_a_remedy() -> None:
    assert set(API_EXPLANATIONS) == set(ApiCause)
    assert all(each.message and each.remedy.endswith(".") for each in API_EXPLANATIONS.values())


@pytest.mark.parametrize(
    ("cause", "message", "advice"),
    [
        (
            ApiCause.NOT_CONFIGURED,
            "Clay API credentials not configured",
            ["Ensure there are no extra spaces or quotes"],
        ),
        (
            ApiCause.INVALID_CREDENTIALS,
            "Invalid Clay API credentials",
            [
                "Check that your API key is correct",
                "Verify your Clay subscription is active",
                "Ensure your API key hasn't been revoked",
            ],
        ),
        (
            ApiCause.NO_DATA,
            "No data found",
            [
                "Lead may have limited online presence",
                "Try providing more information (company website, LinkedIn URL)",
                "Some data may not be publicly available",
                "Check Clay's data sources for coverage in specific regions",
            ],
        ),
        (
            ApiCause.RATE_LIMITED,
            "Rate limit",
            [
                "Clay has API rate limits based on your plan",
                "Spread out batch enrichments",
                "Contact Clay support for higher limits",
            ],
        ),
        (
            ApiCause.INSUFFICIENT_CREDITS,
            "Insufficient credits",
            [
                "Check your credit balance in Clay dashboard",
                "Upgrade your plan for more credits",
                "Purchase additional credit packs",
            ],
        ),
    ],
)
def test_messages_and_advice_are_those_of_the_enrichment_guide(
    cause: ApiCause, message: str, advice: list[str]
) -> None:
    assert API_EXPLANATIONS[cause].message == message
    for sentence in advice:
        assert sentence in API_EXPLANATIONS[cause].remedy
