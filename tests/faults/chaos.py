"""Runs random actions of customers and random faults: killed and frozen processes, crashes of PostgreSQL, cut and silent connections."""

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from clay_push_service.local_database import postgres
from tests.faults.customers import Customer
from tests.harness.fault_run import UNAVAILABLE, FaultRun
from tests.harness.supervisor import Supervisor
from tests.support.programs import free_port
from tests.support.proxy import Cut


@asynccontextmanager
async def web_processes(run: FaultRun, number: int) -> AsyncIterator[tuple[list[Supervisor], list[str]]]:
    """Run several `clay-push serve`, each on its own port, and restart them after an exit. Yields their supervisors and addresses."""
    ports = [free_port() for _ in range(number)]
    async with contextlib.AsyncExitStack() as stack:
        supervisors = []
        for port in ports:
            web = Supervisor(run.workers.settings, run.workers.log, ("clay_push_service.cli", "serve"))
            stack.push_async_callback(web.close)
            web.change(PORT=str(port))
            await web.keep_running(1)
            supervisors.append(web)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        for url in urls:
            await answering(url)
        yield supervisors, urls


async def answering(url: str, seconds: float = 120.0) -> None:
    """Wait until the process at this address is ready."""
    async with asyncio.timeout(seconds), httpx.AsyncClient(base_url=url) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/readyz")).is_success:
                    return
            await asyncio.sleep(0.1)


@dataclass
class Chaos:
    """Chooses random actions and faults. `done` counts them by name."""

    fault_run: FaultRun
    webs: Sequence[Supervisor]
    customers: Sequence[Customer]
    server: postgres.Server
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)

    async def run(self, seconds: float) -> None:
        """Run the customers concurrently with a fault about every second. Repairs all faults at the end."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for each in self.customers:
                group.create_task(self._act(each, until))
            group.create_task(self._break(until))
        self.fault_run.proxy.heal()
        for supervisor in (self.fault_run.workers, *self.webs):
            for index in range(len(supervisor.processes)):
                supervisor.send(signal.SIGCONT, index)

    async def _act(self, actor: Customer, until: float) -> None:
        acts: list[tuple[str, Callable[[], Awaitable[None]], int]] = [
            ("push", actor.push, 10),
            ("push again", lambda: actor.push(size=5, again=True), 2),
            ("cancel", actor.cancel, 2),
            ("retry", actor.retry, 3),
            ("save settings", actor.save, 3),
            ("erase", actor.erase, 1),
            ("look", actor.look, 2),
        ]
        while time.monotonic() < until:
            [(name, act, _)] = self.chance.choices(acts, [weight for *_, weight in acts])
            if name.startswith(("push", "retry")) and await pending(self.fault_run, actor.org_id) > actor.most_pending:
                name, act = "look", actor.look
            await act()
            self.done[name] += 1
            await asyncio.sleep(self.chance.uniform(0.05, 0.8))

    async def _break(self, until: float) -> None:
        faults: list[tuple[str, Callable[[], Awaitable[None]], int]] = [
            ("kill a worker", lambda: self._signal(self.fault_run.workers, signal.SIGKILL), 3),
            ("stop a worker", lambda: self._freeze(self.fault_run.workers), 4),
            ("end a worker", lambda: self._signal(self.fault_run.workers, signal.SIGTERM), 2),
            ("kill a web process", lambda: self._signal(self.chance.choice(self.webs), signal.SIGKILL), 2),
            ("stop a web process", lambda: self._freeze(self.chance.choice(self.webs)), 2),
            ("end a web process", lambda: self._signal(self.chance.choice(self.webs), signal.SIGTERM), 1),
            ("reset connections", self._reset, 3),
            ("silence connections", self._silence, 2),
            ("lose a commit's answer", self._lose_commit, 3),
            ("crash PostgreSQL", self._crash, 1),
        ]
        while time.monotonic() < until:
            await asyncio.sleep(self.chance.uniform(0.5, 3.0))
            [(name, act, _)] = self.chance.choices(faults, [weight for *_, weight in faults])
            await act()
            self.done[name] += 1

    async def _signal(self, supervisor: Supervisor, number: signal.Signals) -> None:
        if supervisor.processes:
            supervisor.send(number, self.chance.randrange(len(supervisor.processes)))

    async def _freeze(self, supervisor: Supervisor) -> None:
        """Stop a process with SIGSTOP, either briefly or for longer than a lease."""
        if not supervisor.processes:
            return
        process = self.chance.choice(supervisor.processes)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(self.chance.choice((0.3, 1.2, 2.0, 4.5)))
            process.send_signal(signal.SIGCONT)

    async def _reset(self) -> None:
        self.fault_run.proxy.reset_all()

    async def _silence(self) -> None:
        self.fault_run.proxy.partition()
        await asyncio.sleep(self.chance.uniform(0.5, 4.0))
        self.fault_run.proxy.heal()

    async def _lose_commit(self) -> None:
        pattern = self.chance.choice((b"AS result (id, kind", b"AS delivery SET state = 'sending'", b"clay.push_jobs"))
        self.fault_run.proxy.cuts[:] = [Cut(b"COMMIT", after=pattern, delivered=True)]

    async def _crash(self) -> None:
        await asyncio.to_thread(self.server.stop, self.chance.choice(("immediate", "fast")))
        await asyncio.sleep(self.chance.uniform(0.0, 2.0))
        await asyncio.to_thread(self.server.start_again)


async def rows(run: FaultRun, statement: str, *values: Any) -> list[asyncpg.Record]:
    """Read rows on a direct connection of the test. Waits while PostgreSQL is unavailable."""
    while True:
        try:
            connection = await asyncpg.connect(run.installation.settings.database_url, timeout=10)
            try:
                return list(await connection.fetch(statement, *values))
            finally:
                await connection.close(timeout=5)
        except UNAVAILABLE:
            await asyncio.sleep(0.2)


async def pending(run: FaultRun, org_id: UUID) -> int:
    """Returns the number of the organization's deliveries that have not ended."""
    [row] = await rows(
        run, "SELECT count(*) AS left FROM clay.clay_push_log WHERE org_id = $1 AND state <> 'done'", org_id
    )
    left: int = row["left"]
    return left


async def settled(run: FaultRun, seconds: float) -> None:
    """Wait until every push job has finished."""
    async with asyncio.timeout(seconds):
        while await rows(run, "SELECT 1 FROM clay.push_jobs WHERE status IN ('pending', 'running') LIMIT 1"):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.5)
