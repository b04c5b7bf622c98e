"""A field to break things in: leads, a receiver, workers under a supervisor, a proxy before PostgreSQL, and the account after."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from sqlalchemy import make_url

from clay_push_service.deliveries.invariants import verify
from tests.support.proxy import Proxy, proxying
from tests.support.receiver import OK, Behaviour, Receiver, Reset, Stall, receiving, status
from tests.support.supervisor import WORKER, Supervisor, supervising
from tests.support.world import World, world

Answer = Callable[[int, bytes], Behaviour]
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

WATCH_UNKNOWN = (
    "CREATE TABLE public.became_unknown (state text)",
    """CREATE FUNCTION public.note_unknown() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
       'BEGIN INSERT INTO public.became_unknown VALUES (old.state); RETURN NULL; END'""",
    """CREATE TRIGGER note_unknown AFTER UPDATE ON clay.clay_push_log FOR EACH ROW
       WHEN (new.cause = 'unknown' AND old.cause IS DISTINCT FROM 'unknown') EXECUTE FUNCTION public.note_unknown()""",
)
"""What a delivery was just before it became `unknown`, whoever made it so."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table at the end."""

    fault: str
    leads: int
    lost: int
    doubled: int
    uncertain: int
    seconds: float


REPORT: list[Line] = []


class Clay(Receiver):
    """Remembers which POSTs it may have taken in: all but those it answered with 429."""

    def __init__(self, answer: Answer = lambda _number, _body: OK, delay_seconds: float = 0.0) -> None:
        super().__init__(answer=self._answer, delay_seconds=delay_seconds)
        self.behaving = answer
        self.may_have_taken: list[bool] = []
        self.failed = 0
        """Answered 5xx: sent again, although it may have been taken."""

    def _answer(self, number: int, body: bytes) -> Behaviour:
        behaviour = self.behaving(number, body)
        self.may_have_taken.append(not (isinstance(behaviour, bytes) and behaviour.startswith(b"HTTP/1.1 429")))
        self.failed += isinstance(behaviour, bytes) and behaviour.startswith(b"HTTP/1.1 5")
        return behaviour

    @property
    def taken(self) -> Counter[str]:
        return Counter(post.lead_id for post, taken in zip(self.posts, self.may_have_taken, strict=True) if taken)


def faulty(share: float, seed: int = 7) -> Answer:
    """Of all POSTs this share goes wrong: 5xx, reset, and now and then no answer. No 429: each would halve the pace."""
    chance = random.Random(seed)

    def answer(_number: int, _body: bytes) -> Behaviour:
        if chance.random() >= share:
            return OK
        kind = chance.random()
        if kind < 0.5:
            return status(503)
        if kind < 0.8:
            return Reset()
        return Stall() if kind < 0.85 else status(500)

    return answer


@dataclass
class Field:
    world: World
    clay: Clay
    proxy: Proxy
    workers: Supervisor
    started: float = field(default_factory=time.monotonic)

    def fault_over(self) -> None:
        """From now on the recovery is timed."""
        self.started = time.monotonic()

    async def statuses(self) -> Counter[str]:
        rows = await self._patiently("SELECT coalesce(cause, state) FROM clay.clay_push_log")
        return Counter(row[0] for row in rows)

    async def ended(self, job_id: UUID, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while True:
                [row] = await self._patiently("SELECT status FROM clay.push_jobs WHERE id = $1", job_id)
                if row["status"] not in {"pending", "running"}:
                    return
                await asyncio.sleep(0.1)

    async def restart(self, **environment: str) -> None:
        """One worker after another is told to stop and is back at work, with this in its environment."""
        self.workers.change(**environment)
        number = len(self.workers.processes)
        for process in list(self.workers.processes):
            process.terminate()
            async with asyncio.timeout(30):
                while process in self.workers.processes or await self._at_work() < number:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def _at_work(self) -> int:
        pids = [process.pid for process in self.workers.processes]
        return len(await self._patiently("SELECT 1 FROM clay.workers WHERE pid = ANY($1)", pids))

    async def claimed(self, seconds: float) -> None:
        """Return when somebody has claimed a lead."""
        async with asyncio.timeout(seconds):
            while not (await self.statuses())["claimed"]:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.05)

    async def _patiently(self, statement: str, *values: Any) -> list[Any]:
        """The database may be away."""
        while True:
            try:
                connection = await asyncpg.connect(self.world.settings.database_url, timeout=5)
                try:
                    return list(await connection.fetch(statement, *values))
                finally:
                    await connection.close(timeout=2)
            except AWAY:
                await asyncio.sleep(0.1)

    async def account(self, fault: str, job_id: UUID, *causes: str) -> Line:
        """What became of every lead: nothing lost, nothing doubled beyond what was uncertain, and nothing failed but of `causes`."""
        await self.world.database.engine.dispose()  # its connections may be from before the fault
        rows = await self.world.deliveries(job_id)
        successes = {str(row.contributor_id) for row in rows if row.status == "success"}
        lost = sum(row.state != "done" for row in rows) + len(successes - set(self.clay.taken))
        lost += (await self.world.job(job_id)).lead_count - len(rows)
        doubled = sum(count - 1 for count in self.clay.taken.values())
        uncertain = sum(row.cause == "unknown" for row in rows) + self.clay.failed
        line = Line(fault, len(rows), lost, doubled, uncertain, time.monotonic() - self.started)
        REPORT.append(line)
        assert lost == 0, line
        assert doubled <= uncertain, line
        assert doubled <= self.clay.failed, f"only a 5xx is sent again unasked: {line}"
        failed = Counter(row.cause for row in rows if row.status == "failed")
        assert set(failed) <= set(causes), f"nothing that was done to it explains {failed}"
        before = await self.world.fetch("SELECT state, count(*) FROM public.became_unknown GROUP BY state")
        assert {row.state for row in before} <= {"sending"}, f"claimed is not sent: {before}"
        async with self.world.database.transaction() as connection:
            assert await verify(connection, timedelta(seconds=20)) == []
        return line


def place_of(clay: Receiver) -> str:
    return f"127.0.0.1:{httpx.URL(clay.url).port}"


@asynccontextmanager
async def broken_ground(
    database_url: str,
    directory: Path,
    *,
    leads: int = 200,
    workers: int = 1,
    answer: Answer = lambda _number, _body: OK,
    delay_seconds: float = 0.02,
    rate_limit_ms: int = 0,
    command: tuple[str, ...] = WORKER,
    other_hosts: tuple[str, ...] = (),
    **changes: Any,
) -> AsyncIterator[Field]:
    """Workers reach PostgreSQL through the proxy, the test does not."""
    settings: dict[str, Any] = {
        "request_timeout_seconds": 1.0,
        "connect_timeout_seconds": 0.5,
        "lease_seconds": 3.0,
        "sweep_seconds": 0.5,
        "in_flight_per_destination": 8,
        "database_pool_size": 6,
        "log_level": "WARNING",
    } | changes
    async with (
        receiving(Clay(answer, delay_seconds)) as clay,
        proxying(make_url(database_url).port or 5432) as proxy,
        world(database_url, leads=leads, **({"allowed_webhook_hosts": (place_of(clay), *other_hosts)} | settings)) as w,
    ):
        assert isinstance(clay, Clay)
        await w.configure(clay.url, rate_limit_ms=rate_limit_ms)
        for statement in WATCH_UNKNOWN:
            await w.fetch(statement)
        through = make_url(w.settings.database_url).set(port=proxy.port).render_as_string(hide_password=False)
        theirs = w.settings.model_copy(update={"database_url": through})
        async with supervising(theirs, directory / "workers.log", command) as supervisor:
            await supervisor.keep(workers)
            yield Field(w, clay, proxy, supervisor)
