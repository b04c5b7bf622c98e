"""The job queue: procrastinate on our own database, jobs inserted in the caller's transaction; arguments are ids, never data.

A queue job is only a wake-up; the delivery rows are the truth. So jobs use no `lock` and no `queueing_lock` (a dead
worker's job would block them) and no retry (the sweep queues lost wake-ups again).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException
from procrastinate.psycopg_connector import PsycopgConnector
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from clay_push_service.database import drivers
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.session_settings import SCHEMA

POOL_SECONDS = 5.0
"""To get a connection. With psycopg's 30 s, each operation of the queue would wait that long after an outage."""
STATEMENT_SECONDS = 5.0
"""For one statement of the queue, all of which are short; a connection that takes longer is considered dead and closed."""
LISTEN_CHECK_SECONDS = 5.0
"""Between two round trips on the connection that LISTENs: one that was silently dropped would receive nothing and not fail."""
QUEUE = "clay_push"
DRAIN = "push_jobs.drain"
ENRICH = "enrichment.advance"
FETCH = "procrastinate_fetch_job"
"""Occurs only in the query that fetches a job."""

# procrastinate has no asyncpg connector, so its SQL function is called on the caller's connection: rows and job commit
# together. A test checks that the function exists and that a rollback leaves no job. Wake-ups already queued for no later
# than this one count: a push job needs as many as there are workers for it, and no more (a worker that drains it already
# delays the others by a second, again and again). Up to twice the workers less one, because one may have fetched two.
# `scheduled_at` is null for "now": with a time, even a past one, the job would wait for the next poll.
# The first push job of a destination is opened before the hundredth of another one, which may have thousands.
PRIORITY = f"""(
    SELECT -count(*)::integer FROM (
        SELECT 1 FROM {SCHEMA}.push_jobs AS own
        JOIN {SCHEMA}.push_jobs AS other ON other.destination_version_id = own.destination_version_id
         AND other.status IN ('pending', 'running') AND other.id <> own.id
        WHERE own.id = CAST(CAST(:job_id AS text) AS uuid) LIMIT 100) AS others)"""
WAKE = Statement(f"""
SELECT {SCHEMA}.procrastinate_defer_jobs_v1(ARRAY(
    SELECT ROW(:queue, :task, {PRIORITY}, NULL, NULL, CAST(:args AS jsonb),
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


# One wake-up per organization and time: a second one for no later than the first would find nothing to do.
WAKE_ENRICHMENT = Statement(f"""
SELECT {SCHEMA}.procrastinate_defer_jobs_v1(ARRAY(
    SELECT ROW(:queue, :task, 0, NULL, NULL, CAST(:args AS jsonb),
               CASE WHEN CAST(:delay AS interval) > interval '0' THEN now() + CAST(:delay AS interval) END)
           ::{SCHEMA}.procrastinate_job_to_defer_v1
    WHERE NOT EXISTS (
        SELECT 1 FROM {SCHEMA}.procrastinate_jobs
        WHERE status = 'todo' AND task_name = :task AND args ->> 'org_id' = :org_id
          AND (scheduled_at IS NULL OR scheduled_at <= now() + CAST(:delay AS interval) + interval '100 milliseconds'))))
""")


MAX_WORKERS_PER_JOB = 4
LEADS_PER_WORKER = 1000


def workers_per_job(rate_limit_ms: int, waiting_leads: int) -> int:
    """How many workers drain one push job at the same time: one with a pace; without a pace more workers send faster."""
    return 1 if rate_limit_ms > 0 else min(MAX_WORKERS_PER_JOB, 1 + waiting_leads // LEADS_PER_WORKER)


async def wake(connection: Connection, job_id: UUID, *, delay_seconds: float = 0.0, times: int = 1) -> None:
    """Queue a wake-up, in the caller's transaction: up to `times` workers drain this push job after `delay_seconds`."""
    values = {
        "queue": QUEUE,
        "task": DRAIN,
        "job_id": str(job_id),
        "args": json.dumps({"job_id": str(job_id)}),
        "delay": timedelta(seconds=max(delay_seconds, 0.0)),
        "times": times,
    }
    await WAKE.execute(connection, values)


async def wake_enrichment(connection: Connection, org_id: UUID, *, delay_seconds: float = 0.0) -> None:
    """Queue a wake-up, in the caller's transaction: a worker advances the organization's enrichment after `delay_seconds`."""
    values = {
        "queue": QUEUE,
        "task": ENRICH,
        "org_id": str(org_id),
        "args": json.dumps({"org_id": str(org_id)}),
        "delay": timedelta(seconds=max(delay_seconds, 0.0)),
    }
    await WAKE_ENRICHMENT.execute(connection, values)


async def wake_live(connection: Connection, org_id: UUID) -> None:
    """Queue wake-ups, in the caller's transaction, for all live push jobs of the organization, now.

    Call it after opening a destination or changing its pace: the jobs may be queued for a later time that no longer applies.
    """
    await WAKE_LIVE.execute(connection, {"queue": QUEUE, "task": DRAIN, "org_id": org_id})


class Connector(PsycopgConnector):
    """The worker's connector, with procrastinate's tables in schema `clay`. Calls `fetched` after each successful fetch of a job.

    Every use of a connection is bounded: psycopg itself has no timeout for a server that does not respond. Only public
    methods of procrastinate are used or overridden.
    """

    def __init__(self, database_url: str, fetched: Callable[[], None]) -> None:
        self._client = drivers.Client(database_url, "clay-push-queue")
        super().__init__(
            pool_factory=_new_pool,
            conninfo="",
            kwargs=drivers.psycopg_arguments(self._client),
            configure=self._configure,
            min_size=1,
            max_size=8,
            timeout=POOL_SECONDS,
        )
        self._fetched = fetched

    async def _configure(self, connection: psycopg.AsyncConnection) -> None:
        async with _bounded(connection):
            await drivers.prepare_psycopg(self._client, connection)

    async def execute_query_one_async(self, query: LiteralString, **arguments: Any) -> dict[str, Any]:
        row: dict[str, Any] = await super().execute_query_one_async(query, **arguments)
        if FETCH in query:
            self._fetched()
        return row

    @asynccontextmanager
    async def listening_connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """A connection outside the pool, with the same session settings."""
        connection = await psycopg.AsyncConnection.connect(
            "", autocommit=True, **drivers.psycopg_arguments(self._client)
        )
        async with connection:
            await self._configure(connection)
            yield connection

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """LISTEN on a connection outside the pool; replaces a lost connection. Ends only by cancellation or an error.

        procrastinate's own version does not bound its round trips. Raises ConnectorException.
        """
        try:
            while True:
                async with self.listening_connection() as connection:
                    for channel in channels:
                        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                    await _forward_notifications(connection, on_notification)
        except psycopg.Error as error:
            raise ConnectorException from error


async def _forward_notifications(connection: psycopg.AsyncConnection, on_notification: Notify) -> None:
    """Return when the connection is lost, which a regular round trip detects."""
    with suppress(psycopg.OperationalError):
        while True:
            async for notification in connection.notifies(timeout=LISTEN_CHECK_SECONDS):
                await on_notification(channel=notification.channel, payload=notification.payload)
            async with _bounded(connection):
                await connection.execute("SELECT 1")


class _BoundedPool(AsyncConnectionPool):
    """A pool whose connections are cut after STATEMENT_SECONDS in use."""

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[psycopg.AsyncConnection]:  # noqa: ASYNC109 - psycopg's parameter
        async with super().connection(timeout) as connection, _bounded(connection):
            yield connection


def _new_pool(**arguments: Any) -> AsyncConnectionPool:
    return _BoundedPool(**{**arguments, "check": _check})


async def _check(connection: psycopg.AsyncConnection) -> None:
    """Check a connection before the pool hands it out."""
    async with _bounded(connection):
        await AsyncConnectionPool.check_connection(connection)


@asynccontextmanager
async def _bounded(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    """Cut the connection after STATEMENT_SECONDS: pending operations on it raise OperationalError."""
    timer = asyncio.get_running_loop().call_later(STATEMENT_SECONDS, drivers.abort, connection)
    try:
        yield
    finally:
        timer.cancel()
