"""Measures retention and erasure in a large log: the passes until all personal data is removed, and the erasure of 1 and 1,000 leads."""

import statistics
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import text
from tests.support.destination_rows import add_destination, add_version

from clay_push_service.database.database import Database
from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.local_database.nexusleads_tables import create_schema
from clay_push_service.privacy.erase import erase
from clay_push_service.privacy.retention import BATCH_ROWS, empty_old_jobs

JOBS = 40
LEADS_A_JOB = 5_000
RETENTION_DAYS = 180

FILL = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch, username, full_name, status, state,
    cause, error_message, payload_hash, created_at, pushed_at, finished_at)
SELECT $1, $2::uuid, md5($2::uuid::text || n)::uuid, $1, $4::uuid, 1, 'lead-' || n, 'Lead Number ' || n,
       CASE WHEN n % 20 = 0 THEN 'failed' ELSE 'success' END, 'done', CASE WHEN n % 20 = 0 THEN 'rejected' END,
       CASE WHEN n % 20 = 0 THEN 'Clay refused this lead''s row.' END, sha256(n::text::bytea), now() - interval '1 year',
       now() - interval '1 year', now() - interval '1 year'
FROM generate_series(1, $3::int) AS n
"""


@dataclass(frozen=True, slots=True)
class Measured:
    what: str
    rows: int
    seconds: float
    slowest_transaction_ms: float


async def run(database_url: str, jobs: int = JOBS, leads_a_job: int = LEADS_A_JOB) -> list[Measured]:
    """Fill the migrated, EMPTY database at `database_url` with old push jobs of one organization."""
    org_id = await _fill(database_url, jobs, leads_a_job)
    database = Database(database_url, pool_size=2)
    try:
        measured = [await _idle(database), await _retention(database)]
        measured += [await _erasure(database, org_id, people) for people in (1, 1_000)]
    finally:
        await database.close()
    for each in measured:
        rate = each.rows / each.seconds if each.rows else 0
        print(
            f"{each.what:40} {each.rows:9,} rows {each.seconds:8.3f} s {rate:9,.0f} rows/s"
            f"   slowest transaction {each.slowest_transaction_ms:7.1f} ms"
        )
    return measured


async def _fill(database_url: str, jobs: int, leads_a_job: int) -> UUID:
    connection = await asyncpg.connect(database_url)
    org_id = uuid4()
    try:
        await create_schema(connection, Vintage.TODAY)
        destination = await add_destination(connection, org_id)
        version = await add_version(connection, org_id, destination)
        for _ in range(jobs):
            job = uuid4()
            await connection.execute(
                "INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, status,"
                " lead_count, success_count, finished_at) VALUES ($1, $2, $2, $5, $3, 1, 'selected', 'completed', $4, $4,"
                " now() - interval '1 year')",
                job, org_id, version, leads_a_job, destination,
            )  # fmt: skip
            await connection.execute(FILL, org_id, job, leads_a_job, destination)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return org_id


async def _idle(database: Database) -> Measured:
    """Measure a retention pass that finds no old rows."""
    times = []
    for _ in range(20):
        started = time.perf_counter()
        await empty_old_jobs(database, 10_000)
        times.append(time.perf_counter() - started)
    return Measured("retention, nothing to do", 0, statistics.median(times), max(times) * 1000)


async def _retention(database: Database) -> Measured:
    rows, slowest, started = 0, 0.0, time.perf_counter()
    while True:
        began = time.perf_counter()
        done = await empty_old_jobs(database, RETENTION_DAYS, batches=1)
        slowest = max(slowest, time.perf_counter() - began)
        rows += done.rows
        if not done.rows and not done.jobs:
            return Measured(
                f"retention, {BATCH_ROWS:,} rows at once", rows, time.perf_counter() - started, slowest * 1000
            )


async def _erasure(database: Database, org_id: UUID, people: int) -> Measured:
    async with database.transaction() as connection:
        lead_ids = list(
            (
                await connection.execute(
                    text("SELECT contributor_id FROM clay.clay_push_log TABLESAMPLE SYSTEM (20) LIMIT :people"),
                    {"people": people},
                )
            ).scalars()
        )
    started = time.perf_counter()
    async with database.transaction() as connection:
        await erase(connection, await detect(connection), org_id, "bench", lead_ids)
    seconds = time.perf_counter() - started
    return Measured(f"erasure of {people:,}", len(lead_ids), seconds, seconds * 1000)
