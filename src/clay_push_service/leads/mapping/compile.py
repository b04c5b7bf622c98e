"""Compiles the columns of a mapping version once into functions that build the payload of a lead."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.mapping.catalogue import FieldOrigin, MappableField
from clay_push_service.leads.mapping.columns import Column, ParsedColumn, clay_fields, parse_columns
from clay_push_service.leads.mapping.syntax import Choice, Placeholder
from clay_push_service.leads.mapping.values import (
    CONVERSIONS,
    MOST_CHARACTERS,
    ColumnType,
    EmptyValue,
    Json,
    is_empty,
    to_text,
)
from clay_push_service.leads.payload import MAPPED_HASH_VERSION, Payload, hash_columns, stats_of, write_payload
from clay_push_service.leads.payload_fields import PayloadError, PayloadProblem
from clay_push_service.leads.payload_values import Rule, text, text_or_null, words, words_or_null

ClayValues = Mapping[str, Json]
"""Values of Clay for one lead, by the name of the field."""
NO_CLAY_VALUES: ClayValues = MappingProxyType({})
Compute = Callable[[LeadRow, ClayValues], Json]


class MappingError(Exception):
    """A stored mapping that this release cannot read, such as one that a newer release has saved."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """A column that is a field of the lead without steps. All such columns of one kind are read and converted together."""

    attribute: str
    rule: Rule


class CompiledMapping:
    """Builds payloads. Immutable; one for each version of a mapping in a process."""

    def __init__(self, columns: Sequence[ParsedColumn]) -> None:
        self.keys = tuple(each.key for each in columns)
        self.clay_fields = clay_fields(columns)
        """The fields with values of Clay that must be read for each lead."""
        found = [_plain(each) for each in columns]
        self._read = operator.attrgetter(*(each.attribute if each else "username" for each in found), "username")
        self._rules = tuple(each.rule if each else _placeholder for each in found)
        self._computed = tuple(
            (each.key, _compile_column(each, counted_only=False))
            for each, plain in zip(columns, found, strict=True)
            if not plain
        )
        self._counted = tuple(
            (each.key, _compile_column(each, counted_only=True))
            for each in columns
            if not all(field.counts for field in each.fields)
        )

    def build(
        self, row: LeadRow, delivery_id: UUID, pushed_at: datetime, clay_values: ClayValues = NO_CLAY_VALUES
    ) -> Payload:
        """Builds a payload as `payload.build` does, with the columns of the mapping."""
        lead, hashed = self._columns(row, clay_values)
        return write_payload(row, lead, hashed, delivery_id, pushed_at, MAPPED_HASH_VERSION)

    def content_hash(self, row: LeadRow) -> bytes:
        """Returns `Payload.hash` of the lead as it is now. Values of Clay do not count, nor does the size without them."""
        return hash_columns(self._columns(row, NO_CLAY_VALUES)[1], MAPPED_HASH_VERSION)

    def _columns(self, row: LeadRow, clay_values: ClayValues) -> tuple[Mapping[str, Json], Mapping[str, Json]]:
        """Returns the columns to send, and those to hash: without values of Clay. Raises PayloadError."""
        try:
            lead = self._lead(row, clay_values)
            if not self._counted:
                return lead, lead
            return lead, {**lead, **{key: compute(row, NO_CLAY_VALUES) for key, compute in self._counted}}
        except PayloadError:
            raise
        except Exception:  # noqa: BLE001  # a bad value in a host's row fails this lead only
            raise PayloadError(
                PayloadProblem.INVALID_LEAD, "The lead has an invalid value in a mapped field."
            ) from None

    def _lead(self, row: LeadRow, clay_values: ClayValues) -> dict[str, Json]:
        lead: dict[str, Json] = {
            key: None if value is None else rule(value)
            for key, rule, value in zip(self.keys, self._rules, self._read(row), strict=False)
        }
        for key, compute in self._computed:
            lead[key] = compute(row, clay_values)
        return lead


def compile_columns(columns: Sequence[Column]) -> CompiledMapping:
    """Compile a stored version. Raises MappingError."""
    parsed, problems = parse_columns(columns)
    if problems:
        raise MappingError(f"{problems[0].place}: {problems[0].message}")
    return CompiledMapping(parsed)


def _placeholder(_: object) -> None:
    """Reserves the place of a column whose value is computed after the plain ones."""


_NATURAL = frozenset(
    {
        (ColumnType.EMAIL, ColumnType.TEXT), (ColumnType.URL, ColumnType.TEXT), (ColumnType.TEXT, ColumnType.URL),
        (ColumnType.TEXT, ColumnType.EMAIL), (ColumnType.EMAIL, ColumnType.URL), (ColumnType.URL, ColumnType.EMAIL),
        (ColumnType.DATE, ColumnType.TEXT),
    }
)  # fmt: skip
"""The types of a field and of a column that need no conversion, besides equal ones."""


def _plain(column: ParsedColumn) -> _Plain | None:
    field = column.source
    if not isinstance(field, MappableField) or column.steps or column.empty is EmptyValue.TEXT:
        return None
    if field.attribute is None or field.rule is None:
        return None
    if (
        column.type is not field.type
        and (field.type, column.type) not in _NATURAL
        and column.type is not ColumnType.JSON
    ):
        return None
    rule = field.rule
    if column.empty is EmptyValue.NULL:
        rule = text_or_null if rule is text else words_or_null if rule is words else rule
    return _Plain(field.attribute, rule)


def _compile_column(column: ParsedColumn, *, counted_only: bool) -> Compute:
    compute = _compile_source(column.source, counted_only=counted_only)
    steps, convert, empty = tuple(column.steps), CONVERSIONS[column.type], column.empty
    instead = "" if empty is EmptyValue.TEXT else None

    def compute_value(row: LeadRow, clay_values: ClayValues) -> Json:
        value = compute(row, clay_values)
        for step in steps:
            value = step(value)
        value = convert(value)
        return instead if empty is not EmptyValue.AS_IS and is_empty(value) else value

    return compute_value


def _compile_source(source: object, *, counted_only: bool) -> Compute:
    if isinstance(source, MappableField):
        return _compile_field(source, counted_only=counted_only)
    if isinstance(source, Placeholder):
        return _compile_first_of(source, counted_only=counted_only)
    if isinstance(source, tuple):
        return _compile_template(source, counted_only=counted_only)
    constant: Json = source  # type: ignore[assignment]  # a Constant
    return lambda _row, _values: constant


def _compile_field(field: MappableField, *, counted_only: bool) -> Compute:
    if counted_only and not field.counts:
        return lambda _row, _values: None
    if field.origin is FieldOrigin.CLAY:
        name = field.name
        return lambda _row, values: values.get(name)
    if field.attribute is None or field.rule is None:
        return lambda row, _values: stats_of(row)
    read, rule = operator.attrgetter(field.attribute), field.rule

    def compute(row: LeadRow, _values: ClayValues) -> Json:
        value = read(row)
        return None if value is None else rule(value)

    return compute


def _compile_choice(choice: Choice, *, counted_only: bool) -> Compute:
    if choice.field is None:
        literal = choice.literal
        return lambda _row, _values: literal
    compute, steps = _compile_field(choice.field, counted_only=counted_only), choice.steps
    if not steps:
        return compute

    def compute_value(row: LeadRow, values: ClayValues) -> Json:
        value = compute(row, values)
        for step in steps:
            value = step(value)
        return value

    return compute_value


def _compile_first_of(placeholder: Placeholder, *, counted_only: bool) -> Compute:
    choices = tuple(_compile_choice(each, counted_only=counted_only) for each in placeholder.choices)
    if len(choices) == 1:
        return choices[0]

    def compute_value(row: LeadRow, values: ClayValues) -> Json:
        value: Json = None
        for compute in choices:
            value = compute(row, values)
            if value is not None and value not in ("", []):
                return value
        return value

    return compute_value


def _compile_template(parts: Sequence[str | Placeholder], *, counted_only: bool) -> Compute:
    """A text. Empty if all its placeholders are empty."""
    compiled = tuple(
        part if isinstance(part, str) else _compile_first_of(part, counted_only=counted_only) for part in parts
    )
    if not any(callable(each) for each in compiled):
        constant = "".join(part for part in parts if isinstance(part, str))
        return lambda _row, _values: constant

    def compute(row: LeadRow, values: ClayValues) -> Json:
        written, found, length = [], False, 0
        for part in compiled:
            if isinstance(part, str):
                written.append(part)
                continue
            value = part(row, values)
            word = value if type(value) is str else to_text(value)
            if word:
                found = True
                length += len(word)
                if length > MOST_CHARACTERS:
                    raise PayloadError(
                        PayloadProblem.TOO_LARGE, "A template gives a text of more than 100,000 characters."
                    )
                written.append(word)
        return "".join(written) if found else None

    return compute
