"""Reads the result of an item: the values of the mapped fields, what was not found, and the reported credits. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from clay_push_service.clay.routines_body import Json, fold
from clay_push_service.enrichment.inbound import body as inbound_body
from clay_push_service.enrichment.inbound.read_result import FoundValue, read_result
from clay_push_service.enrichment.ledger.states import ItemOutcome
from clay_push_service.enrichment.settings.maps import ABOUT_RESULT, FIELDS
from clay_push_service.enrichment.values.fields import CUSTOM, FieldNames

CREDITS: Final = "credits"
MOST_CREDITS: Final = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class RoutineResult:
    values: Sequence[FoundValue]
    """`found` is None for each field that Clay searched without a result."""
    found: Sequence[str]
    not_found: Sequence[str]
    observed_at: datetime | None
    credits: Decimal | None
    """None: the routine has no output for credits."""

    @property
    def outcome(self) -> ItemOutcome:
        if not self.found:
            return ItemOutcome.NOTHING
        return ItemOutcome.PARTIAL if self.not_found else ItemOutcome.FOUND


def read_routine_result(outputs: Mapping[str, str], result: Mapping[str, Json], now: datetime) -> RoutineResult:
    """`outputs`: field → key of the result. Keys are compared without case, blanks and dashes; a missing one is an empty value."""
    by_key: dict[str, Json] = {}
    for key, value in result.items():
        if value is not None and value != "":
            by_key[fold(key)] = value
    requested = requested_fields(outputs)
    pairs = tuple((field, _text(by_key.get(fold(key)))) for field, key in outputs.items() if field != CREDITS)
    names = FieldNames(field.removeprefix(CUSTOM) for field in requested if field.startswith(CUSTOM))
    read = read_result(pairs, names, now)
    found = [field for field in requested if field in read.found]
    reported = outputs.get(CREDITS)
    return RoutineResult(
        values=read.values,
        found=found,
        not_found=[field for field in requested if field not in found],
        observed_at=read.observed_at,
        credits=None if reported is None else _credits(by_key.get(fold(reported))),
    )


def requested_fields(outputs: Mapping[str, str]) -> list[str]:
    """Returns the fields in the order of the guide. PostgreSQL stores the keys of a map in another order."""
    custom = sorted(field for field in outputs if field not in FIELDS and field not in ABOUT_RESULT)
    return [*(field for field in FIELDS if field in outputs), *custom]


def _text(value: Json) -> inbound_body.Json:
    """Converts a value to the form of `inbound.body`: numbers are text, and an object is a tuple of its members."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case Mapping():
            return tuple((key, _text(each)) for key, each in value.items())
        case _:
            return [_text(each) for each in value]


def _credits(value: Json) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        credits_ = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    if not (credits_.is_finite() and 0 <= credits_ <= MOST_CREDITS):
        return None
    return credits_.quantize(Decimal("0.01"))
