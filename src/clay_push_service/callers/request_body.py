"""Reads a request body with limits on size and time, and rejects bodies that are not strict, storable JSON."""

import asyncio

import orjson
from starlette.requests import Request
from starlette.types import Message

from clay_push_service.errors import BadRequestError, InvalidError, MediaTypeError, RequestTimeoutError, TooLargeError

JSON = "application/json"
BOM = b"\xef\xbb\xbf"
"""Byte order mark; Windows PowerShell and some editors write it before the JSON."""
MAX_DEPTH = 1024
"""orjson refuses deeper documents, without a code that identifies this error."""
ESCAPED_NUL = b"\\u0000"
MAX_MEMBERS = 200
"""Maximum members of one object; our schemas have a dozen. Each unknown one is an error: 100,000 took 100 MB and blocked for 0.7 s."""


async def with_body(request: Request, max_bytes: int, seconds: float) -> Request:
    """Return the request with its body read completely and checked: the errors of `read_json` and `check_json`."""
    body = await read_json(request, max_bytes, seconds)
    if body:
        check_json(body)
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await request.receive()

    return Request(request.scope, replay)


async def read_json(request: Request, max_bytes: int, seconds: float) -> bytes:
    """Read the body completely, without parsing it.

    Raises 413 over `max_bytes` (before reading, if the length is declared), 408 if the body is not complete after
    `seconds`, 400 if the client disconnects during the body, 415 for a media type other than JSON and for a compressed
    body. A byte order mark is removed.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > max_bytes:
        raise _too_large(max_bytes)
    if declared.strip("0"):
        _require_json(request)
    try:
        async with asyncio.timeout(seconds):
            body = await read_body(request, max_bytes)
    except TimeoutError:
        raise RequestTimeoutError(f"The body was not complete after {seconds:g} seconds.") from None
    if body:
        _require_json(request)
    return body.removeprefix(BOM)


def _require_json(request: Request) -> None:
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise MediaTypeError(
            "The body must not be compressed: remove the header Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        found = "has another type" if media_type else "has no Content-Type"
        raise MediaTypeError(
            f"The body must be JSON, with the header `Content-Type: {JSON}`; this request {found}.",
            headers={"Accept": JSON},
        )


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Read the body completely. Raises 413 over `max_bytes`, 400 if the client disconnects during the body."""
    parts, size = [], 0
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise BadRequestError("The body ended early.")
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(f"The body is larger than {max_bytes:,} bytes.")


def check_json(body: bytes) -> None:
    """Raise 422 unless the body is strict JSON: no NaN, lone surrogates, excessive depth or members, and no NUL."""
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        message = f"The body is not valid JSON in UTF-8, or it is nested more than {MAX_DEPTH:,} levels deep"
        raise InvalidError(f"{message}.", errors=[{"field": "body", "message": message}]) from None
    objects = [parsed, *parsed.values()] if isinstance(parsed, dict) else []
    if any(
        isinstance(each, dict) and len(each) > MAX_MEMBERS for each in objects
    ):  # deeper levels have no named fields
        message = f"An object has more than {MAX_MEMBERS} members"
        raise InvalidError(f"{message}.", errors=[{"field": "body", "message": message}])
    if ESCAPED_NUL in body and _holds_nul(parsed):
        raise InvalidError(
            "A text contains a NUL character.", errors=[{"field": "body", "message": "A text contains a NUL character"}]
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
