"""Middleware that rejects URLs with a NUL character, which PostgreSQL cannot store in text."""

from starlette.types import ASGIApp, Receive, Scope, Send

from clay_push_service.api.errors import respond
from clay_push_service.errors import BadRequestError


class AddressMiddleware:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (b"%00" in scope["query_string"] or "\0" in scope["path"]):
            error = BadRequestError("The URL contains a NUL character.")
            await respond(scope, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)
