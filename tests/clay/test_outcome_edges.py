"""Edge cases of the table of outcomes: streaks, and a Retry-After date with the clock that it is compared with."""

from datetime import timedelta

from clay_push_service.clay.outcome import Streaks, outcome_of
from clay_push_service.clay.response import Responded
from tests.support.moments import NOW


def test_a_refusal_ends_the_outages_and_an_outage_leaves_the_refusals() -> None:
    assert Streaks(1, 5).after(outcome_of(Responded(404), 1, NOW)) == Streaks(2, 0)
    assert Streaks(2, 5).after(outcome_of(Responded(500), 1, NOW)) == Streaks(2, 6)
    assert Streaks(2, 5).after(outcome_of(Responded(422), 1, NOW)) == Streaks(0, 0)


def test_a_retry_after_date_counts_from_the_given_moment() -> None:
    answer = Responded(429, "Wed, 11 Feb 2026 12:01:00 GMT")
    assert outcome_of(answer, 1, NOW).retry_after_seconds == 60
    assert outcome_of(answer, 1, NOW + timedelta(seconds=20)).retry_after_seconds == 40
