"""The payload of section 3.2 of the feature document, field for field, for all values that the host's rows can contain."""

import dataclasses
import hashlib
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.payload import MAX_PAYLOAD_BYTES, build, is_comparable
from clay_push_service.leads.payload_fields import STATS_FIELDS, PayloadError
from clay_push_service.leads.sample_payload import build_sample
from tests.leads.any_lead import any_day, any_number, any_row, any_stats, any_text, numbers, texts
from tests.leads.payload_examples import DELIVERY, JOHN, LEAD, PROJECT, THEN, Json, built, read

DOCUMENT = """{
  "_meta": {"source": "nexusleads", "nexusleads_project": "Acme Platform Leads",
    "nexusleads_project_id": "00000000-0000-0000-0000-000000000002", "nexusleads_repository": "acme/platform",
    "nexusleads_repository_id": "00000000-0000-0000-0000-000000000003",
    "nexusleads_contributor_id": "00000000-0000-0000-0000-000000000001", "pushed_at": "2026-02-11T00:00:00Z",
    "delivery_id": "00000000-0000-4000-8000-0000000000dd"},
  "github_username": "johndoe", "full_name": "John Doe", "email": "john@example.com",
  "github_url": "https://github.com/johndoe", "avatar_url": "https://avatars.githubusercontent.com/u/1",
  "company": "Acme Corp", "location": "San Francisco, CA", "bio": "Senior Engineer at Acme", "public_repos": 45,
  "followers": 230, "following": 120, "linkedin_url": "https://linkedin.com/in/johndoe",
  "linkedin_headline": "Senior Software Engineer at Acme Corp", "current_company": "Acme Corp",
  "current_position": "Senior Software Engineer", "position_level": "Senior", "industry": "Technology",
  "years_of_experience": 8, "skills": ["Python", "Kubernetes", "Go"], "classification": "DECISION_MAKER",
  "classification_confidence": 0.87, "classification_reasoning": "Senior engineer with 8 years experience...",
  "overall_score": 82.5, "activity_score": 75.0, "influence_score": 88.0, "position_score": 90.0,
  "engagement_score": 70.0, "priority": "high", "is_qualified_lead": true,
  "raw_github_stats": {"total_commits": 342, "commits_last_3_months": 45, "commits_last_6_months": 98,
    "commits_last_year": 210, "pull_requests": 67, "issues_opened": 23, "issues_closed": 18, "code_reviews": 89,
    "is_maintainer": true, "is_core_team": false, "first_commit_date": "2024-03-15", "last_commit_date": "2026-02-10"}
}"""


def keys(payload: Json) -> list[object]:
    return [list(payload), list(payload["_meta"])]  # type: ignore[call-overload]  # the test reads what it just wrote


def test_the_payload_has_the_fields_of_the_document_in_its_order() -> None:
    assert json.dumps(built(JOHN)) == json.dumps(json.loads(DOCUMENT))


def test_unknown_values_are_null_and_all_keys_exist() -> None:
    empty = built(LeadRow(LEAD, PROJECT))
    assert keys(empty) == keys(built(JOHN))
    assert {value for key, value in empty.items() if key != "_meta"} == {None}
    nothing_counted = built(LeadRow(LEAD, PROJECT, activity_rows=1))["raw_github_stats"]
    assert nothing_counted == dict.fromkeys(STATS_FIELDS)


def test_the_hash_changes_if_and_only_if_the_lead_changes() -> None:
    first = build(JOHN, DELIVERY, THEN)
    again = build(JOHN, UUID(int=9), THEN + timedelta(days=3))
    assert again.hash == first.hash
    assert again.body != first.body
    assert is_comparable(first.hash)
    for changed in (
        {"email": "new@example.com"},
        {"overall_score": Decimal("82.6")},
        {"skills": ["Go", "Python", "Kubernetes"]},
        {"activity_rows": 0},
    ):
        assert build(dataclasses.replace(JOHN, **changed), DELIVERY, THEN).hash != first.hash


@pytest.mark.parametrize("name", ["project_name", "source_name"])
def test_renaming_a_project_or_a_repository_does_not_change_the_hash(name: str) -> None:
    renamed = build(dataclasses.replace(JOHN, **{name: "Renamed"}), DELIVERY, THEN)  # type: ignore[arg-type]  # both are texts
    assert renamed.hash == build(JOHN, DELIVERY, THEN).hash
    assert b"Renamed" in renamed.body


def test_a_hash_of_an_earlier_version_is_not_compared() -> None:
    assert not is_comparable(hashlib.sha256(b"as it was made before").digest())
    assert not is_comparable(b"\x01" + build(JOHN, DELIVERY, THEN).hash[1:])


def test_the_hash_does_not_depend_on_the_notation_of_a_number() -> None:
    assert (
        build(dataclasses.replace(JOHN, overall_score=Decimal("82.50")), DELIVERY, THEN).hash
        == build(JOHN, DELIVERY, THEN).hash
    )


def test_pushed_at_is_utc_and_ends_with_z() -> None:
    berlin = datetime(2026, 2, 11, 1, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    meta = read(build(JOHN, DELIVERY, berlin))["_meta"]
    assert isinstance(meta, dict)
    assert meta["pushed_at"] == "2026-02-11T00:00:00Z"


def test_pushed_at_without_a_time_zone_raises() -> None:
    with pytest.raises(ValueError, match="time zone"):
        build(JOHN, DELIVERY, THEN.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("field", "value", "written"),
    [
        ("bio", "a\0b", "ab"),
        ("bio", "x\ud83d", "x\ufffd"),
        ("bio", "\udc00\ud800y", "\ufffd\ufffdy"),
        ("bio", "🏳️‍🌈 \u2028\u0007", "🏳️‍🌈 \u2028\u0007"),
        ("bio", "", ""),
        ("overall_score", Decimal("NaN"), None),
        ("overall_score", Decimal("sNaN"), None),
        ("overall_score", Decimal("-Infinity"), None),
        ("overall_score", float("inf"), None),
        ("overall_score", 10**400, None),
        ("overall_score", Decimal("1E+400"), None),
        ("overall_score", 7, 7.0),
        ("followers", 2**63, None),
        ("followers", 2**63 - 1, 2**63 - 1),
        ("followers", -(2**63) - 1, None),
        ("years_of_experience", Decimal("7.0"), 7),
        ("years_of_experience", Decimal("NaN"), None),
        ("years_of_experience", Decimal("sNaN"), None),
        ("years_of_experience", Decimal("1E+900000"), None),
        ("skills", [None, "", "  ", "Go", " Go ", "R\0ust"], ["Go", "Rust"]),
        ("skills", [], []),
    ],
)
def test_values_that_json_cannot_represent_are_cleaned(field: str, value: object, written: object) -> None:
    assert built(dataclasses.replace(JOHN, **{field: value}))[field] == written  # type: ignore[arg-type]  # hosts hold such values


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (date.max, None),
        (date.min, None),
        (datetime.max, None),  # noqa: DTZ901  # what asyncpg makes of infinity
        (datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))), None),
        (datetime(2026, 2, 10, 23, 30, tzinfo=timezone(timedelta(hours=-1))), "2026-02-11"),
        (date(1, 1, 2), "0001-01-02"),
    ],
)
def test_days_are_in_iso_format_and_an_infinite_day_is_null(value: date, written: str | None) -> None:
    stats = built(dataclasses.replace(JOHN, first_commit_date=value))["raw_github_stats"]
    assert isinstance(stats, dict)
    assert stats["first_commit_date"] == written


@pytest.mark.parametrize(
    ("field", "value"),
    [("bio", b"secret"), ("overall_score", "secret"), ("followers", True), ("skills", "secret"), ("skills", [["secret"]]),
     ("is_qualified_lead", "secret"), ("skills", 5), ("followers", object())],
)  # fmt: skip
def test_the_error_names_the_field_of_an_invalid_value_and_not_the_value(field: str, value: object) -> None:
    with pytest.raises(PayloadError) as refused:
        built(dataclasses.replace(JOHN, **{field: value}))  # type: ignore[arg-type]  # that is the point
    assert refused.value.cause == "invalid_lead"
    assert field in refused.value.detail
    assert "secret" not in refused.value.detail


def test_the_error_names_the_field_of_an_invalid_value_in_meta_or_stats() -> None:
    with pytest.raises(PayloadError, match=r"_meta\.nexusleads_repository_id"):
        built(dataclasses.replace(JOHN, source_id="x"))  # type: ignore[arg-type]
    with pytest.raises(PayloadError, match=r"raw_github_stats\.last_commit_date"):
        built(dataclasses.replace(JOHN, last_commit_date="yesterday"))  # type: ignore[arg-type]


def test_the_largest_body_has_100_000_bytes() -> None:
    room = MAX_PAYLOAD_BYTES - len(build(dataclasses.replace(JOHN, bio=""), DELIVERY, THEN).body)
    assert len(build(dataclasses.replace(JOHN, bio="x" * room), DELIVERY, THEN).body) == MAX_PAYLOAD_BYTES
    with pytest.raises(PayloadError, match="100,001 bytes") as refused:
        build(dataclasses.replace(JOHN, bio="x" * (room + 1)), DELIVERY, THEN)
    assert refused.value.cause == "too_large"
    with pytest.raises(PayloadError, match="bytes"):  # bytes count, not characters
        build(dataclasses.replace(JOHN, bio="界" * (room // 3 + 1)), DELIVERY, THEN)


def test_the_sample_has_all_keys_and_a_user_for_tests() -> None:
    found = read(build_sample(DELIVERY, THEN))
    assert keys(found) == keys(built(JOHN))
    assert None not in found.values()
    assert found["github_username"] == "nexusleads-test"
    assert str(found["email"]).endswith("@example.com")
    assert found["_meta"]["source"] == "nexusleads"  # type: ignore[index]
    assert found["_meta"]["delivery_id"] == str(DELIVERY)  # type: ignore[index]
    assert list(found["raw_github_stats"]) == list(STATS_FIELDS)  # type: ignore[call-overload]


@given(any_row, st.uuids(), st.datetimes(timezones=st.just(UTC)))
@settings(max_examples=150, deadline=None)
def test_all_possible_host_values_become_strict_json_with_all_keys(
    row: LeadRow, delivery: UUID, then: datetime
) -> None:
    payload = build(row, delivery, then)
    found = read(payload)
    assert keys(found) == keys(built(JOHN))
    assert "\\u0000" not in payload.body.decode()
    assert build(row, DELIVERY, THEN).hash == payload.hash


nonsense = st.none() | st.booleans() | any_number | any_text | st.binary() | st.lists(st.binary()) | st.tuples(any_day)


@given(st.sampled_from([*texts, *numbers, "skills", "is_qualified_lead", "source_id", *any_stats]), nonsense)
@settings(max_examples=300, deadline=None)
def test_an_invalid_lead_does_not_stop_other_leads(field: str, value: object) -> None:
    try:
        built(dataclasses.replace(JOHN, **{field: value}))  # type: ignore[arg-type]
    except PayloadError as refused:
        assert refused.cause == "invalid_lead"  # noqa: PT017  # both ends are good; only another exception is not
