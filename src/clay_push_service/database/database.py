"""Connection pool: PostgreSQL through SQLAlchemy on asyncpg, one engine per process, short transactions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction, create_async_engine

from clay_push_service import logs
from clay_push_service.database import drivers
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.pool_guard import PoolGuard
from clay_push_service.settings import Settings

ANSWER_SECONDS = 65.0
"""Client-side limit of one statement: above the longest server-side limit (`attach`: 60 s)."""
WORKER_ANSWER_SECONDS = 35.0
"""The same for a worker, whose statements end after 30 s."""
WEB_ANSWER_SECONDS = 10.0
WEB_STATEMENT_SECONDS = 9
"""A caller waits for the response. Accepting 50,000 leads takes one second; ten times as long indicates a database problem."""
SHELL_LOCK_SECONDS = 5
"""How long a command waits for a lock. Without it `verify` would wait for ten minutes behind a migration."""
LISTEN_ANSWER_SECONDS = 3.0
POOL_SECONDS = 10.0
"""Wait for a free connection of the pool."""
WEB_POOL_SECONDS = 5.0
CONNECT_SECONDS = 10
"""Time limit for connecting to one host, unless the URL sets one."""
WEB_CONNECT_SECONDS = 5
UNDO_SECONDS = 3.0
"""Time limit of a ROLLBACK; after it the connection is terminated, which has the same effect."""
CLOSE_SECONDS = 2.0
"""Time limit for an orderly close of all connections."""

log = logs.get(__name__)


class Database:
    """The pool of one process. No connection is held during a POST to Clay."""

    def __init__(
        self,
        url: str,
        pool_size: int,
        application: str = "clay-push",
        *,
        answer_seconds: float = ANSWER_SECONDS,
        pool_seconds: float = POOL_SECONDS,
        connect_seconds: int = CONNECT_SECONDS,
        session: Mapping[str, str] | None = None,
    ) -> None:
        """`session`: values that override the common session settings (`session_settings`)."""
        self._url = url
        client = drivers.Client(url, application, session or {}, connect_seconds)
        client.parsed  # noqa: B018 - detects an unusable URL now
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: drivers.connect(client, command_seconds=answer_seconds),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_seconds,
            pool_pre_ping=False,  # PoolGuard checks idle connections; a broken one fails its transaction, which is retried
            pool_recycle=1800,
            hide_parameters=True,  # error texts are logged, and logs must not contain leads
        )
        self._guard = PoolGuard(self.engine)

    @classmethod
    def of(cls, settings: Settings, application: str = "clay-push") -> "Database":
        return cls(
            settings.database_url, settings.database_pool_size, application, answer_seconds=WORKER_ANSWER_SECONDS
        )

    @classmethod
    def for_web(cls, settings: Settings) -> "Database":
        """With short limits: a caller gets 503 after seconds, not after a minute."""
        return cls(
            settings.database_url, settings.database_pool_size, "clay-push-web",
            answer_seconds=WEB_ANSWER_SECONDS, pool_seconds=WEB_POOL_SECONDS, connect_seconds=WEB_CONNECT_SECONDS,
            session={"statement_timeout": f"{WEB_STATEMENT_SECONDS}s"},
        )  # fmt: skip

    @classmethod
    def for_shell(
        cls,
        url: str,
        application: str = "clay-push-shell",
        *,
        pool_size: int = 1,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> "Database":
        """For one command: a lock that is not free within SHELL_LOCK_SECONDS raises SQLSTATE 55P03."""
        session = {"lock_timeout": f"{SHELL_LOCK_SECONDS}s"}
        return cls(url, pool_size, application, answer_seconds=answer_seconds, session=session)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed at the end of the block, rolled back if it raises."""
        async with self.engine.connect() as connection:
            transaction = await connection.begin()
            try:
                yield connection
                await transaction.commit()
            except BaseException as error:
                await self._undo(connection, transaction, error)
                raise

    async def _undo(self, connection: AsyncConnection, transaction: AsyncTransaction, error: BaseException) -> None:
        """Roll back, or terminate the connection if the server does not respond: that rolls back, too."""
        if not isinstance(error, TimeoutError):
            try:
                async with asyncio.timeout(UNDO_SECONDS):
                    if transaction.is_active:
                        await transaction.rollback()
            except Exception as failed:  # noqa: BLE001 - the caller raises the original error
                log.debug("database.rollback_failed", error=type(failed).__name__)
            else:
                return
        self._guard.empty()
        await self._guard.end(connection)

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[asyncpg.Connection]:
        """Yield the asyncpg connection beneath a pooled one, for the frequent statements of a worker: see Statement.

        No transaction is open on it: each statement is its own transaction, unless the caller begins one.
        """
        async with self.engine.connect() as connection:
            driver: asyncpg.Connection = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]
            try:
                yield driver
            except TimeoutError:
                self._guard.empty()
                await self._guard.end(connection)
                raise
            except BaseException:
                # The pool does not see errors on the driver's connection, and after an error its state is unknown: a server
                # that shuts down reports that before it closes the connection.
                await connection.invalidate()
                raise
            if driver.is_in_transaction():
                await connection.invalidate()

    async def listener(self) -> asyncpg.Connection:
        """Open a separate connection outside the pool, for LISTEN; the caller closes it."""
        client = drivers.Client(self._url, "clay-push-listen", connect_seconds=WEB_CONNECT_SECONDS)
        return await drivers.connect(client, command_seconds=LISTEN_ANSWER_SECONDS)

    async def close(self) -> None:
        """Close all connections; terminates those that do not respond within CLOSE_SECONDS."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.engine.dispose()
        except Exception as error:  # noqa: BLE001 - the process ends
            log.debug("database.not_closed_in_order", **failure(error))
        finally:
            self._guard.end_all()
