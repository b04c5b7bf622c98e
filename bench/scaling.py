"""Measures scaling: leads per second by number of workers, paced organizations per worker, statements by size of the log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg

from bench import log_size
from bench.log_size import LogSize
from bench.pace import MANY_MS, Many, many
from bench.receiver import noting_receiver
from bench.speed import one_push
from bench.stage import Stage, checkpoint, stage, vacuum
from clay_push_service import migrations
from clay_push_service.local_database import postgres
from clay_push_service.local_database.postgres import Server

WORKERS = (1, 2, 4)
RECEIVERS = ((0.0, 20_000, 0), (0.1, 0, 3_000))
"""The receiver's latency in seconds, the leads of a push, and the additional leads per worker."""
ORGANIZATIONS = ((50, 100), (100, 100), (200, 100), (200, 200))
"""The number of organizations, and the number of concurrent slices of the worker (WORKER_CONCURRENCY, by default 100)."""
LEADS_EACH = 100
LOG_ROWS = (100_000, 1_000_000, 10_000_000)
SAMPLE_SECONDS = 0.2
# Workers give their connections these names; the measurement's own connections have another name.
CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'clay-push-%'"
)


@dataclass(frozen=True, slots=True)
class Pushed:
    """One push without a pace."""

    receiver_ms: float
    workers: int
    leads: int
    leads_per_second: float
    workers_cores: float
    """CPU seconds per second of all workers together."""
    postgres_cores: float
    connections: int
    """The largest number of connections of the workers in `pg_stat_activity`."""


@dataclass(frozen=True, slots=True)
class Served:
    """Result of many paced organizations on one worker."""

    slices: int
    many: Many
    connections: int


@dataclass(frozen=True, slots=True)
class Scaling:
    pushed: list[Pushed]
    served: list[Served]
    log: list[LogSize]


@dataclass(slots=True)
class Most:
    connections: int = 0


@contextlib.asynccontextmanager
async def counting(url: str) -> AsyncIterator[Most]:
    """Record the largest number of connections that the workers have at the same time."""
    connection, most = await asyncpg.connect(url), Most()

    async def sample() -> None:
        while True:
            most.connections = max(most.connections, await connection.fetchval(CONNECTIONS))
            await asyncio.sleep(SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    try:
        yield most
    finally:
        sampling.cancel()
        await asyncio.wait([sampling])
        await connection.close()


async def _pushed(at: Stage, latency_seconds: float, leads: int, leads_a_worker: int) -> list[Pushed]:
    made = []
    [organization] = await at.organizations(1, max(leads, leads_a_worker * max(WORKERS)))
    await vacuum(at.url)
    with noting_receiver(latency_seconds) as notes:
        await at.configure(organization, notes.port, 0)
        for workers in WORKERS:
            ids = organization.lead_ids[: leads + leads_a_worker * workers]
            await checkpoint(at.server)
            async with at.running(workers, notes.port) as running, counting(at.url) as most:
                run = await one_push(at, organization, running, ids)
            rate = run.leads_per_second
            made.append(
                Pushed(
                    latency_seconds * 1000, workers, len(ids), rate, run.cpu_ms_per_lead * rate / 1000,
                    run.postgres_cpu_ms_per_lead * rate / 1000, most.connections,
                )
            )  # fmt: skip
            notes.take()
    return made


async def _served(at: Stage, number: int, slices: int, leads: int) -> Served:
    with noting_receiver() as notes:
        async with counting(at.url) as most:
            made = await many(at, notes, number, leads, worker_concurrency=slices)
        return Served(slices, made, most.connections)


async def run(
    server: Server,
    receivers: tuple[tuple[float, int, int], ...] = RECEIVERS,
    organizations: tuple[tuple[int, int], ...] = ORGANIZATIONS,
    leads_each: int = LEADS_EACH,
    log_rows: tuple[int, ...] = LOG_ROWS,
) -> Scaling:
    pushed: list[Pushed] = []
    for receiver in receivers:
        async with stage(server) as at:
            pushed += await _pushed(at, *receiver)
    served = []
    for number, slices in organizations:
        async with stage(server) as at:
            served.append(await _served(at, number, slices, leads_each))
    url = postgres.create_database(server.url, "bench_log_size")
    try:
        migrations.upgrade(url)
        return Scaling(pushed, served, await log_size.run(server, url, log_rows))
    finally:
        postgres.drop_database(server.url, "bench_log_size")


def table(scaling: Scaling) -> str:
    lines = [
        f"{'receiver takes':>15}{'workers':>9}{'leads/s':>9}{'workers, cores':>16}{'PostgreSQL, cores':>19}{'connections':>13}"
    ]
    lines += [
        f"{row.receiver_ms:>12.0f} ms{row.workers:>9}{row.leads_per_second:>9,.0f}{row.workers_cores:>16.2f}"
        f"{row.postgres_cores:>19.2f}{row.connections:>13}"
        for row in scaling.pushed
    ]
    head = f"{f'organizations at {MANY_MS} ms':>24}{'slices':>8}{'slowest':>10}{'median':>9}{'smallest gap':>14}"
    lines += ["", f"{head}{'worker, cores':>15}{'PostgreSQL, cores':>19}{'connections':>13}"]
    lines += [
        f"{row.many.organizations:>24}{row.slices:>8}{row.many.slowest_percent:>8.1f} %{row.many.median_percent:>7.1f} %"
        f"{row.many.smallest_gap_percent:>12.0f} %{row.many.worker_cores:>15.2f}{row.many.postgres_cores:>19.2f}"
        f"{row.connections:>13}"
        for row in scaling.served
    ]
    return "\n".join([*lines, "", log_size.table(scaling.log)])
