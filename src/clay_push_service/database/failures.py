"""Classifies database errors: server unavailable, bad data, outdated query plan."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from clay_push_service import logs

UNAVAILABLE = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a statement may raise when the database is away. While a connection is being made SQLAlchemy hands on asyncpg's
own errors ("the database system is starting up"), and the network's. InternalClientError: the connection had just been told
that the server shuts down, and was not closed yet."""
DATA_STATES = ("22", "23", "P0")
"""SQLSTATE classes of data exceptions, broken constraints and what a trigger raises: the same values will fail again."""


VALUE_ERRORS = (ValueError, OverflowError)
"""What the driver raises over a value that PostgreSQL has and Python has not, or the other way round."""

log = logs.get(__name__)

Result = TypeVar("Result")
STALE_PLAN = (
    asyncpg.InvalidCachedStatementError,  # "cached plan must not change result type"
    asyncpg.OutdatedSchemaCacheError,
    asyncpg.InternalServerError,  # "cache lookup failed for type 12345": it was dropped and made again
)


def is_stale_plan(error: BaseException) -> bool:
    """A migration changed what a kept plan was made for. The driver has forgotten its plans by now: try once more."""
    return any(isinstance(each, STALE_PLAN) for each in (error, error.__cause__, _cause(error).__cause__))


async def on_fresh_plan(unit: Callable[[], Awaitable[Result]]) -> Result:
    """Do a unit of work (one whole transaction); once more where a kept plan no longer fits the tables."""
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
    """The values are to blame, so that trying again is of no use; not the server, the network or the moment."""
    cause = _cause(error)
    state: str = getattr(cause, "sqlstate", None) or ""
    return state.startswith(DATA_STATES) or any(
        isinstance(each, VALUE_ERRORS) and not isinstance(each, OSError)  # a refused certificate is both
        for each in (cause, cause.__cause__)
    )
