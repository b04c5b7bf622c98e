"""The queue: procrastinate on our own database, jobs inserted in the caller's transaction; arguments are ids, never data.

A queue job is a wake-up, the rows are the truth: no `lock` and no `queueing_lock` (a dead worker's job would block
them), no retry (the sweep wakes what nobody drains).
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from procrastinate.connector import Notify
from procrastinate.psycopg_connector import PsycopgConnector
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool

from clay_push_service.database import drivers
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.session_settings import SCHEMA

POOL_SECONDS = 5.0
"""For a connection. psycopg's 30 s would be added, one after another, to each thing the queue does after an outage."""
ANSWER_SECONDS = 5.0
"""For one statement of the queue's, all of which are short; a connection that takes longer is taken for dead and cut."""
LISTEN_CHECK_SECONDS = 5.0
"""Between two round trips on LISTEN's connection: one that was silently dropped would hear nothing for ever."""
QUEUE = "clay_push"
DRAIN = "push_jobs.drain"
FETCHES = "procrastinate_fetch_job"
"""In the query that asks for a job, and in no other."""

# procrastinate has no asyncpg connector; its own SQL function, called on the caller's connection, is what makes rows and
# job commit together. A test holds that the function exists and that a rollback leaves no job. Wake-ups that are queued
# already and no later than this one count: a push job has as many as there are workers to share it, and no more (a worker
# that has a share already puts the others off, second after second; but it may have taken two before another came).
# `scheduled_at` is null for "now": with a time, even a past one, the job would wait for the next poll.
WAKE = Statement(f"""
SELECT {SCHEMA}.procrastinate_defer_jobs_v1(ARRAY(
    SELECT ROW(:queue, :task, 0, NULL, NULL, CAST(:args AS jsonb),
               CASE WHEN CAST(:delay AS interval) > interval '0' THEN now() + CAST(:delay AS interval) END)
           ::{SCHEMA}.procrastinate_job_to_defer_v1
    FROM generate_series(1, least(CAST(:times AS bigint), greatest(1, (
        SELECT 2 * count(*) - 1 FROM {SCHEMA}.workers WHERE seen_at > now() - interval '15 seconds'))) - (
        SELECT count(*) FROM {SCHEMA}.procrastinate_jobs
        WHERE status = 'todo' AND args ->> 'job_id' = :job_id
          AND (scheduled_at IS NULL OR scheduled_at <= now() + CAST(:delay AS interval) + interval '100 milliseconds')))))
""")

WAKE_LIVE = Statement(f"""
SELECT {SCHEMA}.procrastinate_defer_jobs_v1(ARRAY(
    SELECT ROW(:queue, :task, 0, NULL, NULL, jsonb_build_object('job_id', job.id), NULL)
           ::{SCHEMA}.procrastinate_job_to_defer_v1
    FROM {SCHEMA}.push_jobs AS job
    WHERE org_id = :org_id AND status IN ('pending', 'running') AND NOT EXISTS (
        SELECT 1 FROM {SCHEMA}.procrastinate_jobs AS queued
        WHERE queued.status = 'todo' AND queued.args ->> 'job_id' = CAST(job.id AS text)
          AND (scheduled_at IS NULL OR scheduled_at <= now()))))
""")


async def wake(connection: Connection, job_id: UUID, *, delay_seconds: float = 0.0, times: int = 1) -> None:
    """See to it, in the caller's transaction, that a worker drains this push job after `delay_seconds`, or up to `times` do."""
    values = {
        "queue": QUEUE,
        "task": DRAIN,
        "job_id": str(job_id),
        "args": json.dumps({"job_id": str(job_id)}),
        "delay": timedelta(seconds=max(delay_seconds, 0.0)),
        "times": times,
    }
    await WAKE.rows(connection, values)


async def wake_live(connection: Connection, org_id: UUID) -> None:
    """See to it, in the caller's transaction, that the organization's live push jobs are drained now.

    For whoever opens a destination or moves its pace: each of them may have put itself off until a time that counts no more.
    """
    await WAKE_LIVE.rows(connection, {"queue": QUEUE, "task": DRAIN, "org_id": org_id})


class Connector(PsycopgConnector):
    """The worker's side of the queue, with procrastinate's tables in our schema; calls `answered` when asking for a job succeeded.

    Every use of a connection is bounded: psycopg has no timeout of its own for a server that does not answer.
    """

    def __init__(self, database_url: str, answered: Callable[[], None]) -> None:
        self._client = drivers.Client(database_url, "clay-push-queue")
        super().__init__(
            conninfo="",
            kwargs=drivers.psycopg_arguments(self._client),
            configure=self._configure,
            min_size=1,
            max_size=8,
            timeout=POOL_SECONDS,
        )
        self._answered = answered

    async def _configure(self, connection: psycopg.AsyncConnection) -> None:
        async with _answering(connection):
            await drivers.prepare_psycopg(self._client, connection)

    async def _create_pool(self, pool_args: dict[str, Any]) -> AsyncConnectionPool:
        return AsyncConnectionPool(**pool_args, open=False, check=_check)

    @asynccontextmanager
    async def _get_cursor(
        self, connection: psycopg.AsyncConnection | None = None
    ) -> AsyncGenerator[psycopg.AsyncCursor[DictRow]]:
        async with super()._get_cursor(connection) as cursor, _answering(cursor.connection):
            yield cursor

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        row: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
        if FETCHES in query:
            self._answered()
        return row

    async def _loop_notify(
        self,
        on_notification: Notify,
        connection: psycopg.AsyncConnection,
        timeout: float = LISTEN_CHECK_SECONDS,  # noqa: ASYNC109 - procrastinate's parameter
    ) -> None:
        """Until the connection is lost, which a round trip finds out; procrastinate then listens on a new one."""
        with suppress(psycopg.OperationalError):
            while True:
                async for heard in connection.notifies(timeout=timeout):
                    await on_notification(channel=heard.channel, payload=heard.payload)
                async with _answering(connection):
                    await connection.execute("SELECT 1")


async def _check(connection: psycopg.AsyncConnection) -> None:
    """Before the pool hands out a connection."""
    async with _answering(connection):
        await AsyncConnectionPool.check_connection(connection)


@asynccontextmanager
async def _answering(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    """The connection is cut after ANSWER_SECONDS: what waits on it raises OperationalError."""
    timer = asyncio.get_running_loop().call_later(ANSWER_SECONDS, drivers.cut, connection)
    try:
        yield
    finally:
        timer.cancel()
