"""Measures migrations 0016 and 0017 on a full delivery log, and how long they delay other statements."""

import asyncio
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
from alembic import command

from clay_push_service import migrations

LEADS_A_JOB = 5_000
LIVE = 1_000

DESTINATION = "INSERT INTO clay.destinations (id, org_id, table_name) VALUES ($1, $1, 'Leads')"
METER = "INSERT INTO clay.quota_meters (id, org_id) VALUES ($1, $1)"
VERSION = """
INSERT INTO clay.destination_versions (id, org_id, destination_id, number, url_mask, source, meter_id)
VALUES ($1, $1, $1, 1, 'masked', 'api', $1)
"""
JOBS = """
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_version_id, table_epoch, push_mode, status, lead_count,
    success_count, finished_at)
SELECT gen_random_uuid(), $1, $1, $1, 1, 'all', 'completed', $2::int, $2::int, now() FROM generate_series(1, $3::int)
RETURNING id
"""
DONE = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, table_epoch, username, full_name, status, state,
    clay_response_status, attempts, payload_hash, duration_ms, pushed_at, finished_at)
SELECT $1, job.id, gen_random_uuid(), $1, 1, 'lead-' || n, 'Lead Number ' || n, 'success', 'done', 200, 1,
       sha256(int8send(n)), 40, now(), now()
FROM unnest($2::uuid[]) AS job (id), generate_series(1, $3::bigint) AS n
"""
LIVE_JOB = """
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_version_id, table_epoch, push_mode, status, lead_count)
VALUES ($2, $1, $1, $1, 1, 'all', 'running', $3)
"""
WAITING = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, table_epoch)
SELECT $1, $2, gen_random_uuid(), $1, 1 FROM generate_series(1, $3::int)
"""
# A transaction that workers of the previous release run all the time: claim, finish and count one delivery.
WORK = (
    "SELECT 1 FROM clay.push_jobs WHERE id = $1 FOR NO KEY UPDATE",
    (
        "UPDATE clay.clay_push_log SET due_at = now() WHERE id = (SELECT id FROM clay.clay_push_log"
        " WHERE job_id = $1 AND state = 'waiting' ORDER BY random() LIMIT 1)"
    ),
    "UPDATE clay.push_jobs SET updated_at = now() WHERE id = $1",
)


@dataclass(frozen=True, slots=True)
class Migrated:
    rows: int
    revision: str
    seconds: float
    worker_longest_ms: float
    """The longest transaction of a worker of the previous release; 0 for the contraction, during which workers are stopped."""
    worker_transactions: int


async def run(url: str, rows: int) -> list[Migrated]:
    """Fill the EMPTY database at `url` at the previous revision, then migrate it."""
    config = migrations.alembic_config(url)
    await asyncio.to_thread(command.upgrade, config, "0015")
    job_id = await _fill(url, rows)
    done = asyncio.Event()
    working = asyncio.create_task(_work(url, job_id, done))
    await asyncio.sleep(2)
    started = time.monotonic()
    await asyncio.to_thread(command.upgrade, config, "0016")
    expanded = time.monotonic() - started
    done.set()
    durations = await working
    started = time.monotonic()
    await asyncio.to_thread(command.upgrade, config, "0017")
    measured = [
        Migrated(rows, "0016", expanded, max(durations) * 1000, len(durations)),
        Migrated(rows, "0017", time.monotonic() - started, 0.0, 0),
    ]
    for each in measured:
        print(
            f"{each.revision} on {each.rows:,} deliveries: {each.seconds:6.1f} s; longest of {each.worker_transactions:,} worker"
            f" transactions beside it {each.worker_longest_ms:.0f} ms"
        )
    return measured


async def _fill(url: str, rows: int) -> UUID:
    org_id, live = uuid4(), uuid4()
    connection = await asyncpg.connect(url)
    try:
        for statement in (DESTINATION, METER, VERSION):
            await connection.execute(statement, org_id)
        jobs = [row["id"] for row in await connection.fetch(JOBS, org_id, LEADS_A_JOB, rows // LEADS_A_JOB)]
        await connection.execute(DONE, org_id, jobs, LEADS_A_JOB)
        await connection.execute(LIVE_JOB, org_id, live, LIVE)
        await connection.execute(WAITING, org_id, live, LIVE)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    return live


async def _work(url: str, job_id: UUID, done: asyncio.Event) -> list[float]:
    """Run worker transactions. Returns the duration of each in seconds."""
    durations = []
    connection = await asyncpg.connect(url)
    try:
        while not done.is_set():
            started = time.monotonic()
            async with connection.transaction():
                for statement in WORK:
                    await connection.execute(statement, job_id)
            durations.append(time.monotonic() - started)
            await asyncio.sleep(0.002)
    finally:
        await connection.close()
    return durations
