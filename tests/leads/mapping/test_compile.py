"""Payloads of mappings: the standard one equals the fixed payload, types, empty values, templates and hashes."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.mapping.columns import Column
from clay_push_service.leads.mapping.compile import MappingError, compile_columns
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.leads.mapping.values import ColumnType, EmptyValue, Json
from clay_push_service.leads.payload import HASH_VERSION, MAPPED_HASH_VERSION, Payload, build, is_comparable
from clay_push_service.leads.payload_fields import PayloadError
from tests.leads.any_lead import any_row, hostile_row
from tests.leads.payload_examples import DELIVERY, JOHN, LEAD, PROJECT, THEN, read


def value_of(column: Column, row: LeadRow = JOHN, clay_values: dict[str, Json] | None = None) -> object:
    return read(compile_columns([column]).build(row, DELIVERY, THEN, clay_values or {}))[column.key]


@given(any_row | hostile_row, st.uuids(), st.datetimes(timezones=st.just(UTC)))
@settings(max_examples=200, deadline=None)
def test_the_standard_mapping_equals_the_fixed_payload_byte_for_byte(
    row: LeadRow, delivery: UUID, then: datetime
) -> None:
    def outcome(maker: Callable[[LeadRow, UUID, datetime], Payload]) -> object:
        try:
            payload = maker(row, delivery, then)
        except PayloadError as refused:
            return refused.cause
        return payload.body, payload.hash[1:]

    assert outcome(compile_columns(STANDARD).build) == outcome(build)


def test_the_order_of_columns_is_the_order_of_keys_and_meta_is_always_first() -> None:
    columns = [Column("b", template="{email}"), Column("a", field="full_name"), Column("c", constant="x")]
    assert list(read(compile_columns(columns).build(JOHN, DELIVERY, THEN))) == ["_meta", "b", "a", "c"]
    assert (
        read(compile_columns(columns).build(JOHN, DELIVERY, THEN))["_meta"]
        == read(build(JOHN, DELIVERY, THEN))["_meta"]
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column("x", field="followers", type=ColumnType.NUMBER), 230),
        (Column("x", field="followers"), "230"),
        (Column("x", field="is_maintainer", type=ColumnType.BOOLEAN), True),
        (Column("x", field="is_maintainer"), "true"),
        (Column("x", field="skills"), "Python, Kubernetes, Go"),
        (Column("x", field="skills", type=ColumnType.LIST), ["Python", "Kubernetes", "Go"]),
        (Column("x", field="skills", steps=["take_first"]), "Python"),
        (Column("x", field="last_commit_date", type=ColumnType.DATE), "2026-02-10"),
        (Column("x", field="repository"), "acme/platform"),
        (Column("x", field="lead_id"), str(LEAD)),
        (Column("x", constant="a {b}"), "a {b}"),
        (Column("x", constant=7, type=ColumnType.NUMBER), 7),
        (Column("x", template="{{{email}}}"), "{john@example.com}"),
        (Column("x", template="{followers} / {is_maintainer} / {skills}"), "230 / true / Python, Kubernetes, Go"),
        (Column("x", template="{full_name:first_word:upper} {company|current_company}"), "JOHN Acme Corp"),
        (Column("x", template="{overall_score:round}", type=ColumnType.NUMBER), 82),
        (Column("x", first_of=["enriched.email", "email"]), "john@example.com"),
        (Column("x", first_of=["email:email_domain", "company"]), "example.com"),
    ],
)
def test_value_of_a_column(column: Column, value: object) -> None:
    found = value_of(column)
    assert (found, type(found)) == (value, type(value))


EMPTY = LeadRow(LEAD, PROJECT, bio="", skills=[])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column("x", field="bio"), None),
        (Column("x", field="bio", empty=EmptyValue.AS_IS), ""),
        (Column("x", field="email", empty=EmptyValue.AS_IS), None),
        (Column("x", field="email", empty=EmptyValue.TEXT), ""),
        (Column("x", field="skills", type=ColumnType.LIST), None),
        (Column("x", field="skills", type=ColumnType.LIST, empty=EmptyValue.AS_IS), []),
        (Column("x", field="skills"), None),
        (Column("x", template="Hi {full_name}"), None),
        (Column("x", template="Hi {full_name|bio}", empty=EmptyValue.TEXT), ""),
        (Column("x", template='Hi {full_name|"you"}'), "Hi you"),
        (Column("x", template="Hi"), "Hi"),
        (Column("x", field="email", steps=['default("none")']), "none"),
        (Column("x", first_of=["bio", "skills", "email", '"-"']), "-"),
        (Column("x", field="full_name", type=ColumnType.NUMBER), None),
        (Column("x", field="raw_github_stats", type=ColumnType.JSON), None),
    ],
)
def test_replacement_of_an_empty_value(column: Column, value: object) -> None:
    assert value_of(column, EMPTY) == value


def test_every_key_is_sent_for_a_lead_without_values() -> None:
    columns = [*STANDARD, Column("x", template="{email}"), Column("y", field="custom.owner")]
    mapping = compile_columns(columns)
    for row in (JOHN, LeadRow(LEAD, PROJECT)):
        assert list(read(mapping.build(row, DELIVERY, THEN))) == ["_meta", *(each.key for each in columns)]


def test_values_of_clay_are_used_and_never_count_as_changed() -> None:
    columns = [
        Column("e", first_of=["enriched.email", "email"]),
        Column("o", field="custom.owner"),
        Column("n", field="full_name"),
    ]
    mapping = compile_columns(columns)
    assert mapping.clay_fields == {"enriched.email", "custom.owner"}
    without = mapping.build(JOHN, DELIVERY, THEN)
    found = mapping.build(JOHN, DELIVERY, THEN, {"enriched.email": "new@acme.com", "custom.owner": "Ann"})
    assert (read(found)["e"], read(found)["o"]) == ("new@acme.com", "Ann")
    assert found.hash == without.hash == mapping.content_hash(JOHN)
    assert mapping.build(dataclasses.replace(JOHN, email="x@y.example"), DELIVERY, THEN).hash != without.hash


@pytest.mark.parametrize("name", ["bio", "overall_score", "project_name", "source_name"])
def test_a_field_that_is_not_mapped_does_not_change_the_hash(name: str) -> None:
    mapping = compile_columns(
        [Column("e", field="email"), Column("p", template="{project_name}: {repository} {email}")]
    )
    changed = dataclasses.replace(JOHN, **{name: 7.0 if name == "overall_score" else "new"})  # type: ignore[arg-type]
    assert mapping.content_hash(changed) == mapping.content_hash(JOHN)
    assert mapping.content_hash(dataclasses.replace(JOHN, email="new")) != mapping.content_hash(JOHN)


def test_hashes_of_mappings_and_of_the_fixed_payload_are_not_compared() -> None:
    mapped = compile_columns(STANDARD).content_hash(JOHN)
    assert is_comparable(mapped, MAPPED_HASH_VERSION)
    assert not is_comparable(mapped, HASH_VERSION)


@pytest.mark.parametrize(("field", "value"), [("bio", b"secret"), ("followers", "secret"), ("skills", 5)])
@pytest.mark.parametrize("template", [False, True])
def test_an_invalid_value_fails_its_lead_and_is_not_shown(field: str, value: object, *, template: bool) -> None:
    column = Column("x", template="{" + field + "}") if template else Column("x", field=field)
    with pytest.raises(PayloadError) as refused:
        value_of(column, dataclasses.replace(JOHN, **{field: value}))  # type: ignore[arg-type]
    assert refused.value.cause == "invalid_lead"
    assert "secret" not in refused.value.detail


def test_an_invalid_value_that_only_the_hash_reads_fails_its_lead() -> None:
    """The payload has Clay's value; the hash, which leaves values of Clay out, has the lead's own."""
    column = Column("x", first_of=["enriched.technologies", "followers"])
    lead = dataclasses.replace(JOHN, followers="secret")  # type: ignore[arg-type]
    with pytest.raises(PayloadError) as refused:
        value_of(column, lead, {"enriched.technologies": "Python"})
    assert refused.value.cause == "invalid_lead"
    assert "secret" not in refused.value.detail


def test_a_lead_that_is_too_large_without_values_of_clay_is_compared_all_the_same() -> None:
    mapping = compile_columns([Column("x", first_of=["enriched.technologies", "bio"])])
    lead = dataclasses.replace(JOHN, bio="é" * 60_000)
    payload = mapping.build(lead, DELIVERY, THEN, {"enriched.technologies": "Python"})
    assert mapping.content_hash(lead) == payload.hash
    assert mapping.content_hash(dataclasses.replace(lead, bio="new")) != payload.hash


def test_a_payload_over_100_000_bytes_is_too_large() -> None:
    row = dataclasses.replace(JOHN, bio="x" * 60_000)
    for columns in ([Column("a", template="{bio}{bio}")], [Column("a", field="bio"), Column("b", field="bio")]):
        with pytest.raises(PayloadError) as refused:
            compile_columns(columns).build(row, DELIVERY, THEN)
        assert refused.value.cause == "too_large"


def test_a_stored_mapping_that_this_release_cannot_read_raises() -> None:
    with pytest.raises(MappingError, match=r"columns\[0\]\.field"):
        compile_columns([Column("a", field="of_a_later_release")])


def test_a_payload_has_text_in_its_own_form() -> None:
    payload = compile_columns([Column("a", template="é {email}")]).build(JOHN, DELIVERY, THEN)
    assert json.loads(payload.body)["a"] == "é john@example.com"
