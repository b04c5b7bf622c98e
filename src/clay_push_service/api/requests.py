"""Outermost middleware: request id, one log line and metric per request, security headers, and a response for every error."""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clay_push_service import logs, metrics
from clay_push_service.api.errors import problem_of, respond
from clay_push_service.database.failed_statement import failure
from clay_push_service.errors import UnavailableError
from clay_push_service.host.table_cache import HostTableCache

REQUEST_ID = "X-Request-Id"
_SANE_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}", re.ASCII)
"""Other values could forge log lines or responses."""
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Other methods share one label: callers must not create labels."""
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

log = logs.get(__name__)


class RequestMiddleware:
    """Converts every exception of the application to a problem document."""

    def __init__(self, app: ASGIApp, host: HostTableCache) -> None:
        self._app = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0
        is_read = not _has_body(scope)

        async def receive_and_note() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or not message.get("more_body", False)
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
                if not is_read:  # the rest of the body must not be read as the next request
                    headers["Connection"] = "close"
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive_and_note, send_with_headers)
            except Exception as error:
                self._log(error)
                if status:  # the response has begun, so it can only be cut off
                    raise
                await respond(scope, error)(scope, receive, send_with_headers)
            finally:
                self._measure(scope, status, time.perf_counter() - started)

    def _log(self, error: Exception) -> None:
        problem = problem_of(error)
        if isinstance(problem, UnavailableError):
            self._host.invalidate()  # NexusLeads' tables may have been renamed
            log.warning("request.unavailable", code=problem.code, **failure(error))
        else:
            log.error("request.failed", **failure(error), exc_info=error)

    @staticmethod
    def _measure(scope: Scope, status: int, seconds: float) -> None:
        route: str = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in METHODS else "other"
        metrics.REQUESTS.labels(method=method, route=route, status=str(status)).observe(seconds)
        write = log.debug if route in QUIET_ROUTES else log.info
        write("request.answered", method=method, route=route, status=status, duration_ms=round(seconds * 1000))


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip("0") != ""
