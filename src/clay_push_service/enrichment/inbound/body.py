"""Reads the JSON of a result: nesting is limited before parsing, keys may occur twice, and numbers stay the text that Clay sent.

An object is a tuple of its members, so that a key that occurs twice is not lost.
"""

import json
import re
from datetime import UTC, datetime

from clay_push_service.clay.routines_body import fold
from clay_push_service.enrichment.values.normalise import Raw, is_absent
from clay_push_service.errors import InvalidError

MAX_BYTES = 262_144
"""Most bytes of a body (256 KB). A cell of Clay holds 8 KB."""
MAX_DEPTH = 32
Json = str | bool | None | list["Json"] | tuple[tuple[str, "Json"], ...]

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
"""A string that does not end extends to the end of the body, so that the search stays linear."""
_OPENING, _CLOSING = (b"[", b"{"), (b"]", b"}")
MOST_SECONDS = 100_000_000_000
"""A larger number of seconds since 1970 is one of milliseconds."""
_EPOCH = re.compile(r"\d{10,13}(\.\d{1,9})?", re.ASCII)


def parse_body(body: bytes) -> Json:
    """Raises 422 for a body that is nested too deeply or is not JSON in UTF-8."""
    if depth_of(body) > MAX_DEPTH:
        raise _invalid(f"The body is nested more than {MAX_DEPTH} levels deep")
    try:
        parsed: Json = json.loads(
            body.decode(), object_pairs_hook=tuple, parse_int=str, parse_float=str, parse_constant=_refuse
        )
    except ValueError:
        raise _invalid(
            "The body is not valid JSON in UTF-8. In Clay, a value with a quotation mark breaks a template: pick the column"
            " as a value of its own"
        ) from None
    return parsed


def depth_of(body: bytes) -> int:
    """The deepest nesting of brackets outside strings, without parsing; stops above MAX_DEPTH."""
    depth = deepest = 0
    for found in _STRING_OR_BRACKET.finditer(body):
        bracket = found[0]
        if bracket in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif bracket in _CLOSING:
            depth -= 1
    return deepest


def _refuse(_: str) -> Json:
    raise ValueError


def _invalid(message: str) -> InvalidError:
    return InvalidError(f"{message}.", errors=[{"field": "body", "message": message}])


def read_time(written: str) -> datetime | None:
    """ISO 8601, or seconds or milliseconds since 1970. A time without a zone is UTC."""
    if _EPOCH.fullmatch(written):
        number = float(written)
        seconds = number / 1000 if number >= MOST_SECONDS else number
        return datetime.fromtimestamp(seconds, UTC)
    try:
        found = datetime.fromisoformat(written)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def as_raw(value: Json) -> Raw | None:
    """None for a value that is neither a text nor a list of texts."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case list():
            names = [_name_of(each) for each in value]
            return None if None in names else [each for each in names if each is not None]
        case _:
            return None


def _name_of(entry: Json) -> str | None:
    """An entry of a list: a text, or an object with a name."""
    if isinstance(entry, tuple):
        entry = next((value for key, value in entry if fold(key) == "name"), None)
    return entry if isinstance(entry, str) else None


def is_empty(value: Json) -> bool:
    raw = as_raw(value)
    return raw is not None and is_absent(raw)
