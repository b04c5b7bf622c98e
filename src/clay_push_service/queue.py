"""The queue: procrastinate on our own database, jobs inserted in the caller's transaction; arguments are ids, never data.

A queue job is a wake-up, the rows are the truth: no `lock` and no `queueing_lock` (a dead worker's job would block
them), no retry (the sweep wakes what nobody drains).
"""

import json
from datetime import timedelta
from uuid import UUID

import procrastinate
from procrastinate.psycopg_connector import PsycopgConnector
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database import SCHEMA, libpq_url

QUEUE = "clay_push"
DRAIN = "push_jobs.drain"

# procrastinate has no asyncpg connector; its own SQL function, called on the caller's connection, is what makes rows and
# job commit together. A test holds that the function exists and that a rollback leaves no job.
DEFER = text(f"""
SELECT {SCHEMA}.procrastinate_defer_jobs_v1(ARRAY(
    SELECT ROW(:queue, :task, 0, NULL, NULL, CAST(:args AS jsonb), CAST(now() + CAST(:delay AS interval) AS timestamptz))
           ::{SCHEMA}.procrastinate_job_to_defer_v1
    FROM generate_series(1, CAST(:times AS integer))))
""")
DEFER_NOW = text(DEFER.text.replace("CAST(now() + CAST(:delay AS interval) AS timestamptz)", "NULL"))


async def defer_drain(connection: AsyncConnection, job_id: UUID, *, delay_seconds: float = 0.0, times: int = 1) -> None:
    """Queue `times` wake-ups that drain one push job, in the caller's transaction, after `delay_seconds`."""
    values: dict[str, object] = {
        "queue": QUEUE,
        "task": DRAIN,
        "args": json.dumps({"job_id": str(job_id)}),
        "times": times,
    }
    if delay_seconds > 0:
        await connection.execute(DEFER, values | {"delay": timedelta(seconds=delay_seconds)})
    else:
        await connection.execute(DEFER_NOW, values)


def application(database_url: str) -> procrastinate.App:
    """The worker's side of the queue, on psycopg, with procrastinate's tables in our schema."""
    connector = PsycopgConnector(
        conninfo=libpq_url(database_url),
        kwargs={"options": f"-csearch_path={SCHEMA},pg_catalog", "application_name": "clay-push-queue"},
        min_size=1,
        max_size=8,
    )
    return procrastinate.App(connector=connector)
