"""Runs supervised workers that reach PostgreSQL through a proxy and send to a recording receiver, and checks that no lead is lost."""

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
from sqlalchemy import make_url

from clay_push_service.deliveries.invariants import verify
from tests.harness.installation import Part, address_of, install
from tests.harness.supervisor import WORKER, Supervisor, supervise
from tests.support.proxy import Proxy, proxying
from tests.support.receiver import OK, Behaviour, Receiver, Reset, Stall, receiving, status

Answer = Callable[[int, bytes], Behaviour]
UNAVAILABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

WATCH_UNKNOWN = (
    "CREATE TABLE public.became_unknown (state text)",
    """CREATE FUNCTION public.note_unknown() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
       'BEGIN INSERT INTO public.became_unknown VALUES (old.state); RETURN NULL; END'""",
    """CREATE TRIGGER note_unknown AFTER UPDATE ON clay.clay_push_log FOR EACH ROW
       WHEN (new.cause = 'unknown' AND old.cause IS DISTINCT FROM 'unknown') EXECUTE FUNCTION public.note_unknown()""",
)
"""Records the state that each delivery had before it became `unknown`."""


@dataclass(frozen=True, slots=True)
class FaultReport:
    """One row of the table that the run prints at its end."""

    fault: str
    leads: int
    lost: int
    doubled: int
    uncertain: int
    seconds: float


REPORTS: list[FaultReport] = []


class RecordingReceiver(Receiver):
    """Records the POSTs that Clay may have stored: all except those answered with 429."""

    def __init__(self, answer: Answer = lambda _number, _body: OK, delay_seconds: float = 0.0) -> None:
        super().__init__(answer=self._answer, delay_seconds=delay_seconds)
        self.behaviour = answer
        self.possibly_stored: list[bool] = []
        self.failed = 0
        """Number of 5xx responses. The worker sends such a lead again, although Clay may have stored it."""

    def _answer(self, number: int, body: bytes) -> Behaviour:
        behaviour = self.behaviour(number, body)
        self.possibly_stored.append(not (isinstance(behaviour, bytes) and behaviour.startswith(b"HTTP/1.1 429")))
        self.failed += isinstance(behaviour, bytes) and behaviour.startswith(b"HTTP/1.1 5")
        return behaviour

    @property
    def stored(self) -> Counter[str]:
        return Counter(post.lead_id for post, stored in zip(self.posts, self.possibly_stored, strict=True) if stored)


def faulty(share: float, seed: int = 7) -> Answer:
    """Fails this share of all POSTs with 5xx, a reset, or no response. Never with 429, because each 429 halves the pace."""
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
class FaultRun(Part):
    receiver: RecordingReceiver
    proxy: Proxy
    workers: Supervisor
    started: float = field(default_factory=time.monotonic)

    def start_recovery_timer(self) -> None:
        self.started = time.monotonic()

    async def statuses(self) -> Counter[str]:
        rows = await self._fetch("SELECT coalesce(cause, state) FROM clay.clay_push_log")
        return Counter(row[0] for row in rows)

    async def wait_until_finished(self, job_id: UUID, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while True:
                [row] = await self._fetch("SELECT status FROM clay.push_jobs WHERE id = $1", job_id)
                if row["status"] not in {"pending", "running"}:
                    return
                await asyncio.sleep(0.1)

    async def restart(self, **environment: str) -> None:
        """Restart the workers one by one with these settings. Each runs again before the next one stops."""
        self.workers.change(**environment)
        number = len(self.workers.processes)
        for process in list(self.workers.processes):
            process.terminate()
            async with asyncio.timeout(30):
                while process in self.workers.processes or await self._working() < number:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def _working(self) -> int:
        pids = [process.pid for process in self.workers.processes]
        return len(await self._fetch("SELECT 1 FROM clay.workers WHERE pid = ANY($1)", pids))

    async def wait_until_claimed(self, seconds: float) -> None:
        """Wait until a worker has claimed a lead."""
        async with asyncio.timeout(seconds):
            while not (await self.statuses())["claimed"]:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.05)

    async def _fetch(self, statement: str, *values: Any) -> list[Any]:
        """Read rows; retry until the database can be reached."""
        while True:
            try:
                connection = await asyncpg.connect(self.installation.settings.database_url, timeout=5)
                try:
                    return list(await connection.fetch(statement, *values))
                finally:
                    await connection.close(timeout=2)
            except UNAVAILABLE:
                await asyncio.sleep(0.1)

    async def assert_nothing_lost(self, fault: str, job_id: UUID, *causes: str) -> FaultReport:
        """Check that no lead is lost, only leads of uncertain outcome are sent twice, and leads fail only for one of `causes`."""
        await self.installation.database.engine.dispose()  # the fault may have broken its connections
        rows = await self.installation.deliveries(job_id)
        successes = {str(row.contributor_id) for row in rows if row.status == "success"}
        lost = sum(row.state != "done" for row in rows) + len(successes - set(self.receiver.stored))
        lost += (await self.installation.job(job_id)).lead_count - len(rows)
        doubled = sum(count - 1 for count in self.receiver.stored.values())
        uncertain = sum(row.cause == "unknown" for row in rows) + self.receiver.failed
        report = FaultReport(fault, len(rows), lost, doubled, uncertain, time.monotonic() - self.started)
        REPORTS.append(report)
        assert lost == 0, report
        assert doubled <= uncertain, report
        assert doubled <= self.receiver.failed, f"only a 5xx is sent again without a request: {report}"
        failed = Counter(row.cause for row in rows if row.status == "failed")
        assert set(failed) <= set(causes), f"unexpected causes: {failed}"
        before = await self.installation.fetch("SELECT state, count(*) FROM public.became_unknown GROUP BY state")
        assert {row.state for row in before} <= {"sending"}, f"a claimed delivery became unknown: {before}"
        async with self.installation.database.transaction() as connection:
            assert await verify(connection, timedelta(seconds=20)) == []
        return report


@asynccontextmanager
async def run_with_faults(
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
) -> AsyncIterator[FaultRun]:
    """Only the workers reach PostgreSQL through the proxy; the test connects directly."""
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
        receiving(RecordingReceiver(answer, delay_seconds)) as receiver,
        proxying(make_url(database_url).port or 5432) as proxy,
        install(
            database_url, leads=leads, **({"allowed_webhook_hosts": (address_of(receiver), *other_hosts)} | settings)
        ) as installation,
    ):
        assert isinstance(receiver, RecordingReceiver)
        await installation.configure(receiver.url, rate_limit_ms=rate_limit_ms)
        for statement in WATCH_UNKNOWN:
            await installation.fetch(statement)
        url = make_url(installation.settings.database_url).set(port=proxy.port)
        through_proxy = installation.settings.model_copy(
            update={"database_url": url.render_as_string(hide_password=False)}
        )
        async with supervise(through_proxy, directory / "workers.log", command) as supervisor:
            await supervisor.keep_running(workers)
            yield FaultRun(installation, receiver, proxy, supervisor)
