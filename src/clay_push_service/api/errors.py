"""Turns whatever was raised into a problem document; says nothing of its insides: no trace, no statement, no value."""

from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import exc
from starlette.exceptions import HTTPException
from starlette.routing import Match

from clay_push_service import problems
from clay_push_service.api.validation import refusal
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
"""By status: what says "not now" says when, also where the refusal itself has no time to name."""
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
"""Those that a route of ours may take."""

UNAVAILABLE_STATES = ("08", "53", "57P", "40", "25P03", "25006", "57014", "55P03", "28", "3D000")
"""SQLSTATEs that are the server's or the moment's fault: connection, resources, shutdown, deadlock, timeouts, failover."""
NOT_READY_STATES = ("42P01", "42703", "42883", "3F000", "42501")
"""A table, column, function, schema or grant is missing: migrations are behind, or the host has just changed."""
BAD_TEXT_STATES = ("22021", "22P05")


class InternalError(ClayPushError):
    status, code, title = 500, "internal_error", "Internal error"


class MethodNotAllowedError(ClayPushError):
    status, code, title = 405, "method_not_allowed", "Method not allowed"


class OtherHttpError(ClayPushError):
    """Whatever else the framework refuses."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail, code=problems.OF_FRAMEWORK)
        self.status = status  # type: ignore[misc]  # the one class whose status is the framework's
        self.title = "Refused"  # type: ignore[misc]  # likewise


def problem_of(error: Exception, body: Any = None) -> ClayPushError:
    """The problem to answer with. `body`: the annotation of the route's body, for the names of its fields."""
    match error:
        case ClayPushError():
            return error
        case RequestValidationError():
            return refusal(error, body)
        case HTTPException():
            return _refused(error)
        case (
            exc.TimeoutError() | exc.OperationalError() | OSError() | asyncpg.PostgresError()
        ):  # the last while connecting
            return _database_unavailable()
        case exc.DBAPIError():
            return _of_statement(error)
        case _:
            return _internal()


def _of_statement(error: exc.DBAPIError) -> ClayPushError:
    state: str = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith(NOT_READY_STATES) or is_stale_plan(error):
        return UnavailableError(
            f"The database is not in the state this service needs. {UNFINISHED}",
            code="database_not_ready",
            headers=RETRY_AFTER,
        )
    if state.startswith(BAD_TEXT_STATES):
        return InvalidError("A text holds characters that cannot be stored.")
    if state:
        return _database_unavailable() if state.startswith(UNAVAILABLE_STATES) else _internal()
    # Without a state the driver itself complained: of a lost connection, or of a value that we should not have passed.
    driver_error = error.orig.__cause__ if error.orig is not None else None
    lost = error.connection_invalidated or isinstance(error, exc.InterfaceError)
    return _database_unavailable() if lost and not isinstance(driver_error, asyncpg.DataError) else _internal()


def _database_unavailable() -> ClayPushError:
    return UnavailableError(
        "The database cannot be reached now; try again in a few seconds.",
        code="database_unavailable",
        headers=RETRY_AFTER,
    )


def _internal() -> ClayPushError:
    return InternalError("Something unexpected happened; report it with the request id.")


def _refused(error: HTTPException) -> ClayPushError:
    headers = error.headers
    match error.status_code:
        case 404:
            return NotFoundError("There is nothing at this path.", code="route_not_found")
        case 405:
            return MethodNotAllowedError("This path does not take this method.", headers=headers)
        case 400:
            return InvalidError("The body cannot be read.")
        case 401:
            return UnauthorizedError("Send an access token or a service key.", headers=headers)
        case 413:
            return TooLargeError("The body is too large.")
        case status:
            return OtherHttpError(status, "The request was refused.")


def respond(error: Exception, request_id: str | None, body: Any = None) -> JSONResponse:
    problem = problem_of(error, body)
    return JSONResponse(
        problems.document(problem, request_id),
        problem.status,
        headers=LATER.get(problem.status, {}) | problem.headers,
        media_type=problems.MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """For what the framework would render itself; everything else reaches the outermost middleware."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            error.headers = {"Allow": ", ".join(_methods(request))}  # the framework names those of one route only
        return respond(error, request.scope.get("state", {}).get("request_id"), _body_of(request))

    for kind in (ClayPushError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, handle)


def _body_of(request: Request) -> Any:
    field = getattr(request.scope.get("route"), "body_field", None)
    return None if field is None else field.field_info.annotation


def _methods(request: Request) -> list[str]:
    """All that this path takes, in whichever of our routers: tried, as an included router does not list its own."""
    asked = {"type": "http", "path": request.scope["path"], "root_path": request.scope.get("root_path", "")}
    return [
        method
        for method in METHODS
        if any(
            route.matches({**asked, "method": "GET" if method == "HEAD" else method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
