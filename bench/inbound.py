"""Measures 100 results a second from Clay's tables for 30 s: the response times, and whether all results are stored and applied."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

import aiohttp
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own

from bench.accept import served
from bench.stage import Stage, WorkerProcess, checkpoint, stage, vacuum
from clay_push_service.enrichment.inbound.tokens import NewToken, create_token
from clay_push_service.local_database.postgres import Server

PER_SECOND, SECONDS, P99_MS = 100, 30, 100.0
"""The load, and the target for response times."""
LEADS = 1_000
APPLIED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Inbound:
    results: int
    refused: int
    median_ms: float
    p99_ms: float
    slowest_ms: float
    stored: int
    applied: int
    applied_after_seconds: float
    """Seconds from the last response until every result is applied."""
    web_cpu_ms: float
    worker_cpu_ms: float
    client_cpu_ms: float
    """Processor time per result, which does not depend on other processes of the machine."""

    @property
    def holds(self) -> bool:
        return self.refused == 0 and self.p99_ms < P99_MS and self.stored == self.applied == self.results


async def _send(
    client: aiohttp.ClientSession, token: NewToken, lead_ids: list[str], number: int, times: list[float]
) -> bool:
    body = {
        "lead_id": lead_ids[number % len(lead_ids)], "email": f"lead{number}@example.com", "email_status": "valid",
        "phone": f"+49301{number:07}", "company_size": number, "job_title": f"Engineer {number}", "provider": "bench",
    }  # fmt: skip
    started = time.perf_counter()
    path = f"/api/clay/results/{token.endpoint_id}"
    async with client.post(path, json=body, headers={"Authorization": f"Bearer {token.plain}"}) as answer:
        await answer.read()
        times.append((time.perf_counter() - started) * 1000)
        return answer.status == 200


async def _measure(
    at: Stage, token: NewToken, lead_ids: list[str], url: str, web: psutil.Process, worker: WorkerProcess
) -> Inbound:
    before = _cpu(web), worker.cpu_seconds(), _cpu(psutil.Process())
    times: list[float] = []
    # aiohttp, because httpx needs more processor time than the service
    connector = aiohttp.TCPConnector(limit=200, keepalive_timeout=5)
    async with aiohttp.ClientSession(url, connector=connector) as client, asyncio.TaskGroup() as group:
        began = time.monotonic()
        tasks = []
        for number in range(PER_SECOND * SECONDS):
            await asyncio.sleep(max(began + number / PER_SECOND - time.monotonic(), 0))
            tasks.append(group.create_task(_send(client, token, lead_ids, number, times)))
    ended = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(APPLIED_SECONDS):
            while await at.installation.fetch("SELECT 1 FROM clay.inbound_results WHERE state = 'stored' LIMIT 1"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    [counted] = await at.installation.fetch(
        "SELECT count(*) AS stored, count(*) FILTER (WHERE state = 'applied') AS applied FROM clay.inbound_results"
    )
    spent = [
        (now - then) * 1000 / len(times)
        for now, then in zip((_cpu(web), worker.cpu_seconds(), _cpu(psutil.Process())), before, strict=True)
    ]
    times.sort()
    accepted = sum(task.result() for task in tasks)
    return Inbound(
        len(times), len(times) - accepted, times[len(times) // 2], times[int(len(times) * 0.99)], times[-1], counted.stored,
        counted.applied, time.monotonic() - ended, *spent,
    )  # fmt: skip


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def run(server: Server) -> Inbound:
    async with stage(server) as at:
        [organization] = await at.organizations(1, LEADS)
        await vacuum(at.url)
        await checkpoint(server)
        async with at.installation.database.transaction() as connection:
            token = await create_token(connection, organization.org_id, "bench")
        lead_ids = [str(each) for each in organization.lead_ids]
        async with served(at) as (url, pid), at.running(1, 9) as [worker]:
            return await _measure(at, token, lead_ids, url, psutil.Process(pid), worker)


def table(made: Inbound) -> str:
    return (
        f"{made.results:,} results at {PER_SECOND}/s: median {made.median_ms:.1f} ms, p99 {made.p99_ms:.1f} ms (target {P99_MS:.0f}),"
        f" slowest {made.slowest_ms:.1f} ms; refused {made.refused}, stored {made.stored:,}, applied {made.applied:,}"
        f" after {made.applied_after_seconds:.1f} s; processor ms per result: web {made.web_cpu_ms:.1f}, worker"
        f" {made.worker_cpu_ms:.1f}, client {made.client_cpu_ms:.1f}{'' if made.holds else '   MISSED'}"
    )
