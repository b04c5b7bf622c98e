"""Confidence is reported, derived by a fixed table, or not given; never anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clay_push_service.enrichment.values.confidence import (
    NOT_GIVEN,
    Confidence,
    ConfidenceBand,
    ConfidenceBasis,
    EmailCheck,
    band,
    confidence_of,
    of_likelihood,
    read_percent,
    read_status,
)


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (100, ConfidenceBand.VERY_HIGH), (90, ConfidenceBand.VERY_HIGH), (89, ConfidenceBand.HIGH), (70, ConfidenceBand.HIGH), (69, ConfidenceBand.MEDIUM),
        (50, ConfidenceBand.MEDIUM), (49, ConfidenceBand.LOW), (0, ConfidenceBand.LOW), (None, ConfidenceBand.NOT_GIVEN),
    ],
)  # fmt: skip
def test_bands_are_those_of_the_guide(percent: int | None, expected: ConfidenceBand) -> None:
    assert band(percent) is expected


@pytest.mark.parametrize(
    ("written", "percent"),
    [
        ("92", 92), ("92%", 92), ("92 %", 92), ("0.92", 92), ("0,92", 92), ("1", 100), ("1%", 1), ("0", 0), ("100", 100),
        ("92.4", 92), ("101", None), ("-1", None), ("high", None), ("", None), ("92/100", None), ("1e2", None),
    ],
)  # fmt: skip
def test_a_reported_confidence_is_read_in_the_forms_that_occur(written: str, percent: int | None) -> None:
    assert read_percent(written) == percent


@pytest.mark.parametrize(
    ("written", "percent"),
    [("10", 98), ("9", 95), ("8", 90), ("7", 80), ("6", 70), ("5", 60), ("4", 50), ("3", 30), ("1", 30), ("0", None),
     ("11", None), ("9.5", None), ("x", None), ("", None), ("²", None)],
)  # fmt: skip
def test_a_likelihood_is_derived_by_a_table(written: str, percent: int | None) -> None:
    assert of_likelihood(written) == percent


@pytest.mark.parametrize(
    ("written", "status"),
    [
        ("valid", EmailCheck.VALID), ("Valid", EmailCheck.VALID), ("catch-all", EmailCheck.CATCH_ALL),
        ("accept_all", EmailCheck.CATCH_ALL), ("role-based", EmailCheck.ROLE), ("unknown", EmailCheck.UNKNOWN),
        ("INVALID", EmailCheck.INVALID), ("maybe", None), ("", None),
    ],
)  # fmt: skip
def test_the_words_of_an_email_check(written: str, status: EmailCheck | None) -> None:
    assert read_status(written) is status


@pytest.mark.parametrize(
    ("reported", "likelihood", "status", "expected"),
    [
        ("80", "10", EmailCheck.VALID, Confidence(80, ConfidenceBasis.REPORTED)),
        ("high", "10", EmailCheck.VALID, Confidence(98, ConfidenceBasis.DERIVED)),
        (None, None, EmailCheck.VALID, Confidence(95, ConfidenceBasis.DERIVED)),
        (None, None, EmailCheck.CATCH_ALL, Confidence(60, ConfidenceBasis.DERIVED)),
        (None, None, EmailCheck.ROLE, Confidence(50, ConfidenceBasis.DERIVED)),
        (None, None, EmailCheck.UNKNOWN, Confidence(40, ConfidenceBasis.DERIVED)),
        (None, None, EmailCheck.INVALID, NOT_GIVEN),
        (None, None, None, NOT_GIVEN),
        ("high", "x", None, NOT_GIVEN),
    ],
)
def test_the_first_figure_that_can_be_read_counts(
    reported: str | None, likelihood: str | None, status: EmailCheck | None, expected: Confidence
) -> None:
    assert confidence_of(reported, likelihood, status) == expected


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_text_makes_a_number_out_of_range(reported: str, likelihood: str) -> None:
    found = confidence_of(reported, likelihood)
    assert found.percent is None or 0 <= found.percent <= 100
    assert (found.percent is None) == (found.basis is ConfidenceBasis.NONE)
