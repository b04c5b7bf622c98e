"""Opaque cursors for keyset pagination: the keys of the last row, so that new rows make no page skip or repeat a row."""

import base64
import binascii
import json
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from clay_push_service.errors import BadRequestError

MAX_LENGTH = 500
LARGEST_SERIAL = 2**63 - 1
NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?", re.ASCII)
"""A score as Python prints it. PostgreSQL refuses numbers that Python reads, such as 1E+999999."""
Key = str | int | None
Cursor = Annotated[
    str | None,
    Field(
        description="`next_cursor` of the previous page; empty: the first page.",
        json_schema_extra={
            "maxLength": MAX_LENGTH
        },  # not `max_length`: a cursor that is too long is 400, like any invalid cursor
    ),
    AfterValidator(lambda value: value or None),
]
"""The type of a `cursor` query parameter."""


def encode(*keys: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, count: int) -> list[Key]:
    """Raises 400 `cursor_invalid` for anything that `encode` did not produce.

    Each key still needs one of the functions below, because a caller can encode arbitrary keys.
    """
    try:
        if len(cursor) > MAX_LENGTH:
            raise ValueError  # noqa: TRY301 - one refusal for all
        keys = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (isinstance(keys, list) and len(keys) == count and all(_is_key(key) for key in keys)):
            raise ValueError  # noqa: TRY301
        if encode(*keys) != cursor:
            raise ValueError  # noqa: TRY301
    except (ValueError, binascii.Error, RecursionError):
        raise invalid() from None
    return keys


def serial(key: Key) -> int:
    """A serial number within the range of its column."""
    if not isinstance(key, int) or not 0 <= key <= LARGEST_SERIAL:
        raise invalid()
    return key


def identifier(key: Key) -> UUID:
    try:
        found = UUID(str(key))
    except ValueError:
        raise invalid() from None
    if str(found) != key:
        raise invalid()
    return found


def moment(key: Key) -> datetime:
    """In UTC, as rows are read: another zone could lie outside the years that can be converted."""
    try:
        found = datetime.fromisoformat(str(key))
    except ValueError:
        raise invalid() from None
    if found.utcoffset() != timedelta() or found.isoformat() != key:
        raise invalid()
    return found


def number(key: Key) -> Decimal:
    if not isinstance(key, str) or not NUMBER.fullmatch(key):
        raise invalid()
    return Decimal(key)


def invalid() -> BadRequestError:
    return BadRequestError(
        "Invalid cursor. Send `next_cursor` of the previous page unchanged, or no cursor for the first page.",
        code="cursor_invalid",
    )


def _is_key(key: object) -> bool:
    return key is None or (isinstance(key, (str, int)) and not isinstance(key, bool))
