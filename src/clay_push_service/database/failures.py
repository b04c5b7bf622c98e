"""Classifies database errors: server unavailable, bad data, outdated query plan."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from clay_push_service import logs

UNAVAILABLE = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""Errors of a statement when the database is unavailable. While connecting, SQLAlchemy passes on asyncpg's errors ("the database
system is starting up") and network errors. InternalClientError: the server has announced its shutdown and the connection is
not closed yet."""
DATA_STATES = ("22", "23", "P0")
"""SQLSTATE classes of data exceptions, violated constraints and triggers: the same values will fail again."""


VALUE_ERRORS = (ValueError, OverflowError)
"""Errors of the driver for a value that only PostgreSQL or only Python can represent."""

log = logs.get(__name__)

Result = TypeVar("Result")
STALE_PLAN = (
    asyncpg.InvalidCachedStatementError,  # "cached plan must not change result type"
    asyncpg.OutdatedSchemaCacheError,
    asyncpg.InternalServerError,  # "cache lookup failed for type 12345": the type was dropped and recreated
)


MISSING_OBJECT = (
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InsufficientPrivilegeError,
)


def is_stale_plan(error: BaseException) -> bool:
    """Return whether a migration made a cached plan stale. The driver has dropped its plans, so one retry succeeds."""
    return _is_any_of(error, STALE_PLAN)


def is_missing_object(error: BaseException) -> bool:
    """Return whether a statement names an object that does not exist (any more) or that the role may not use (any more)."""
    return _is_any_of(error, MISSING_OBJECT)


def _is_any_of(error: BaseException, kinds: tuple[type[Exception], ...]) -> bool:
    return any(isinstance(each, kinds) for each in (error, error.__cause__, _cause(error).__cause__))


async def on_fresh_plan(unit: Callable[[], Awaitable[Result]]) -> Result:
    """Run a unit of work (one whole transaction), and repeat it once after a stale plan."""
    try:
        return await unit()
    except Exception as error:
        if not is_stale_plan(error):
            raise
        log.info("database.plan_stale")
        return await unit()


def _cause(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def is_about_the_data(error: BaseException) -> bool:
    """Return whether the values cause the error, so that a retry is useless; not the server or the network."""
    cause = _cause(error)
    state: str = getattr(cause, "sqlstate", None) or ""
    return state.startswith(DATA_STATES) or any(
        isinstance(each, VALUE_ERRORS) and not isinstance(each, OSError)  # a rejected certificate is both
        for each in (cause, cause.__cause__)
    )
