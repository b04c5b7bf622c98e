"""Types of columns, and conversions of any value to them. Total functions: each value converts to something or to null."""

import math
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import orjson

from clay_push_service.leads.payload_values import Value, count

Json = Value | Mapping[str, Value]
"""A value of a column. The only object among the fields is `raw_github_stats`."""

MOST_CHARACTERS = 100_000
"""Most characters of a text while it is computed. A row may have 100,000 bytes, so a longer text cannot be sent."""
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?", re.ASCII)
_DAY = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?:T.*)?", re.ASCII)
TRUE_WORDS = frozenset({"true", "yes", "y", "1"})
FALSE_WORDS = frozenset({"false", "no", "n", "0"})


class ColumnType(StrEnum):
    """The type of a column, as Clay names it. `url` and `email` are texts, which are sent as they are."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    URL = "url"
    EMAIL = "email"
    DATE = "date"
    LIST = "list"
    JSON = "json"


TEXTS = frozenset({ColumnType.TEXT, ColumnType.URL, ColumnType.EMAIL, ColumnType.DATE})
"""Types whose values are JSON texts."""


class EmptyValue(StrEnum):
    """What an empty value becomes: no value, an empty text, or an empty list."""

    NULL = "null"
    TEXT = "text"
    """An empty text."""
    AS_IS = "as_is"
    """Null, an empty text and an empty list are unchanged."""


def is_empty(value: Json) -> bool:
    return value is None or value in ("", [])


def to_text(value: Json) -> str | None:
    """Returns the texts of a list with ", " between them, and an object as JSON."""
    match value:
        case None | str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return ", ".join(value)[:MOST_CHARACTERS]
        case _:
            return orjson.dumps(value).decode()


def to_number(value: Json) -> float | int | None:
    """Returns null for a text that is not a plain decimal number, such as "1e5" or "12,5", and for a number beyond 64 bits."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    written = value.strip() if isinstance(value, str) else ""
    if _NUMBER.fullmatch(written) is None:
        return None
    if "." not in written:
        return count(int(written))
    number = float(written)
    return number if math.isfinite(number) else None


def to_boolean(value: Json) -> bool | None:
    if isinstance(value, bool):
        return value
    word = (to_text(value) or "").strip().lower()
    return True if word in TRUE_WORDS else False if word in FALSE_WORDS else None


def to_day(value: Json) -> str | None:
    """Returns the day of an ISO date or time; null for another text."""
    found = day_parts(value)
    return None if found is None else "-".join(found)


def day_parts(value: Json) -> tuple[str, str, str] | None:
    found = _DAY.fullmatch(value.strip()) if isinstance(value, str) else None
    return None if found is None else (found[1], found[2], found[3])


def to_list(value: Json) -> list[str] | None:
    if isinstance(value, list):
        return value
    text = to_text(value)
    return None if text is None else [text] if text else []


def to_json(value: Json) -> Json:
    return value


CONVERSIONS: Mapping[ColumnType, Callable[[Json], Json]] = MappingProxyType(
    {
        ColumnType.TEXT: to_text,
        ColumnType.NUMBER: to_number,
        ColumnType.BOOLEAN: to_boolean,
        ColumnType.URL: to_text,
        ColumnType.EMAIL: to_text,
        ColumnType.DATE: to_day,
        ColumnType.LIST: to_list,
        ColumnType.JSON: to_json,
    }
)
