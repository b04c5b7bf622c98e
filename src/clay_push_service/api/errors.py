"""Converts exceptions to problem documents, without internals: no trace, statement or value."""

from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import exc
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from clay_push_service import problems
from clay_push_service.api.validation import refusal
from clay_push_service.console.pages.errors import error_page, is_console
from clay_push_service.database.failures import is_stale_plan
from clay_push_service.errors import (
    UNFINISHED,
    ClayPushError,
    InvalidError,
    NotFoundError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)

RETRY_AFTER = {"Retry-After": "5"}
LATER = {429: RETRY_AFTER, 503: RETRY_AFTER}
"""Default Retry-After by status, for errors that set none."""
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
"""Methods that routes of this service may support."""

UNAVAILABLE_STATES = ("08", "53", "57P", "40", "25P03", "25006", "57014", "55P03", "28", "3D000")
"""SQLSTATEs of temporary server problems: connection, resources, shutdown, deadlock, timeouts, failover."""
NOT_READY_STATES = ("42P01", "42703", "42883", "3F000", "42501")
"""SQLSTATEs of a missing table, column, function, schema or grant: migrations are missing, or NexusLeads has changed."""
BAD_TEXT_STATES = ("22021", "22P05")


class InternalError(ClayPushError):
    status, code, title = 500, "internal_error", "Internal error"


class MethodNotAllowedError(ClayPushError):
    status, code, title = 405, "method_not_allowed", "Method not allowed"


class OtherHttpError(ClayPushError):
    """Other errors of the framework."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail, code=problems.OF_FRAMEWORK)
        self.status = status  # type: ignore[misc]  # the one class whose status is the framework's
        self.title = "Refused"  # type: ignore[misc]  # likewise


def problem_of(error: Exception, body: Any = None) -> ClayPushError:
    """Return the problem for an exception. `body`: the annotation of the route's body, for the names of its fields."""
    match error:
        case ClayPushError():
            return error
        case RequestValidationError():
            return refusal(error, body)
        case HTTPException():
            return _refused(error)
        case (
            exc.TimeoutError() | exc.OperationalError() | OSError() | asyncpg.PostgresError()
        ):  # OSError: while connecting
            return _database_unavailable()
        case exc.DBAPIError():
            return _of_statement(error)
        case _:
            return _internal()


def _of_statement(error: exc.DBAPIError) -> ClayPushError:
    state: str = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith(NOT_READY_STATES) or is_stale_plan(error):
        return UnavailableError(
            f"The database schema does not match this release. {UNFINISHED}",
            code="database_not_ready",
            headers=RETRY_AFTER,
        )
    if state.startswith(BAD_TEXT_STATES):
        return InvalidError("A text contains characters that cannot be stored.")
    if state:
        return _database_unavailable() if state.startswith(UNAVAILABLE_STATES) else _internal()
    # Without a state the error is the driver's own: a lost connection, or an invalid value.
    driver_error = error.orig.__cause__ if error.orig is not None else None
    lost = error.connection_invalidated or isinstance(error, exc.InterfaceError)
    return _database_unavailable() if lost and not isinstance(driver_error, asyncpg.DataError) else _internal()


def _database_unavailable() -> ClayPushError:
    return UnavailableError(
        "The database cannot be reached; retry in a few seconds.",
        code="database_unavailable",
        headers=RETRY_AFTER,
    )


def _internal() -> ClayPushError:
    return InternalError("An unexpected error occurred; report it with the request id.")


def _refused(error: HTTPException) -> ClayPushError:
    headers = error.headers
    match error.status_code:
        case 404:
            return NotFoundError("No resource exists at this path.", code="route_not_found")
        case 405:
            return MethodNotAllowedError("This path does not support this method.", headers=headers)
        case 400:
            return InvalidError("The body cannot be read.")
        case 401:
            return UnauthorizedError("Send an access token or a service key.", headers=headers)
        case 413:
            return TooLargeError("The body is too large.")
        case status:
            return OtherHttpError(status, "The request was refused.")


def respond(scope: Scope, error: Exception, body: Any = None) -> Response:
    """A problem document, or for the console a page with the same problem."""
    problem = problem_of(error, body)
    headers = LATER.get(problem.status, {}) | problem.headers
    if is_console(scope):
        return error_page(Request(scope), problem, headers)
    return JSONResponse(
        problems.document(problem, scope.get("state", {}).get("request_id")),
        problem.status,
        headers=headers,
        media_type=problems.MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Install handlers for the errors that the framework would render itself; others reach the outermost middleware."""

    async def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            error.headers = {"Allow": ", ".join(_methods(request))}  # the framework lists those of one route only
        return respond(request.scope, error, _body_of(request))

    for kind in (ClayPushError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)


def _body_of(request: Request) -> Any:
    field = getattr(request.scope.get("route"), "body_field", None)
    return None if field is None else field.field_info.annotation


def _methods(request: Request) -> list[str]:
    """Return the methods of a path over all routers. It matches each method, because an included router does not list its own.

    A path without parameters, such as `mappings/preview`, has its own methods, and not those of `mappings/{mapping_id}`.
    """
    path = request.scope["path"]
    own: frozenset[str] = request.app.state.methods_of_fixed_paths.get(path, frozenset())
    if own:
        return [method for method in METHODS if method in own]
    probe = {"type": "http", "path": path, "root_path": request.scope.get("root_path", "")}
    return [
        method
        for method in METHODS
        if any(
            route.matches({**probe, "method": "GET" if method == "HEAD" else method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
