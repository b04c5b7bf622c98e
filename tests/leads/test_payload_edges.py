"""Edge cases of the payload: limits of the number range, strings of other types, and the sample."""

import dataclasses
import time
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from clay_push_service.leads.payload import build, content_hash
from clay_push_service.leads.payload_fields import PayloadError
from clay_push_service.leads.sample_payload import build_sample
from tests.leads.payload_examples import DELIVERY, JOHN, THEN, built, read

LARGEST = 2**63 - 1
SMALLEST = -(2**63)


class Text(str):
    """What a driver may return instead of a plain string."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("field", "value", "written"),
    [
        ("followers", LARGEST, LARGEST),
        ("followers", LARGEST + 1, None),
        ("followers", SMALLEST, SMALLEST),
        ("followers", SMALLEST - 1, None),
        ("followers", Decimal(LARGEST), LARGEST),
        ("followers", Decimal(SMALLEST), SMALLEST),
        ("followers", Decimal(SMALLEST) - 1, None),
        ("followers", 7.9, 7),
        ("followers", float("inf"), None),
        ("overall_score", 82.5, 82.5),
        ("overall_score", float("nan"), None),
        ("overall_score", float("-inf"), None),
        ("overall_score", Decimal("1E+400"), None),
        ("bio", Text("plain"), "plain"),
        ("bio", Text("a\0b"), "ab"),
        ("bio", "é\0", "é"),
        ("skills", ("Go", "Rust"), ["Go", "Rust"]),
        ("skills", {"Go": 1}, ["Go"]),
    ],
)
def test_a_value_is_converted_to_the_type_of_its_field(field: str, value: object, written: object) -> None:
    assert built(dataclasses.replace(JOHN, **{field: value}))[field] == written  # type: ignore[arg-type]  # hosts hold such values


@pytest.mark.parametrize("value", [True, "7", b"7", []])
def test_other_types_are_not_converted_to_a_number(value: object) -> None:
    for field in ("overall_score", "followers"):
        with pytest.raises(PayloadError, match=rf"^The lead's {field} has an invalid value\.$"):
            built(dataclasses.replace(JOHN, **{field: value}))  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 2, 10, 23, 30), "2026-02-10"),  # noqa: DTZ001 - a host column without a zone
        (datetime(2026, 2, 10, 23, 30, tzinfo=UTC), "2026-02-10"),
        (datetime(2026, 2, 10, 0, 30, tzinfo=timezone(timedelta(hours=14))), "2026-02-09"),
        (date(2026, 2, 10), "2026-02-10"),
    ],
)
def test_a_time_becomes_its_day_in_utc_and_a_time_without_a_zone_keeps_its_day(moment: date, written: str) -> None:
    stats = built(dataclasses.replace(JOHN, first_commit_date=moment))["raw_github_stats"]
    assert stats["first_commit_date"] == written  # type: ignore[index]


def test_the_hash_of_a_lead_equals_the_hash_of_its_payload() -> None:
    assert content_hash(JOHN) == build(JOHN, DELIVERY, THEN).hash


def test_the_sample_names_the_project_that_is_given() -> None:
    plain = read(build_sample(DELIVERY, THEN))["_meta"]
    named = read(build_sample(DELIVERY, THEN, "Acme"))["_meta"]
    assert plain["nexusleads_project"] == "NexusLeads connection test"  # type: ignore[index]
    assert named["nexusleads_project"] == "Acme"  # type: ignore[index]
    assert plain["pushed_at"] == named["pushed_at"] == "2026-02-11T00:00:00Z"  # type: ignore[index]


def test_the_error_names_an_invalid_field_of_the_lead_without_a_prefix() -> None:
    with pytest.raises(PayloadError, match=r"^The lead's is_qualified_lead has an invalid value\.$"):
        built(dataclasses.replace(JOHN, is_qualified_lead="yes"))  # type: ignore[arg-type]  # that is the point


def test_a_time_without_a_zone_keeps_its_day_in_every_local_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    try:
        for moment, written in (
            (datetime(2026, 2, 10, 23, 30), "2026-02-10"),  # noqa: DTZ001 - a host column without a zone
            (datetime(2026, 2, 10, 2, 30, tzinfo=UTC), "2026-02-10"),
        ):
            stats = built(dataclasses.replace(JOHN, first_commit_date=moment))["raw_github_stats"]
            assert stats["first_commit_date"] == written  # type: ignore[index]
    finally:
        monkeypatch.undo()
        time.tzset()
