"""`python -m bench.soak [minutes]`: runs 20 organizations at their pace and restarts both workers again and again, every third time with kill -9.

It is not part of `make bench`, because it takes long. It exits with 1 if leads are lost or sent twice, or if memory grows.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import uvloop
from sqlalchemy import text

from bench.receiver import Arrival, Notes, noting_receiver
from bench.soak_verdict import PACE_MS, Logged, Soak, WorkerRun, compute_verdict, table
from bench.stage import Stage, WorkerProcess, checkpoint, embedded, memory_mb, stage
from clay_push_service.deliveries.invariants import verify
from clay_push_service.local_database.postgres import Server

MINUTES = 30.0
ORGANIZATIONS = 20
RESTART_SECONDS = 60.0
MEMORY_AT = 50 / 60
"""The share of the time between two restarts after which memory is read."""
KILL_EVERY = 3
LEASE_SECONDS = 75
END_SECONDS = 27.0
"""A worker has 25 s to end after SIGTERM."""
RESULT = Path(__file__).parent / "results" / "soak.json"
LIVE = text("SELECT 1 FROM clay.push_jobs WHERE id = ANY(:ids) AND status IN ('pending', 'running') LIMIT 1")
# Runs two seconds after the kill, so leads that another worker has in flight were marked later than that.
LEFT_SENDING = (
    "SELECT id FROM clay.clay_push_log WHERE state = 'sending' AND lease_until < now() + :lease - interval '1.5 s'"
)


class Workers:
    """Two workers, of which the older one is replaced again and again."""

    def __init__(self, at: Stage, port: int) -> None:
        self._at, self._port = at, port
        self._began = time.monotonic()
        self._running: list[tuple[WorkerProcess, float, list[float]]] = []  # worker, start time, memory reading
        self.ended: list[WorkerRun] = []
        self.kills: list[float] = []
        self.at_kills: set[str] = set()
        self._over = asyncio.Event()

    def start(self) -> None:
        worker = self._at.start_worker(self._port, lease_seconds=LEASE_SECONDS)
        self._running.append((worker, time.monotonic(), []))

    async def replace_in_turn(self, restart_seconds: float) -> None:
        """Replace workers until `end` is called. A replacement is always completed."""
        while not await self._over_within(restart_seconds * MEMORY_AT):
            for worker, _, memory in self._running:
                if not memory and worker.process.poll() is None:
                    memory.append(round(memory_mb(worker.process.pid), 1))
            if await self._over_within(restart_seconds * (1 - MEMORY_AT)):
                return
            number = len(self.ended) + 1
            await self._end_oldest("SIGTERM" if number % KILL_EVERY else "SIGKILL")
            self.start()
            last = self.ended[-1]
            print(
                f"{last.ended_seconds:7.0f} s  {number:3}  {last.ended_by:<8} {last.memory_mb or 0:6.0f} MB", flush=True
            )

    async def _end_oldest(self, by: str) -> None:
        worker, started, memory = self._running.pop(0)
        process = worker.process
        if process.poll() is not None:
            by = f"itself with {process.returncode}"
        elif by == "SIGKILL":
            process.kill()
            self.kills.append(time.monotonic())
            await asyncio.sleep(2.0)
            lease = timedelta(seconds=LEASE_SECONDS)
            self.at_kills |= {str(row.id) for row in await self._at.installation.fetch(LEFT_SENDING, lease=lease)}
        else:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, END_SECONDS)
            except subprocess.TimeoutExpired:
                by = "SIGKILL, as SIGTERM did not end it"
                process.kill()
        process.wait()
        now = time.monotonic() - self._began
        self.ended.append(WorkerRun(started - self._began, now, by, memory[0] if memory else None))

    async def _over_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()

    async def end(self, replacing: asyncio.Task[None]) -> None:
        self._over.set()
        await asyncio.wait([replacing])
        while self._running:
            await self._end_oldest("the end")


async def run(server: Server, minutes: float = MINUTES, restart_seconds: float = RESTART_SECONDS) -> Soak:
    with noting_receiver(deliveries=True) as notes:
        async with stage(server) as at:
            organizations = await at.organizations(ORGANIZATIONS, int(minutes * 60_000 / PACE_MS))
            for each in organizations:
                await at.configure(each, notes.port, PACE_MS)
            await checkpoint(at.server)
            jobs = [await at.push(each) for each in organizations]
            workers, arrivals, began = Workers(at, notes.port), list[Arrival](), time.monotonic()
            workers.start()
            workers.start()
            replacing = asyncio.create_task(workers.replace_in_turn(restart_seconds))
            try:
                await _drained(at, notes, jobs, arrivals, minutes * 60 * 1.5 + 240)
                drained_minutes = (time.monotonic() - began) / 60
            finally:
                await workers.end(replacing)
            arrivals += notes.take()
            return compute_verdict(
                drained_minutes, arrivals, await _logged(at), workers.at_kills, workers.kills, workers.ended,
                await _violations(at),
            )  # fmt: skip


async def _drained(at: Stage, notes: Notes, jobs: list[UUID], arrivals: list[Arrival], seconds: float) -> None:
    """Wait until all push jobs have ended or the time is over. Unfinished leads count as lost."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(2)
        arrivals += notes.take()
        async with at.installation.database.transaction() as connection:
            if not (await connection.execute(LIVE, {"ids": jobs})).first():
                return


async def _logged(at: Stage) -> list[Logged]:
    rows = await at.installation.fetch("SELECT id, org_id, contributor_id, status, cause FROM clay.clay_push_log")
    return [Logged(str(row.id), str(row.org_id), str(row.contributor_id), row.status, row.cause) for row in rows]


async def _violations(at: Stage) -> list[str]:
    async with at.installation.database.transaction() as connection:
        return [found.check.name for found in await verify(connection, timedelta(minutes=2))]


async def main(minutes: float, restart_seconds: float) -> None:
    with embedded() as server:
        made = await run(server, minutes, restart_seconds)
    print(table(made))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(asdict(made) | {"failures": made.failures}, indent=2) + "\n")
    sys.exit(1 if made.failures else 0)


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    uvloop.run(main(*(given + [MINUTES, RESTART_SECONDS][len(given) :])))
