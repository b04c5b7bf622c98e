"""Measures a claim, a mark and a sweep with 0.1, 1 and 10 million deliveries in the log."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
from tests.support.destination_rows import add_destination, add_version

from clay_push_service.database.database import Database
from clay_push_service.deliveries.claim import claim, mark_sending
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.local_database.postgres import Server

ROUNDS = 20
LEADS_A_JOB = 10_000
LIVE_LEADS = 20_000
"""Leads of the push job from which the rounds claim: 100 at once, as with a pace, and 500, as without."""
LEASE = timedelta(seconds=600)
"""Longer than all rounds. The sweep searches and finds nothing to repair, which is its usual case."""

# The table is loaded without indexes and foreign key, which are created afterwards. For 10 million rows this takes a tenth of the time.
INDEXES = """
SELECT indexname AS name, indexdef AS definition FROM pg_indexes
WHERE schemaname = 'clay' AND tablename = 'clay_push_log' AND indexname <> 'clay_push_log_pk'
"""
FOREIGN_KEY = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'clay_push_log_job_fk'"
JOBS = """
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, status,
    lead_count, success_count, finished_at)
SELECT gen_random_uuid(), org_id, org_id, destination_id, id, 1, 'all', 'completed', $2::int, $2::int, now()
FROM clay.destination_versions, generate_series(1, $3::int) WHERE id = $1
RETURNING id
"""
DONE = """
INSERT INTO clay.clay_push_log (id, org_id, job_id, contributor_id, project_id, destination_id, table_epoch, username, full_name, status,
    state, clay_response_status, attempts, payload_hash, duration_ms, pushed_at, finished_at)
SELECT lpad(to_hex($2::bigint + n), 32, '0')::uuid, $1, ($3::uuid[])[1 + n % cardinality($3::uuid[])], gen_random_uuid(),
       $1, $5::uuid, 1, 'lead-' || n, 'Lead Number ' || n, 'success', 'done', 200, 1, sha256(int8send(n)), 40, now(), now()
FROM generate_series(1, $4::bigint) AS n
"""
LIVE_JOB = """
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, status,
    lead_count)
VALUES ($1, $2, $2, $5, $3, 1, 'all', 'running', $4)
"""
WAITING = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch)
SELECT $1, $2, gen_random_uuid(), $1, $4::uuid, 1 FROM generate_series(1, $3::int)
"""


@dataclass(frozen=True, slots=True)
class LogSize:
    rows: int
    load_seconds: float
    table_mb: float
    """Size of the table with its indexes."""
    claim_100_ms: float
    """This figure and the next three are medians that include the commit."""
    claim_500_ms: float
    mark_100_ms: float
    sweep_ms: float
    slowest_ms: float
    """The slowest of all operations."""


async def run(server: Server, url: str, sizes: tuple[int, ...]) -> list[LogSize]:
    """Fill the migrated database at `url`, and measure at each of `sizes`, which must ascend."""
    connection = await asyncpg.connect(url)
    org_id = uuid4()
    made, rows = [], 0
    try:
        destination = await add_destination(connection, org_id)
        version = await add_version(connection, org_id, destination)
        for size in sizes:
            started = time.monotonic()
            await _load(connection, org_id, destination, version, rows, size - rows)
            rows, loaded = size, time.monotonic() - started
            live = uuid4()
            await connection.execute(LIVE_JOB, live, org_id, version, LIVE_LEADS, destination)
            await connection.execute(WAITING, org_id, live, LIVE_LEADS, destination)
            await connection.execute("VACUUM ANALYZE clay.clay_push_log")
            await connection.execute("VACUUM ANALYZE clay.push_jobs")
            await _checkpoint(server)
            megabytes = await connection.fetchval("SELECT pg_total_relation_size('clay.clay_push_log') / 1048576.0")
            made.append(LogSize(size, loaded, float(megabytes), *await _measure(url, live)))
            await connection.execute("DELETE FROM clay.clay_push_log WHERE job_id = $1", live)
            await connection.execute("DELETE FROM clay.push_jobs WHERE id = $1", live)
    finally:
        await connection.close()
    return made


async def _checkpoint(server: Server) -> None:
    admin = await asyncpg.connect(server.admin_url)
    try:
        await admin.execute("CHECKPOINT")
    finally:
        await admin.close()


async def _load(
    connection: asyncpg.Connection, org_id: UUID, destination: UUID, version: UUID, before: int, rows: int
) -> None:
    jobs = [row[0] for row in await connection.fetch(JOBS, version, LEADS_A_JOB, max(rows // LEADS_A_JOB, 1))]
    indexes = await connection.fetch(INDEXES)
    key = await connection.fetchval(FOREIGN_KEY)
    async with connection.transaction():
        await connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        await connection.execute("ALTER TABLE clay.clay_push_log DROP CONSTRAINT clay_push_log_job_fk")
        for index in indexes:
            await connection.execute(f"DROP INDEX clay.{index['name']}")
        await connection.execute(DONE, org_id, before, jobs, rows, destination)
        for index in indexes:
            await connection.execute(index["definition"])
        await connection.execute(f"ALTER TABLE clay.clay_push_log ADD CONSTRAINT clay_push_log_job_fk {key}")


async def _measure(url: str, job_id: UUID) -> tuple[float, ...]:
    database, token = Database(url, pool_size=2), uuid4()
    claimed: list[UUID] = []

    def claiming(wanted: int) -> Callable[[], Awaitable[None]]:
        async def once() -> None:
            async with database.driver() as connection:
                claims = await claim(connection, job_id, token, wanted, LEASE)
            assert len(claims) == wanted
            claimed.extend(each.delivery_id for each in claims)

        return once

    async def mark() -> None:
        ids = [claimed.pop() for _ in range(100)]
        async with database.driver() as connection:
            assert len(await mark_sending(connection, token, ids, LEASE)) == len(ids)

    async def swept() -> None:
        async with database.transaction() as connection:
            await sweep(connection)

    try:
        timed = [await _rounds(each) for each in (claiming(100), claiming(500), mark, swept)]
    finally:
        await database.close()
    return *(statistics.median(times) for times in timed), max(max(times) for times in timed)


async def _rounds(once: Callable[[], Awaitable[None]]) -> list[float]:
    await once()  # opens connections and creates plans
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await once()
        times.append((time.perf_counter() - started) * 1000)
    return times


def table(rows: list[LogSize]) -> str:
    lines = [
        (
            f"{'log rows':>12}{'MB':>8}{'loaded s':>10}{'claim 100 ms':>14}{'claim 500':>11}{'mark 100':>10}{'sweep':>8}"
            f"{'slowest':>9}"
        )
    ]
    lines += [
        f"{row.rows:>12,}{row.table_mb:>8,.0f}{row.load_seconds:>10.1f}{row.claim_100_ms:>14.1f}{row.claim_500_ms:>11.1f}"
        f"{row.mark_100_ms:>10.1f}{row.sweep_ms:>8.1f}{row.slowest_ms:>9.1f}"
        for row in rows
    ]
    return "\n".join(lines)
