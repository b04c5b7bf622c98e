"""Opaque cursors for keyset pages: the last row's keys, so that pages neither skip nor repeat while rows arrive."""

import base64
import binascii
import json
from typing import Annotated

from pydantic import AfterValidator, Field

from clay_push_service.errors import BadRequestError

MAX_LENGTH = 500
Cursor = Annotated[
    str | None,
    Field(max_length=MAX_LENGTH, description="`next_cursor` of the page before; empty: the first page."),
    AfterValidator(lambda value: value or None),
]
"""A query's parameter."""


def encode(*keys: str | int | None) -> str:
    return base64.urlsafe_b64encode(json.dumps(keys, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str, count: int) -> list[str | int | None]:
    """Raises 400 `cursor_invalid` for anything that `encode` did not make."""
    try:
        if len(cursor) > MAX_LENGTH:
            raise ValueError  # noqa: TRY301 - one refusal for all
        keys = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (
            isinstance(keys, list)
            and len(keys) == count
            and all(key is None or (isinstance(key, (str, int)) and not isinstance(key, bool)) for key in keys)
        ):
            raise ValueError  # noqa: TRY301
    except (ValueError, binascii.Error, RecursionError):
        raise invalid() from None
    return keys


def invalid() -> BadRequestError:
    return BadRequestError("This cursor was not given out here.", code="cursor_invalid")
