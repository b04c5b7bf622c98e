"""Middleware that handles HEAD as GET without the body: same status and headers."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class _HeadersSentError(OSError):
    """Ends a streamed body at its first part; Starlette treats an OSError as a disconnected client."""


class HeadMiddleware:
    """Runs inside the request middleware, which logs and measures the original method."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        # A copy: the server reads the method of its own scope to know that no body follows.
        as_get = {**scope, "method": "GET"}

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif message.get("more_body", False):
                raise _HeadersSentError

        try:
            await self._app(as_get, receive, send_headers)
        except (_HeadersSentError, ClientDisconnect):
            pass
        finally:
            if "route" in as_get:
                scope["route"] = as_get["route"]
