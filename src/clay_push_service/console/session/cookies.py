"""Cookies of the console: the session, the secret of a sign-in form, and the message that the next page shows once."""

import base64
import binascii
import json
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

PATH: Final = "/console/"
SESSION: Final = "clay_console"
SIGN_IN: Final = "clay_console_sign_in"
"""Name of the cookie with the secret from which form tokens are derived before there is a session."""
MESSAGE: Final = "clay_console_message"
MESSAGE_SECONDS: Final = 60
SIGN_IN_SECONDS: Final = 3600
MAX_MESSAGE_CHARACTERS: Final = 1000
"""Most characters of a message. A browser stores cookies of up to 4 KB; a character takes up to 4 bytes, and base64 adds a third."""


def read_cookie(request: Request, name: str) -> str:
    return request.cookies.get(name, "")


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """HttpOnly and SameSite=Strict; Secure wherever the browser used https. `seconds`: None until the browser closes."""
    response.set_cookie(
        name, value, max_age=seconds, path=PATH, httponly=True, samesite="strict", secure=_is_https(request)
    )


def delete_cookie(request: Request, response: Response, name: str) -> None:
    response.delete_cookie(name, path=PATH, httponly=True, samesite="strict", secure=_is_https(request))


def write_message(request: Request, response: Response, text: str, kind: str) -> None:
    """Show `text` on the next page. `kind`: `done` or `problem`."""
    packed = json.dumps([kind, text[:MAX_MESSAGE_CHARACTERS]]).encode()
    set_cookie(request, response, MESSAGE, base64.urlsafe_b64encode(packed).decode(), MESSAGE_SECONDS)


def read_message(request: Request) -> tuple[str, str] | None:
    """Kind and text; None: there is none, or it is unreadable. A page shows the text escaped."""
    packed = read_cookie(request, MESSAGE)
    if not packed:
        return None
    try:
        kind, text = json.loads(base64.urlsafe_b64decode(packed))
    except (binascii.Error, ValueError, TypeError):
        return None
    return ("problem" if kind == "problem" else "done", text) if isinstance(text, str) else None


def _is_https(request: Request) -> bool:
    # A forged header only makes the forger's own cookie unusable over plain http.
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "") == "https"
