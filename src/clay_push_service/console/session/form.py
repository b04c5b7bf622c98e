"""Reads the form of an unsafe request, with limits on size, time and fields, and checks its form token."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, TypeVar
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import Depends, Request

from clay_push_service.callers.request_body import read_body
from clay_push_service.callers.sessions import Session
from clay_push_service.console.session.cookies import SIGN_IN, read_cookie
from clay_push_service.console.session.form_token import FIELD, is_form_token
from clay_push_service.errors import ForbiddenError, InvalidError, MediaTypeError, RequestTimeoutError
from clay_push_service.settings import Settings

FORM: Final = "application/x-www-form-urlencoded"
MAX_BYTES: Final = 2_200_000
"""Most bytes of a form: 50,000 selected leads, each with `lead_id=`, a UUID and `&`."""
MAX_FIELDS: Final = 50_100

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form; an absent field is empty."""

    fields: dict[str, list[str]]

    def text(self, name: str) -> str:
        return self.fields.get(name, [""])[0].strip()

    def texts(self, name: str) -> Sequence[str]:
        return [each.strip() for each in self.fields.get(name, [])]

    def is_checked(self, name: str) -> bool:
        return bool(self.text(name))

    def uuid(self, name: str) -> UUID | None:
        """None for an empty field. Raises 422 for a value that is no UUID."""
        text = self.text(name)
        return _uuid(name, text) if text else None

    def choice(self, name: str, kind: type[Choice]) -> Choice:
        """Raises 422 for a value that is none of the choices."""
        try:
            return kind(self.text(name))
        except ValueError:
            message = f"{name}: is not one of the choices."
            raise InvalidError(message, errors=[{"field": name, "message": "is not one of the choices"}]) from None

    def uuids(self, name: str) -> list[UUID]:
        return [_uuid(name, each) for each in self.texts(name)]


async def read_form(request: Request) -> Form:
    """A dependency of every unsafe route of the console, which `ConsoleRoute` requires.

    Raises 403 `form_token_invalid`, 408, 413, 415 or 422.
    """
    settings: Settings = request.app.state.settings
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise MediaTypeError("The body must be a form.", headers={"Accept": FORM})
    try:
        async with asyncio.timeout(settings.body_timeout_seconds):
            body = await read_body(request, MAX_BYTES)
    except TimeoutError:
        raise RequestTimeoutError("The form was not complete in time. Send it again.") from None
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise InvalidError("The form cannot be read: it is not UTF-8, or it has too many fields.") from None
    if any("\0" in value for values in fields.values() for value in values):
        raise InvalidError("A text contains a NUL character.")
    form = Form(fields)
    session: Session | None = getattr(request.state, "session", None)
    secret = session.secret if session is not None else read_cookie(request, SIGN_IN)
    if not is_form_token(secret, form.text(FIELD)):
        raise ForbiddenError(
            "This form is no longer valid, so nothing was changed. Open the page again and repeat it.",
            code="form_token_invalid",
        )
    return form


def _uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"{name}: is not an id.", errors=[{"field": name, "message": "is not an id"}]) from None


Posted = Annotated[Form, Depends(read_form)]
