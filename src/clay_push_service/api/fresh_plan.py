"""Middleware that repeats a request once after a migration, `attach` or `detach` changed the objects that it uses.

PostgreSQL rejects a stale plan or a missing object inside a transaction and rolls it back, so the whole request runs again.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clay_push_service import logs
from clay_push_service.callers.request_state import MAY_REPEAT
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import is_missing_object, is_stale_plan
from clay_push_service.host.table_cache import HostTableCache

log = logs.get(__name__)


class FreshPlanMiddleware:
    """Does not repeat a request whose response has begun, or that sends to Clay (`may_not_repeat`); the latter repeats its units of work."""

    def __init__(self, app: ASGIApp, host: HostTableCache) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received: list[Message] = []
        begun = False

        async def keep() -> Message:
            message = await receive()
            if not begun:
                received.append(message)
            return message

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            received.clear()
            await send(message)

        async def again() -> Message:
            return received.pop(0) if received else await receive()

        first = dict(scope)
        first["state"] = scope.setdefault("state", {})
        try:
            await self._app(first, keep, note)
        except Exception as error:
            is_outdated = is_stale_plan(error) or is_missing_object(error)
            if begun or not is_outdated or not first["state"].get(MAY_REPEAT, True):
                raise
            self._host.invalidate()
            log.info("request.repeated", **failure(error))
            await self._app(scope, again, send)
        finally:
            # The first pass had its own scope; the outer middleware needs its route for metrics.
            for name in ("route", "endpoint"):
                if name in first:
                    scope.setdefault(name, first[name])
