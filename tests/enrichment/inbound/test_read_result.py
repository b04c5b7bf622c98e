"""Reading results in the unusual forms in which Clay sends them."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clay_push_service.enrichment.inbound.body import MAX_DEPTH, depth_of, parse_body
from clay_push_service.enrichment.inbound.read_result import ReadResult, UnusableResult, read_result
from clay_push_service.enrichment.values.confidence import ConfidenceBasis, EmailCheck
from clay_push_service.enrichment.values.fields import FieldNames
from clay_push_service.errors import InvalidError

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
ID = "d1c7f7d4-3e5b-4e8e-9d5a-7f0f1b8c2a66"


def read(body: str | dict[str, object], *custom: str) -> ReadResult:
    written = body if isinstance(body, str) else json.dumps(body)
    return read_result(parse_body(written.encode()), FieldNames(custom), NOW)


@pytest.mark.parametrize(
    "body",
    [
        {"delivery_id": ID}, {"Delivery_ID": ID}, {"deliveryId": ID}, {"Delivery Id": ID.upper()}, {"_meta": {"delivery_id": ID}},
        {"meta": {"Delivery-Id": ID}}, {"delivery_id": "", "_meta": {"delivery_id": ID}},
    ],
)  # fmt: skip
def test_a_delivery_is_found_in_any_case_and_place(body: dict[str, object]) -> None:
    found = read(body)
    assert (found.delivery_id, found.problem) == (UUID(ID), None)


@pytest.mark.parametrize("key", ["nexusleads_contributor_id", "lead_id", "Contributor ID", "LeadId", "member_id"])
def test_a_lead_is_found_by_the_names_of_its_id(key: str) -> None:
    assert read({key: ID}).lead_id == UUID(ID)


def test_an_item_is_found() -> None:
    assert read({"item_id": ID}).item_id == UUID(ID)


def test_a_key_that_occurs_twice_keeps_the_value_that_is_not_empty_and_warns() -> None:
    for body in (
        f'{{"delivery_id": "{ID}", "email": "ada@example.com", "Email": ""}}',
        f'{{"delivery_id": "{ID}", "email": "", "email": "ada@example.com"}}',
    ):
        found = read(body)
        assert found.found == ["email"]
        assert found.not_found == []
        assert ["more than once" in each for each in found.warnings] == [True]


def test_a_field_with_two_names_takes_the_name_with_a_value() -> None:
    found = read({"lead_id": ID, "email": "", "work_email": "ada@example.com"})
    assert (found.found, found.not_found) == (["email"], [])


def test_an_empty_value_is_not_found_and_a_missing_one_is_not_searched() -> None:
    found = read({"lead_id": ID, "phone": "", "email": None, "industry": "  "})
    assert found.found == []
    assert sorted(found.not_found) == ["email", "industry", "phone"]


def test_numbers_booleans_and_objects() -> None:
    found = read({"lead_id": ID, "company_size": 1200, "industry": True, "location": {"city": "x"}, "row": 1})
    values = {each.field: each.found.value for each in found.values if each.found is not None}
    assert values == {"company_size": "1001-5000", "industry": "true"}
    assert found.ignored == ("row",)
    assert found.warnings == ("location: an object or a mixed list is not a value.",)


def test_confidence_status_provider_and_time_belong_to_their_value() -> None:
    found = read(
        {
            "lead_id": ID, "email": "ada@example.com", "email_status": "catch-all", "email_provider": "Hunter", "provider": "Clay",
            "phone": "+4930123456", "phone confidence": "0.7", "last_run": "2026-11-29T08:00:00Z",
        }
    )  # fmt: skip
    email, phone = found.values
    assert (email.status, email.provider) == (EmailCheck.CATCH_ALL, "Hunter")
    assert (email.confidence.percent, email.confidence.basis) == (60, ConfidenceBasis.DERIVED)
    assert (phone.confidence.percent, phone.confidence.basis, phone.provider) == (70, ConfidenceBasis.REPORTED, "Clay")
    assert found.observed_at == NOW - timedelta(days=1, hours=1)
    assert (found.ignored, found.warnings) == ((), ())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-30T10:00:00+02:00", NOW - timedelta(hours=1)), (1764000000, datetime(2025, 11, 24, 16, 0, tzinfo=UTC)),
        ("1764000000000", datetime(2025, 11, 24, 16, 0, tzinfo=UTC)), ("2026-11-30T09:00:30Z", NOW),
        ("2027-01-01", None), ("yesterday", None), ("9999999999999", None),
    ],
)  # fmt: skip
def test_a_future_or_invalid_time_is_ignored(written: object, expected: datetime | None) -> None:
    found = read({"lead_id": ID, "observed_at": written})
    assert found.observed_at == expected
    assert bool(found.warnings) == (expected is None)


def test_a_column_that_was_typed_and_not_picked_is_explained() -> None:
    found = read({"delivery_id": "/delivery_id", "email": "/Work Email"})
    assert found.problem is UnusableResult.COLUMN_NOT_PICKED
    assert found.values == ()
    assert all("pick the column" in each for each in found.warnings)
    assert len(found.warnings) == 2


def test_custom_fields_are_stored_only_if_they_are_allowed() -> None:
    body: dict[str, object] = {"lead_id": ID, "Funding Stage": "A", "custom": {"News": "x", "other": "y"}}
    found = read(body, "funding_stage", "news")
    assert sorted(found.found) == ["custom.funding_stage", "custom.news"]
    assert found.ignored == ("custom.other",)
    assert read(body).found == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [("[]", UnusableResult.NOT_AN_OBJECT), ('"x"', UnusableResult.NOT_AN_OBJECT), ("{}", UnusableResult.NO_ID)],
)
def test_a_body_without_ids_cannot_be_used(body: str, problem: UnusableResult) -> None:
    assert read(body).problem is problem


@pytest.mark.parametrize("body", [b"{", b"", b"nope", b'{"a": NaN}', b"\xff", b'{"a": "x" y"}'])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidError):
        parse_body(body)


def test_the_depth_is_limited_before_parsing() -> None:
    assert depth_of(b'{"a": "[[[[", "b": [{}]}') == 3
    assert depth_of(b'"\\"[[[["') == 0
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert parse_body(deepest)
    with pytest.raises(InvalidError, match="levels deep"):
        parse_body(b"[" + deepest + b"]")
    with pytest.raises(InvalidError, match="levels deep"):
        parse_body(b"[" * 200_000)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["delivery_id", "_meta", "email", "Email", "phone", "technologies", "custom", "confidence", "last_run"]
)


@given(st.dictionaries(KEYS | st.text(max_size=10), JSON, max_size=8))
def test_the_reader_accepts_any_body(body: dict[str, object]) -> None:
    found = read(json.dumps(body), "stage")
    assert found.delivery_id is None or found.problem is None


@given(st.binary(max_size=200))
def test_the_parser_reads_or_refuses_any_bytes(body: bytes) -> None:
    with contextlib.suppress(InvalidError):
        parse_body(body)
