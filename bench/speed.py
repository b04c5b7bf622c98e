"""Measures a push of 10,000 leads without a pace, from the tables to the recorded outcomes, compared with a plain loop of the same client."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx

from bench.receiver import noting_receiver
from bench.stage import Organization, Stage, WorkerProcess, checkpoint, stage, vacuum
from bench.transport import loopback_policy
from clay_push_service.clay.response import Responded
from clay_push_service.clay.webhook_client import ClayClient, Target
from clay_push_service.destinations.guard import check_url
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.leads.payload import build
from clay_push_service.local_database.postgres import Server

IN_FLIGHT = 16
LEADS = 10_000
STOCK_POSTS = 2_000
ROUNDS = 5
WARM_UP_LEADS = 1_000
"""Leads that each worker sends before the measurement. Workers run for weeks, and the plain loop's process is also warm."""
LATENCY_SECONDS = 0.1
SLOW_LEADS = 3_000


@dataclass(frozen=True, slots=True)
class Run:
    """One push of all leads, from its commit until its end is recorded."""

    leads_per_second: float
    posts_per_second: float
    """From the first POST to the last."""
    cpu_ms_per_lead: float
    """CPU time of the workers; also seconds per 1,000 leads."""
    postgres_cpu_ms_per_lead: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Speed:
    drain: Run
    """Each figure is the median of its rounds."""
    rounds: list[Run]
    bare_posts_per_second: float
    bare_cpu_ms_per_post: float
    """CPU time of the process that runs the plain loop. On a busy machine, compare this with the worker's figure."""
    stock_posts_per_second: float
    share_of_bare: float
    times_stock: float
    two_workers: Run
    slow_one: Run
    slow_two: Run
    slow_share_of_ideal: float
    slow_two_over_one: float


async def push_all(at: Stage, organization: Organization, port: int, workers: int, **settings: object) -> Run:
    """Push all leads of the organization, after a push of WARM_UP_LEADS."""
    async with at.running(workers, port, **settings) as running:
        await one_push(at, organization, running, organization.lead_ids[:WARM_UP_LEADS])
        await checkpoint(at.server)
        return await one_push(at, organization, running)


async def one_push(
    at: Stage, organization: Organization, running: list[WorkerProcess], lead_ids: list[UUID] | None = None
) -> Run:
    """Measure one push of these leads, or of all, from its commit until its end is recorded. `running` are the workers."""
    cpu = sum(each.cpu_seconds() for each in running)
    job_id = await at.push(organization, lead_ids)
    postgres_cpu, committed = at.postgres_cpu_seconds(), time.monotonic()
    ended = await at.ended([job_id], 120)
    [row] = await at.installation.fetch(
        """SELECT count(*) AS leads FROM clay.clay_push_log WHERE job_id = :id AND status = 'success'""", id=job_id
    )
    return Run(
        row.leads / (ended - committed),
        0.0,
        (sum(each.cpu_seconds() for each in running) - cpu) / row.leads * 1000,
        (at.postgres_cpu_seconds() - postgres_cpu) / row.leads * 1000,
        max(each.peak_mb() for each in running),
    )


async def _loop(bodies: list[bytes], post: Callable[[bytes], Awaitable[None]]) -> tuple[float, float]:
    """Send with IN_FLIGHT concurrent POSTs. Returns POSTs per second and CPU milliseconds per POST."""
    rest = iter(bodies)
    started, cpu = time.perf_counter(), time.process_time()

    async def one_after_another() -> None:
        for body in rest:
            await post(body)

    await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))
    return len(bodies) / (time.perf_counter() - started), (time.process_time() - cpu) / len(bodies) * 1000


async def bodies_of(at: Stage, organization: Organization) -> list[bytes]:
    made: list[bytes] = []
    for first in range(0, len(organization.lead_ids), 500):
        ids = organization.lead_ids[first : first + 500]
        async with at.installation.database.transaction() as connection:
            tables = await at.installation.host_tables.tables(connection)
            rows = await read_lead_rows(connection, tables, organization.org_id, organization.project_id, ids)
        made += [build(row, uuid4(), datetime.now(UTC)).body for row in rows.values()]
    return made


async def bare(port: int, bodies: list[bytes]) -> tuple[float, float]:
    policy = loopback_policy(port)
    client = ClayClient(policy, request_timeout_seconds=30, connect_timeout_seconds=10)
    target = Target(check_url(f"http://localhost:{port}/v3/sources/webhook/bare", policy))

    async def post(body: bytes) -> None:
        answer = await client.post(target, body)
        assert isinstance(answer, Responded), answer

    try:
        return await _loop(bodies, post)
    finally:
        await client.close()


async def stock(port: int, bodies: list[bytes]) -> tuple[float, float]:
    headers = {"content-type": "application/json"}
    async with httpx.AsyncClient() as client:

        async def post(body: bytes) -> None:
            url = f"http://127.0.0.1:{port}/v3/sources/webhook/stock"
            response = await client.post(url, content=body, headers=headers)
            assert response.status_code == 200

        return await _loop(bodies, post)


def median(runs: list[Run]) -> Run:
    return Run(*(statistics.median(column) for column in zip(*(_figures(run) for run in runs), strict=True)))


def _figures(run: Run) -> tuple[float, ...]:
    return (
        run.leads_per_second, run.posts_per_second, run.cpu_ms_per_lead, run.postgres_cpu_ms_per_lead, run.peak_mb,
    )  # fmt: skip


async def run(server: Server, rounds: int = ROUNDS, leads: int = LEADS) -> Speed:
    async with stage(server) as at:
        [organization] = await at.organizations(1, leads)
        bodies = await bodies_of(at, organization)
        drained, barely, stocked = [], [], []
        with noting_receiver() as notes:
            await at.configure(organization, notes.port, 0)
            await vacuum(at.url)
            for _ in range(rounds):
                barely.append(await bare(notes.port, bodies))
                stocked.append(await stock(notes.port, bodies[:STOCK_POSTS]))
                notes.take()
                made = await push_all(at, organization, notes.port, 1)
                times = sorted(arrival.at for arrival in notes.take() if arrival.webhook == organization.webhook)
                assert len(times) == leads + WARM_UP_LEADS, len(times)
                times = times[-leads:]
                drained.append(Run(made.leads_per_second, len(times) / (times[-1] - times[0]), *_figures(made)[2:]))
            two = median([await push_all(at, organization, notes.port, 2) for _ in range(min(rounds, 3))])
        with noting_receiver(LATENCY_SECONDS) as notes:
            await at.configure(organization, notes.port, 0)
            slow = []
            for workers in (1, 2):
                await checkpoint(at.server)
                async with at.running(workers, notes.port) as running:
                    slow.append(
                        await one_push(at, organization, running, organization.lead_ids[: SLOW_LEADS * workers])
                    )
    middle = median(drained)
    bare_rate, bare_cpu = (statistics.median(column) for column in zip(*barely, strict=True))
    stock_rate = statistics.median(rate for rate, _ in stocked)
    return Speed(
        middle, drained, bare_rate, bare_cpu, stock_rate, middle.leads_per_second / bare_rate, bare_rate / stock_rate, two,
        slow[0], slow[1], slow[0].leads_per_second / (IN_FLIGHT / LATENCY_SECONDS),
        slow[1].leads_per_second / slow[0].leads_per_second,
    )  # fmt: skip


def table(speed: Speed) -> str:
    lines = [f"{'':<34}{'leads/s':>9}{'POST to POST':>14}{'CPU s/1,000':>13}{'PostgreSQL':>12}{'peak MB':>9}"]
    for name, made in (
        ("one worker", speed.drain),
        ("two workers", speed.two_workers),
        (f"one, receiver takes {LATENCY_SECONDS * 1000:.0f} ms", speed.slow_one),
        (f"two, receiver takes {LATENCY_SECONDS * 1000:.0f} ms", speed.slow_two),
    ):
        between = f"{made.posts_per_second:,.0f}" if made.posts_per_second else ""
        lines.append(
            f"{name:<34}{made.leads_per_second:>9,.0f}{between:>14}{made.cpu_ms_per_lead:>13.3f}"
            f"{made.postgres_cpu_ms_per_lead:>12.3f}{made.peak_mb:>9.0f}"
        )
    by_cpu = speed.bare_cpu_ms_per_post / speed.drain.cpu_ms_per_lead
    lines.append(f"bare loop over the same client {speed.bare_posts_per_second:,.0f} POSTs/s,")
    lines[-1] += (
        f" {speed.bare_cpu_ms_per_post:.3f} CPU s/1,000; stock httpx {speed.stock_posts_per_second:,.0f} POSTs/s"
    )
    lines.append(f"share of the bare loop {speed.share_of_bare:.2f} (target 0.60), by CPU {by_cpu:.2f}")
    lines.append(f"client over stock httpx {speed.times_stock:.1f} (target 3.0)")
    lines.append(f"share of in-flight ÷ latency {speed.slow_share_of_ideal:.3f} (target 0.95)")
    lines.append(f"two workers over one, slow receiver {speed.slow_two_over_one:.2f} (target 1.80)")
    return "\n".join(lines)
