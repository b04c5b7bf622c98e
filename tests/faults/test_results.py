"""Kills web and worker processes while results arrive. Every result that got 200 is applied once, without manual repair."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from clay_push_service.deliveries.invariants import verify
from clay_push_service.demo.home import port_for
from clay_push_service.enrichment.inbound.tokens import NewToken, create_token
from tests.harness.installation import Installation, install
from tests.harness.supervisor import WORKER, Supervisor, supervise

WEB = ("clay_push_service.cli", "serve")
CRASH_AT = "tests.faults.crash_at"
LEADS = 20


@dataclass
class Callbacks:
    """Sends results as Clay does, without retries, and records which ones were acknowledged."""

    installation: Installation
    web: Supervisor
    worker: Supervisor
    token: NewToken
    port: int
    acknowledged: list[str] = field(default_factory=list)

    async def ready(self) -> None:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
            while True:
                try:
                    if (await client.get(f"http://127.0.0.1:{self.port}/healthz")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    async def send(self, client: httpx.AsyncClient, number: int) -> None:
        body = {"lead_id": str(self.installation.lead_ids[number % LEADS]), "industry": f"number {number}"}
        url = f"http://127.0.0.1:{self.port}/api/clay/results/{self.token.endpoint_id}"
        try:
            answer = await client.post(url, json=body, headers={"X-Clay-Push-Token": self.token.plain})
        except httpx.TransportError:
            return
        if answer.status_code == 200:
            self.acknowledged.append(f"number {number}")

    async def applied(self, seconds: float) -> None:
        """Wait until all stored results are applied."""
        async with asyncio.timeout(seconds):
            while await self.installation.fetch("SELECT 1 FROM clay.inbound_results WHERE state = 'stored' LIMIT 1"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def check_applied_once(self) -> None:
        rows = await self.installation.fetch("SELECT value #>> '{}' AS value FROM clay.enriched_values")
        values = [row.value for row in rows]
        assert set(self.acknowledged) <= set(values), "an acknowledged result was lost"
        assert len(values) == len(set(values)), "a result was applied twice"
        states = await self.installation.fetch("SELECT DISTINCT state FROM clay.inbound_results")
        assert [row.state for row in states] == ["applied"]
        async with self.installation.database.transaction() as connection:
            assert await verify(connection, timedelta(seconds=20)) == []


@asynccontextmanager
async def callbacks(database_url: str, directory: Path, **changes: Any) -> AsyncIterator[Callbacks]:
    port = port_for(0)
    async with install(database_url, leads=LEADS, port=port, log_level="WARNING", sweep_seconds=0.5, **changes) as w:
        async with w.database.transaction() as connection:
            token = await create_token(connection, w.org_id, "user:test")
        async with (
            supervise(w.settings, directory / "web.log", WEB) as web,
            supervise(w.settings, directory / "worker.log", WORKER) as worker,
        ):
            web.change(PORT=str(port))
            await web.keep_running(1)
            made = Callbacks(w, web, worker, token, port)
            await made.ready()
            yield made


@pytest.mark.parametrize("point", ["results_not_committed", "results_committed"])
async def test_results_of_a_worker_that_is_killed_in_a_batch_are_applied_by_the_next(
    database_url: str, tmp_path: Path, point: str
) -> None:
    async with callbacks(database_url, tmp_path) as c:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for number in range(10):
                await c.send(client, number)
        assert len(c.acknowledged) == 10
        assert c.web.kill()
        c.worker.command = (CRASH_AT, point, "0")
        process = await c.worker.start_one()
        assert await c.worker.wait_for_exit(process, 60) == -signal.SIGKILL
        stored = await c.installation.fetch("SELECT 1 FROM clay.inbound_results WHERE state = 'stored'")
        assert bool(stored) == (point == "results_not_committed")
        c.worker.command = WORKER
        await c.worker.keep_running(1)
        await c.applied(60)
        await c.check_applied_once()


@pytest.mark.timeout(240)
async def test_no_acknowledged_result_is_lost_when_web_and_worker_are_killed_at_random(
    database_url: str, tmp_path: Path
) -> None:
    async with callbacks(database_url, tmp_path) as c:
        await c.worker.keep_running(1)
        chance = random.Random(5)
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            for kills in range(4):
                await c.ready()
                wanted = len(c.acknowledged) + 20
                number = kills * 1000
                async with asyncio.timeout(60):
                    while len(c.acknowledged) < wanted:
                        await asyncio.gather(*(c.send(client, number + each) for each in range(8)))
                        number += 8
                burst = asyncio.gather(*(c.send(client, number + each) for each in range(30)))
                await asyncio.sleep(chance.random() * 0.1)
                c.web.kill()
                c.worker.kill()
                await burst
        await c.applied(90)
        await c.check_applied_once()
        assert c.web.ended.count(-signal.SIGKILL) >= 3
