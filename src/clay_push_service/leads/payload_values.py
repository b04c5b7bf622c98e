"""Converts the values of a lead to JSON values: text, numbers, counts, flags, days and lists of words."""

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

SMALLEST, LARGEST = -(2**63), 2**63 - 1
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# asyncpg reads PostgreSQL's `infinity` and `-infinity` as these two.
_NO_DAYS = (date.min, date.max)

Value = str | int | float | bool | list[str] | None


Rule = Callable[[object], Value]
"""Converts a value that is not null. Raises TypeError for a value of the wrong type."""


def text(value: object) -> str:
    """Removes NUL, where most readers stop; replaces lone surrogates, which UTF-8 cannot encode, by U+FFFD."""
    if (
        type(value) is str and value.isascii() and "\0" not in value
    ):  # the fast path: nearly every text, 25 of them a lead
        return value
    if not isinstance(value, str):
        raise TypeError
    return _LONE_SURROGATE.sub("\ufffd", value.replace("\0", ""))


def text_or_null(value: object) -> str | None:
    """An empty text becomes null."""
    return text(value) or None


def number(value: object) -> float | None:
    """A score or a confidence. NaN and the infinities, which JSON cannot express, become null."""
    if type(value) is float:  # the fast path: nearly every number
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError
    try:
        converted = float(value)
    except (OverflowError, ValueError):  # an int beyond a double; a signalling NaN
        return None
    return converted if math.isfinite(converted) else None


def count(value: object) -> int | None:
    """A whole number. Outside 64 bits it becomes null, not text: Clay's column is a number, and no real count is as large."""
    if type(value) is int and SMALLEST <= value <= LARGEST:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError
    finite = value.is_finite() if isinstance(value, Decimal) else isinstance(value, int) or math.isfinite(value)
    # Compared before int(): Decimal("1E+900000") is finite, and minutes long when written out.
    return int(value) if finite and SMALLEST <= value <= LARGEST else None


def flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError


def day(value: object) -> str | None:
    """An ISO date; PostgreSQL's infinities become null."""
    if isinstance(value, datetime):
        try:
            value = (value.astimezone(UTC) if value.tzinfo else value).date()
        except OverflowError:  # the last hours of year 9999 in a zone west of UTC
            return None
    if not isinstance(value, date):
        raise TypeError
    return None if value in _NO_DAYS else value.isoformat()


def words(value: object) -> list[str]:
    """Skills without nulls, blanks and repetitions, in their order."""
    if type(value) is not list and (isinstance(value, str | bytes) or not isinstance(value, Iterable)):
        raise TypeError
    cleaned = (text(each).strip() for each in value if each is not None)
    return list(dict.fromkeys(each for each in cleaned if each))


def words_or_null(value: object) -> list[str] | None:
    """An empty list becomes null."""
    return words(value) or None


def identifier(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    raise TypeError
