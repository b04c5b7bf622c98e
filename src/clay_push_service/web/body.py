"""Reads a request's body before anybody parses it; refuses what is too large, too wide, no strict JSON, or cannot be stored."""

import orjson
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clay_push_service.errors import ClayPushError, InvalidError, TooLargeError
from clay_push_service.web.errors import respond

ESCAPED_NUL = b"\\u0000"
MAX_MEMBERS = 200
"""Of one object; ours have a dozen. Each unknown one would be an error of its own: 100,000 took 100 MB and blocked us 0.7 s."""


class BodyMiddleware:
    """Bodies are small (`max_body_bytes`), so they are read whole; what is over it is refused before it is read."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            if b"%00" in scope["query_string"] or "\0" in scope["path"]:
                raise InvalidError("The address holds a NUL character.")
            body = await self._read(scope, receive)
            if body and "json" in Headers(scope=scope).get("content-type", "").lower():
                check_json(body)
        except ClayPushError as error:
            await respond(error, scope["state"].get("request_id"))(scope, receive, send)
            return
        waiting: list[Message] = [] if body is None else [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """None: the caller has gone in the middle of it, which the application finds out for itself."""
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._max_body_bytes:
            raise self._too_large()
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > self._max_body_bytes:
                raise self._too_large()
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"The body is larger than {self._max_body_bytes:,} bytes.")


def check_json(body: bytes) -> None:
    """Strict JSON or 422: no NaN, no lone surrogates, no depth that ends a parser, no crowd of names, no NUL."""
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = "nested too deeply" if "depth" in error.msg else "not valid JSON"
        raise InvalidError(
            f"The body is {message}.", errors=[{"field": "body", "message": f"The body is {message}"}]
        ) from None
    objects = [parsed, *parsed.values()] if isinstance(parsed, dict) else []
    if any(isinstance(each, dict) and len(each) > MAX_MEMBERS for each in objects):  # deeper there are no names of ours
        message = f"An object has more than {MAX_MEMBERS} members"
        raise InvalidError(f"{message}.", errors=[{"field": "body", "message": message}])
    if ESCAPED_NUL in body and _holds_nul(parsed):
        raise InvalidError(
            "A text holds a NUL character.", errors=[{"field": "body", "message": "A text holds a NUL character"}]
        )


def _holds_nul(parsed: object) -> bool:
    waiting = [parsed]
    while waiting:
        match waiting.pop():
            case str() as text if "\0" in text:
                return True
            case list() as items:
                waiting += items
            case dict() as members:
                waiting += members.keys()
                waiting += members.values()
            case _:
                pass
    return False
