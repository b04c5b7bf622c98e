"""PostgreSQL through SQLAlchemy on asyncpg: one engine a process, short transactions, the database's own clock."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import ClauseElement, make_url, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from clay_push_service.settings import Settings

SCHEMA = "clay"
"""Ours. Every name in a statement is qualified: the host has a `clay_push_log` of its own in `public`."""


ANSWER_SECONDS = 65.0
"""For one statement, by our clock: above what any statement may take by the server's (`attach`: 60 s)."""
UNAVAILABLE = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a statement may raise when the database is away. While a connection is being made SQLAlchemy hands on asyncpg's
own errors ("the database system is starting up"), and the network's. InternalClientError: the connection had just been told
that the server shuts down, and was not closed yet."""
DATA_STATES = ("22", "23", "P0")
"""SQLSTATE classes of data exceptions, broken constraints and what a trigger raises: the same values will fail again."""


VALUE_ERRORS = (ValueError, OverflowError)
"""What the driver raises over a value that PostgreSQL has and Python has not, or the other way round."""


class Database:
    """The process's pool. No connection is ever held across a POST to Clay."""

    def __init__(
        self, url: str, pool_size: int, application: str = "clay-push", *, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self.url = make_url(url).set(drivername="postgresql+asyncpg")
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=False,  # a broken connection fails its transaction, which is retried as a whole
            pool_recycle=1800,
            hide_parameters=True,  # an error's text goes to the log, and leads are no matter for logs
            connect_args={
                "timeout": 10,
                # A connection that was silently dropped answers nothing, not even the server's statement_timeout.
                "command_timeout": answer_seconds,
                "server_settings": {
                    "application_name": application,
                    "search_path": f"{SCHEMA}, pg_catalog",  # procrastinate's functions name their tables unqualified
                    "statement_timeout": "30s",
                    # Whatever the host has made its defaults: second looks need the first, "marked before any byte leaves"
                    # and "recorded" need the second.
                    "default_transaction_isolation": "read committed",
                    "synchronous_commit": "on",
                    "idle_in_transaction_session_timeout": "10s",  # only a frozen process is idle here; its locks stop the sweep
                    "timezone": "UTC",
                    "jit": "off",  # compiling a plan costs more than any statement here runs
                },
            },
        )

    @classmethod
    def of(cls, settings: Settings, application: str = "clay-push") -> "Database":
        return cls(settings.database_url, settings.database_pool_size, application)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back if it raises."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[asyncpg.Connection]:
        """The driver's own connection, out of the same pool, for what a worker does for every lead: see Statement.

        Nobody has begun a transaction on it: each statement is its own, unless you begin one.
        """
        async with self.engine.connect() as connection:
            driver: asyncpg.Connection = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]
            usable = False
            try:
                yield driver
                usable = not driver.is_in_transaction()
            finally:
                # The pool hears of errors and transactions through SQLAlchemy only. After an error nobody knows better: a
                # server that shuts down says so before it closes the connection.
                if not usable:
                    await connection.invalidate()

    async def listener(self) -> asyncpg.Connection:
        """A connection of one's own outside the pool, for LISTEN; the caller closes it."""
        return await asyncpg.connect(
            self.url.set(drivername="postgresql").render_as_string(hide_password=False),
            timeout=10,
            server_settings={"application_name": "clay-push-listen"},
        )

    async def close(self) -> None:
        await self.engine.dispose()


Connection = AsyncConnection | asyncpg.Connection


class Statement:
    """SQL for either connection. The driver's own takes less than half of SQLAlchemy's time (80 µs instead of 190).

    On it errors are asyncpg's, not SQLAlchemy's: see UNAVAILABLE.
    """

    def __init__(self, sql: str | ClauseElement) -> None:
        """`sql`: with parameters as `:name`, or a statement made of expressions."""
        clause = text(sql) if isinstance(sql, str) else sql
        compiled = clause.compile(dialect=postgresql.asyncpg.dialect())  # type: ignore[no-untyped-call]
        self.sql = str(compiled)
        """With `$1`, `$2`, …"""
        self.names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
        """Of the parameters, in their order."""
        self._constants: Mapping[str, object] = compiled.params

    async def rows(self, connection: Connection, values: Mapping[str, object]) -> Sequence[Any]:
        """Run it. Returns all rows, with the driver's values, to be read by position."""
        values = {**self._constants, **values}
        arguments = [values[name] for name in self.names]
        if isinstance(connection, asyncpg.Connection):
            return await connection.fetch(self.sql, *arguments)
        found = await connection.exec_driver_sql(self.sql, tuple(arguments))
        return found.all() if found.returns_rows else ()


def is_about_the_data(error: BaseException) -> bool:
    """The values are to blame, so that trying again is of no use; not the server, the network or the moment."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    state: str = getattr(cause, "sqlstate", None) or ""
    return state.startswith(DATA_STATES) or any(
        isinstance(each, VALUE_ERRORS) and not isinstance(each, OSError)  # a refused certificate is both
        for each in (cause, cause.__cause__)
    )


def libpq_url(url: str) -> str:
    """The same address for psycopg, which procrastinate and Alembic speak."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
