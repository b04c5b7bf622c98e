"""Values are stored in one form, compared by one key, and refused where they are not what the field holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clay_push_service.clay.routines_body import fold
from clay_push_service.enrichment.values.fields import Field, FieldNames
from clay_push_service.enrichment.values.normalise import MAX_CHARACTERS, Normalised, Refusal, clean, normalise


@pytest.mark.parametrize(
    ("field", "raw", "expected", "key"),
    [
        ("email", " Ada@Example.COM ", "Ada@example.com", "ada@example.com"),
        ("phone", "+49 30 / 123 456", "+4930123456", "4930123456"),
        ("phone", "(415) 555-2671", "(415) 555-2671", "4155552671"),
        ("phone", "call me", "call me", "call me"),
        ("linkedin_url", "http://www.linkedin.com/in/Ada/?trk=x", "https://linkedin.com/in/Ada", "linkedin.com/in/ada"),
        ("linkedin_url", "de.linkedin.com/in/ada", "https://de.linkedin.com/in/ada", "de.linkedin.com/in/ada"),
        ("twitter_url", "@Ada", "https://x.com/Ada", "x.com/ada"),
        ("twitter_url", "https://twitter.com/ada?lang=en", "https://x.com/ada", "x.com/ada"),
        ("company_website", "WWW.Example.com", "https://example.com", "example.com"),
        ("company_website", "http://example.com:8080/about/", "https://example.com/about", "example.com/about"),
        ("company_website", "bücher.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("company_size", "1", "1", "1"),
        ("company_size", "11-50 employees", "11-50", "11-50"),
        ("company_size", "1,234", "1001-5000", "1001-5000"),
        ("company_size", "500+", "501-1000", "501-1000"),
        ("company_size", "2k", "1001-5000", "1001-5000"),
        ("company_size", "10,001+", "10001+", "10001+"),
        ("job_title", "Head\tof\n  Data", "Head of Data", "head of data"),
        ("industry", "Zo\u0065\u0308", "Zo\u00eb", "zo\u00eb"),
        ("technologies", "Go, AWS; aws\n Rust", ("Go", "AWS", "Rust"), "aws\ngo\nrust"),
        ("technologies", ["Go", "", "go"], ("Go",), "go"),
        ("custom.stage", "Series A", "Series A", "series a"),
    ],
)
def test_a_value_has_one_form_and_one_key(
    field: str, raw: str | list[str], expected: str | tuple[str, ...], key: str
) -> None:
    found = normalise(field, raw)
    assert found == Normalised(expected, key)
    if isinstance(expected, str):
        assert normalise(field, expected) == found, "normalised again, it stays"


def test_a_phone_number_takes_its_country_from_the_location() -> None:
    assert normalise("phone", "(415) 555-2671", "San Francisco, US") == Normalised("+14155552671", "14155552671")
    assert normalise("phone", "(415) 555-2671", "Somewhere") == Normalised("(415) 555-2671", "4155552671")


@pytest.mark.parametrize(
    ("field", "raw", "refusal"),
    [
        ("email", "ada", Refusal.NOT_AN_EMAIL),
        ("email", "ada@localhost", Refusal.NOT_AN_EMAIL),
        ("email", "/Work Email", Refusal.COLUMN_NOT_PICKED),
        ("job_title", "/Job Title", Refusal.COLUMN_NOT_PICKED),
        ("technologies", "/Tech", Refusal.COLUMN_NOT_PICKED),
        ("linkedin_url", "https://linkedin.com.evil.example/in/ada", Refusal.NOT_A_URL),
        ("linkedin_url", "https://example.com/in/ada", Refusal.NOT_A_URL),
        ("company_website", "javascript:alert(1)", Refusal.NOT_A_URL),
        ("company_website", "https://user@example.com", Refusal.NOT_A_URL),
        ("company_website", "not a page", Refusal.NOT_A_URL),
        ("company_website", "ftp://example.com", Refusal.NOT_A_URL),
        ("twitter_url", "https://example.com/ada", Refusal.NOT_A_URL),
        ("company_size", "many", Refusal.NOT_A_SIZE),
        ("company_size", "0", Refusal.NOT_A_SIZE),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused(field: str, raw: str, refusal: Refusal) -> None:
    assert normalise(field, raw) is refusal


@pytest.mark.parametrize("raw", ["", "  ", "\t\n", "null", "NULL", "undefined", "\x00", []])
def test_an_empty_cell_is_no_value(raw: str | list[str]) -> None:
    assert all(normalise(field, raw) is None for field in Field)


@given(st.sampled_from([*Field, "custom.x"]), st.text(max_size=80) | st.lists(st.text(max_size=20), max_size=5))
def test_a_field_reads_or_refuses_any_text(field: str, raw: str | list[str]) -> None:
    found = normalise(field, raw)
    if isinstance(found, Normalised):
        words = [found.value] if isinstance(found.value, str) else list(found.value)
        assert words
        assert all(word == clean(word) for word in words)
        assert found.key


@given(st.text())
def test_clean_text_can_be_stored(text: str) -> None:
    found = clean(text)
    assert len(found) <= MAX_CHARACTERS
    assert clean(found) == found
    assert b"\x00" not in found.encode()


def test_keys_are_compared_without_case_and_separators() -> None:
    names = FieldNames(["funding_stage"])
    for key in ("Email", "E-Mail", "WORK_EMAIL", "workEmail", "email address"):
        assert names.field_of(key) == "email"
    for key in ("Funding Stage", "fundingStage", "custom.funding_stage"):
        assert names.field_of(key) == "custom.funding_stage"
    assert names.field_of("other") is None
    assert names.field_before("Email Confidence", "confidence") == "email"
    assert names.field_before("confidence", "confidence") is None
    assert fold(" Lead-ID ") == "leadid"
