"""Measures the time and memory to accept 10,000 ids and 50,000 leads, also by 100 routes, by function call and by HTTP."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import uvloop
from tests.harness.settings import KEY

from bench.routed_tables import ROUTES, add_routes, remove_routes
from bench.stage import Organization, Stage, checkpoint, memory_mb, stage, vacuum
from clay_push_service.callers.actor import Actor
from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from clay_push_service.database.database import Database
from clay_push_service.deliveries.eligibility import Resend
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.local_database.postgres import Server
from clay_push_service.push_jobs.accept import accept
from clay_push_service.push_jobs.schemas import PushFilteredBody
from clay_push_service.push_jobs.selection import select_by_filters, select_by_ids
from clay_push_service.push_jobs.targets.choose import choose_targets, require_destination
from clay_push_service.states import PushMode

SELECTED = 10_000
FILTERED = 50_000
SELECTED_MS, FILTERED_MS, ROUTED_MS, KEPT_MB = 800, 4000, 6000, 50
"""Targets: the median times, and the memory growth."""
ROUNDS = 7
EMPTY = "TRUNCATE clay.push_jobs, clay.clay_push_log, clay.procrastinate_jobs, clay.idempotency_keys CASCADE"


@dataclass(frozen=True, slots=True)
class Accepted:
    what: str
    through: str
    leads: int
    median_ms: float
    slowest_ms: float
    target_ms: int
    kept_mb: float
    """Memory growth of the process over all rounds, after a garbage collection. The first round also opens connections."""
    peak_mb: float
    """Peak memory above the memory before the first round."""

    @property
    def holds(self) -> bool:
        return self.median_ms < self.target_ms and max(self.kept_mb, self.peak_mb) < KEPT_MB


def forget_peak(pid: int | str = "self") -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


async def _rounds(
    what: str, through: str, target_ms: int, push: Callable[[], Awaitable[int]], empty: Callable[[], Awaitable[None]],
    pid: int | str,
) -> Accepted:  # fmt: skip
    times, leads = [], 0
    gc.collect()
    before = memory_mb(pid)
    forget_peak(pid)
    await push()  # opens connections, prepares statements, imports modules: not timed, but its memory counts
    await empty()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        leads = await push()
        times.append((time.perf_counter() - started) * 1000)
        await empty()
    peak = memory_mb(pid, "VmHWM") - before
    gc.collect()
    return Accepted(
        what, through, leads, statistics.median(times), max(times), target_ms, memory_mb(pid) - before, peak
    )


async def _functions(url: str, organization: Organization) -> list[Accepted]:
    database, host = Database(url, pool_size=2), HostTableCache()

    async def selected() -> int:
        async with database.transaction() as connection:
            tables = await host.tables(connection)
            destination = await require_destination(connection, organization.org_id)
            ids = organization.lead_ids[:SELECTED]
            choice = await select_by_ids(connection, tables, organization.org_id, ids, None, Resend())
            actor = Actor(organization.org_id, "bench")
            return sum(job.lead_count for job in await accept(connection, tables, actor, destination, choice))

    async def filtered() -> int:
        async with database.transaction() as connection:
            tables = await host.tables(connection)
            destination = await require_destination(connection, organization.org_id)
            choice = await select_by_filters(
                connection, tables, organization.org_id, organization.project_id, LeadCriteria(), PushMode.ALL, Resend()
            )
            actor = Actor(organization.org_id, "bench")
            return sum(job.lead_count for job in await accept(connection, tables, actor, destination, choice))

    async def routed() -> int:
        async with database.transaction() as connection:
            tables, actor = await host.tables(connection), Actor(organization.org_id, "bench")
            body = PushFilteredBody(project_id=organization.project_id, filters=LeadFilters(), push_mode="all")
            targets = await choose_targets(connection, tables, organization.org_id, body)
            jobs = [await accept(connection, tables, actor, *target) for target in targets]
            return sum(job.lead_count for each in jobs for job in each)

    async def empty() -> None:
        async with database.transaction() as connection:
            await connection.exec_driver_sql(EMPTY)

    try:
        measured = [
            await _rounds(f"{SELECTED:,} ids", "functions", SELECTED_MS, selected, empty, "self"),
            await _rounds(f"{FILTERED:,} filtered", "functions", FILTERED_MS, filtered, empty, "self"),
        ]
        async with database.transaction() as connection:
            await add_routes(connection, organization)
        measured.append(await _rounds(f"{FILTERED:,}, {ROUTES} routes", "functions", ROUTED_MS, routed, empty, "self"))
        async with database.transaction() as connection:
            await remove_routes(connection, organization)
        return measured
    finally:
        await database.close()


def _in_a_process(url: str, organization: Organization, pipe: Connection) -> None:
    pipe.send(uvloop.run(_functions(url, organization)))


@contextlib.asynccontextmanager
async def served(at: Stage) -> AsyncIterator[tuple[str, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "CLAY_PUSH_DATABASE_URL": at.url,
        "CLAY_PUSH_ENCRYPTION_KEYS": KEY,
        "CLAY_PUSH_PORT": str(port),
        "CLAY_PUSH_LOG_LEVEL": "WARNING",
    }
    command = [str(Path(sys.executable).with_name("clay-push")), "serve"]
    with at.log.open("ab") as log:
        process = subprocess.Popen(command, env=environment, stderr=log)  # noqa: ASYNC220
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        break
                await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


async def _http(at: Stage, organization: Organization) -> list[Accepted]:
    async with at.installation.database.transaction() as connection:
        key = await create_key(connection, "bench", [organization.org_id], [Scope.PUSH, Scope.READ], "bench")

    async def empty() -> None:
        await at.installation.fetch(EMPTY)

    async with served(at) as (url, pid):
        headers = {"Authorization": f"Bearer {key.plain}", "X-Org-Id": str(organization.org_id)}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:

            async def push(path: str, body: dict[str, str | list[str] | dict[str, str]]) -> int:
                response = await client.post(path, json=body)
                assert response.status_code == 202, response.text
                return int(sum(job["lead_count"] for job in response.json()["jobs"]))

            ids = [str(each) for each in organization.lead_ids[:SELECTED]]
            everything: dict[str, str | list[str] | dict[str, str]] = {
                "project_id": str(organization.project_id), "filters": {}, "push_mode": "all",
            }  # fmt: skip
            return [
                await _rounds(
                    f"{SELECTED:,} ids", "HTTP", SELECTED_MS,
                    lambda: push("/api/clay/push", {"lead_ids": ids}), empty, pid,
                ),
                await _rounds(
                    f"{FILTERED:,} filtered", "HTTP", FILTERED_MS,
                    lambda: push("/api/clay/push-filtered", everything), empty, pid,
                ),
            ]  # fmt: skip


async def run(server: Server) -> list[Accepted]:
    async with stage(server) as at:
        [organization] = await at.organizations(1, FILTERED)
        await at.configure(organization, 9, 200)
        await vacuum(at.url)
        await checkpoint(server)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_in_a_process, args=(at.url, organization, theirs), daemon=True)
        process.start()
        theirs.close()
        made: list[Accepted] = await asyncio.to_thread(ours.recv)
        process.join()
        return made + await _http(at, organization)


def table(rows: list[Accepted]) -> str:
    lines = [
        f"{'':<22}{'through':<12}{'leads':>8}{'median ms':>11}{'slowest':>9}{'target':>8}{'kept MB':>9}{'peak MB':>9}"
    ]
    lines += [
        f"{row.what:<22}{row.through:<12}{row.leads:>8,}{row.median_ms:>11,.0f}{row.slowest_ms:>9,.0f}{row.target_ms:>8,}"
        f"{row.kept_mb:>9.1f}{row.peak_mb:>9.1f}{'' if row.holds else '   MISSED'}"
        for row in rows
    ]
    return "\n".join([*lines, f"target for memory: {KEPT_MB} MB each"])
