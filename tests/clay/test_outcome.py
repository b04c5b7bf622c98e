"""Tests each row of the API contract's table of Clay's responses and their outcomes."""

import pytest

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.clay.outcome import (
    Outcome,
    Streak,
    Streaks,
    Verdict,
    backoff_seconds,
    outcome_of,
    retry_after,
)
from clay_push_service.clay.response import (
    Blocked,
    NoResponse,
    NoResponseKind,
    NotConnected,
    NotConnectedKind,
    Responded,
    Response,
)
from tests.support.moments import NOW

CAP = b'{"message":"Record limit reached for webhook"}'


def refused(cause: Cause, status: int) -> Outcome:
    return Outcome(Verdict.FAILED, cause, status, counts_toward=Streak.REFUSAL)


def rejected(status: int) -> Outcome:
    return Outcome(Verdict.FAILED, Cause.REJECTED, status, resets_streaks=True)


def unknown(status: int | None = None) -> Outcome:
    return Outcome(Verdict.FAILED, Cause.UNKNOWN, status, submissions=1)


TABLE: list[tuple[Response, Outcome]] = [
    *(
        (Responded(s), Outcome(Verdict.SUCCESS, status=s, resets_streaks=True, submissions=1))
        for s in (200, 201, 202, 204, 299)
    ),
    *((Responded(s), rejected(s)) for s in (400, 402, 405, 408, 413, 415, 422, 425, 451, 499)),
    (Responded(401), refused(Cause.UNAUTHORIZED, 401)),
    (Responded(403, body=CAP), refused(Cause.QUOTA_EXHAUSTED, 403)),
    (Responded(403, body=CAP.upper()), refused(Cause.QUOTA_EXHAUSTED, 403)),
    (Responded(403), rejected(403)),
    (Responded(403, body=b"forbidden by a firewall"), rejected(403)),
    (Responded(400, body=CAP), rejected(400)),
    *((Responded(s), refused(Cause.WEBHOOK_GONE, s)) for s in (300, 301, 302, 303, 307, 308, 399, 404, 410)),
    (Responded(429), Outcome(Verdict.WAIT, status=429, retry_after_seconds=1, uses_attempt=False)),
    (Responded(429, "30"), Outcome(Verdict.WAIT, status=429, retry_after_seconds=30, uses_attempt=False)),
    *(
        (Responded(s), Outcome(Verdict.RETRY, Cause.SERVER_ERROR, s, counts_toward=Streak.OUTAGE))
        for s in (500, 502, 503, 504, 599)
    ),
    *(
        (NotConnected(k), Outcome(Verdict.RETRY, Cause.NETWORK_ERROR, counts_toward=Streak.OUTAGE))
        for k in NotConnectedKind
        if k not in {NotConnectedKind.BUSY, NotConnectedKind.CERTIFICATE}
    ),
    (
        NotConnected(NotConnectedKind.CERTIFICATE),
        Outcome(Verdict.RETRY, Cause.CERTIFICATE_ERROR, counts_toward=Streak.OUTAGE),
    ),
    *(
        (
            Responded(200, body=body),
            Outcome(Verdict.SUCCESS, status=200, resets_streaks=True, submissions=1, is_page=True),
        )
        for body in (
            b"<!doctype html>",
            b"<!DOCTYPE HTML PUBLIC",
            b"<html>",
            b"<HTML lang=en>",
            b"\xef\xbb\xbf<!Doctype html>",
            b" \r\n\t<html>",
            b"\xef\xbb\xbf\n  <html",
            "\ufeff\n<!doctype html>".encode("utf-16"),
        )
    ),
    *(
        (Responded(200, body=body), Outcome(Verdict.SUCCESS, status=200, resets_streaks=True, submissions=1))
        for body in (b"", b"OK", b'{"html": "<html>"}', b"ok <html>", b"<!-- x -->", b"\xff\xfe", b"<p>thanks</p>")
    ),
    (NotConnected(NotConnectedKind.BUSY), Outcome(Verdict.WAIT, retry_after_seconds=1, uses_attempt=False)),
    *((NoResponse(k), unknown()) for k in NoResponseKind),
    *((Responded(s), unknown(s)) for s in (100, 101, 199, 600, 999)),
    (Blocked("not_https"), Outcome(Verdict.FAILED, Cause.BLOCKED)),
]


@pytest.mark.parametrize(("answer", "outcome"), TABLE, ids=lambda value: repr(value)[:60])
def test_each_response_has_its_outcome(answer: Response, outcome: Outcome) -> None:
    assert outcome_of(answer, 1, NOW) == outcome


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(Responded(500), Cause.SERVER_ERROR), (NotConnected(NotConnectedKind.DNS), Cause.NETWORK_ERROR)],
)
@pytest.mark.parametrize(
    ("attempts", "verdict"),
    [(1, Verdict.RETRY), (2, Verdict.RETRY), (3, Verdict.RETRY), (4, Verdict.FAILED), (5, Verdict.FAILED)],
)
def test_an_outage_is_retried_three_times(answer: Response, cause: Cause, attempts: int, verdict: Verdict) -> None:
    outcome = outcome_of(answer, attempts, NOW)
    assert (outcome.verdict, outcome.cause, outcome.counts_toward) == (verdict, cause, Streak.OUTAGE)


@pytest.mark.parametrize("answer", [Responded(429), NotConnected(NotConnectedKind.BUSY)])
def test_throttled_delivery_keeps_its_attempts_and_streaks(answer: Response) -> None:
    outcome = outcome_of(answer, 4, NOW)
    assert (outcome.verdict, outcome.uses_attempt, outcome.cause) == (Verdict.WAIT, False, None)
    assert Streaks(2, 9).after(outcome) == Streaks(2, 9)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        ("1.5", 1.5),
        ("7.", 7),
        ("0", 1),
        ("0.2", 1),
        ("900", 900),
        ("901", 900),
        ("9" * 400, 900),
        ("-5", 1),
        (None, 1),
        ("", 1),
        ("soon", 1),
        ("inf", 1),
        ("nan", 1),
        ("1e3", 1),
        ("1_0", 1),
        ("٣", 1),
        ("Wed, 11 Feb 2026 12:01:00 GMT", 60),
        ("Wednesday, 11-Feb-26 12:01:00 GMT", 60),
        ("Wed, 11 Feb 2026 12:01:00 -0000", 60),
        ("Wed, 11 Feb 2026 14:01:00 +0200", 60),
        ("Wed, 11 Feb 2026 11:00:00 GMT", 1),
        ("Thu, 11 Feb 2027 12:00:00 GMT", 900),
        ("Wed, 99 Feb 2026 12:01:00 GMT", 1),
        ("Wed, 11 Feb 99999 12:01:00 GMT", 1),
    ],
)
def test_retry_after_is_read_and_clamped(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOW) == seconds


def test_the_third_consecutive_refusal_closes_the_destination() -> None:
    streaks = Streaks()
    for closes in (False, False, True):
        streaks = streaks.after(outcome_of(Responded(401), 1, NOW))
        assert streaks.closes is closes


@pytest.mark.parametrize(("between", "closes"), [(200, False), (400, False), (500, True), (429, True)])
def test_these_outcomes_end_a_streak_of_refusals(between: int, closes: bool) -> None:
    streaks = Streaks()
    for status in (401, 404, between, 401):
        streaks = streaks.after(outcome_of(Responded(status), 1, NOW))
    assert streaks.closes is closes


@pytest.mark.parametrize(("between", "waits"), [(200, False), (400, False), (401, False), (429, True)])
def test_these_outcomes_end_a_streak_of_outages(between: int, waits: bool) -> None:
    streaks = Streaks()
    for status in (500,) * 9 + (between, 500):
        streaks = streaks.after(outcome_of(Responded(status), 1, NOW))
    assert streaks.waits is waits


@pytest.mark.parametrize(
    ("attempt", "random", "seconds"), [(1, 0, 1), (1, 0.5, 2), (2, 0.5, 8), (3, 0.999, 44.97), (9, 0.5, 30)]
)
def test_the_backoff_grows_and_has_jitter(attempt: int, random: float, seconds: float) -> None:
    assert backoff_seconds(attempt, (2.0, 8.0, 30.0), random) == pytest.approx(seconds)


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_has_a_message_of_one_sentence(cause: Cause) -> None:
    explanation = EXPLANATIONS[cause]
    assert explanation.message.endswith(".")
    assert ". " not in explanation.message
    assert explanation.remedy.endswith(".")


def test_causes_of_leads_that_may_be_in_clay_are_not_retryable() -> None:
    assert not any(EXPLANATIONS[cause].retryable for cause in (Cause.UNKNOWN, Cause.MAYBE_IN_CLAY, Cause.ERASED))
