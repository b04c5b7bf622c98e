"""The environment of the benchmarks: an embedded PostgreSQL with durable settings, NexusLeads' tables, and worker processes."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
from tests.harness.installation import Installation
from tests.harness.nexusleads import NexusLeads
from tests.harness.settings import KEY, make_local_settings

from clay_push_service import migrations
from clay_push_service.database.database import Database
from clay_push_service.deliveries.counters import CHANNEL
from clay_push_service.host.columns import Vintage
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.local_database import postgres
from clay_push_service.local_database.nexusleads_tables import create_schema

CHECK_SECONDS = 1.0
"""Maximum time between two checks if no notification arrives."""
LIVE = "SELECT EXISTS (SELECT FROM clay.push_jobs WHERE id = ANY($1) AND status IN ('pending', 'running'))"


@dataclass(frozen=True, slots=True)
class Organization:
    org_id: UUID
    project_id: UUID
    lead_ids: list[UUID]

    @property
    def webhook(self) -> str:
        """Returns the last part of the webhook's path, which identifies the organization at the receiver."""
        return str(self.org_id)


@dataclass
class WorkerProcess:
    """A `clay-push worker` process."""

    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def peak_mb(self) -> float:
        return memory_mb(self.process.pid, "VmHWM")


NO_ORGANIZATION = UUID(int=0)


@dataclass
class Stage:
    """A new migrated database. `organizations` adds organizations."""

    server: postgres.Server
    url: str
    installation: Installation
    log: Path
    """The log file of the workers."""
    listener: asyncpg.Connection

    async def organizations(self, number: int, leads: int) -> list[Organization]:
        connection = await asyncpg.connect(self.url)
        try:
            host = NexusLeads(self.url, Vintage.TODAY, connection)
            made = []
            for _ in range(number):
                org_id = await host.organization("Bench")
                project_id = await host.project(org_id)
                made.append(Organization(org_id, project_id, list(await host.bulk_leads(project_id, leads))))
            return made
        finally:
            await connection.close()

    async def configure(self, organization: Organization, port: int, rate_limit_ms: int) -> None:
        url = f"http://127.0.0.1:{port}/v3/sources/webhook/{organization.webhook}"
        await self.installation.configure(url, org_id=organization.org_id, rate_limit_ms=rate_limit_ms)

    async def push(self, organization: Organization, lead_ids: list[UUID] | None = None) -> UUID:
        """Accept and commit a push of these leads, or of all. Returns the push job's id."""
        accepted = await self.installation.push(
            lead_ids, again=True, org_id=organization.org_id, project_id=organization.project_id
        )
        return accepted.job_id

    async def ended(self, job_ids: list[UUID], seconds: float) -> float:
        """Wait for the end of these push jobs. Returns the time when it was detected (`time.monotonic()`).

        Uses NOTIFY, because polling every 20 ms would use a part of the two measured cores.
        """
        notified = asyncio.Event()

        def hear(*_: object) -> None:
            notified.set()

        await self.listener.add_listener(CHANNEL, hear)
        try:
            async with asyncio.timeout(seconds):
                while await self.listener.fetchval(LIVE, job_ids):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(notified.wait(), CHECK_SECONDS)
                    notified.clear()
        finally:
            await self.listener.remove_listener(CHANNEL, hear)
        seen = time.monotonic()
        for row in await self.installation.fetch(
            "SELECT status, success_count, lead_count FROM clay.push_jobs WHERE id = ANY(:ids)", ids=job_ids
        ):
            if (row.status, row.success_count) != ("completed", row.lead_count):
                raise RuntimeError(f"a push job ended {row.status}: {row.success_count} of {row.lead_count} leads")
        return seen

    @contextlib.asynccontextmanager
    async def running(self, workers: int, port: int, **settings: object) -> AsyncIterator[list[WorkerProcess]]:
        """Run worker processes that may send to the receiver on `port`. Yields when they are ready, and ends them with SIGTERM."""
        started = [self.start_worker(port, **settings) for _ in range(workers)]
        processes = [worker.process for worker in started]
        try:
            await self._listening(processes)
            yield started
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(25)
                process.kill()

    def start_worker(self, port: int, **settings: object) -> WorkerProcess:
        """Start a worker that may send to the receiver on `port`. The caller stops it."""
        environment = os.environ | {
            "CLAY_PUSH_DATABASE_URL": self.url,
            "CLAY_PUSH_ENCRYPTION_KEYS": KEY,
            "CLAY_PUSH_ALLOWED_WEBHOOK_HOSTS": f"127.0.0.1:{port}",
            "CLAY_PUSH_ALLOWED_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "CLAY_PUSH_ALLOW_PLAIN_HTTP": "true",
            "CLAY_PUSH_LOG_LEVEL": "WARNING",
            **{f"CLAY_PUSH_{name.upper()}": str(value) for name, value in settings.items()},
        }
        command = [str(Path(sys.executable).with_name("clay-push")), "worker"]
        with self.log.open("ab") as log:
            return WorkerProcess(subprocess.Popen(command, env=environment, stderr=log))

    async def _listening(self, processes: list["subprocess.Popen[bytes]"]) -> None:
        """Returns whether both workers have a heartbeat and their queues listen."""
        async with asyncio.timeout(30):
            while True:
                if ended := [process.returncode for process in processes if process.poll() is not None]:
                    raise RuntimeError(f"a worker ended with {ended}")
                seen = await self.installation.fetch(
                    "SELECT 1 FROM clay.procrastinate_workers WHERE last_heartbeat > now() - interval '20 seconds'"
                )
                if len(seen) >= len(processes):
                    break
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)

    def postgres_cpu_seconds(self) -> float:
        """Returns the CPU time of the whole server, including ended backends."""
        postmaster = psutil.Process(self.server.pid)
        own = postmaster.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in postmaster.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system
        return float(total)


def memory_mb(pid: int | str = "self", line: str = "VmRSS") -> float:
    """Returns the current memory of the process, or with `VmHWM` its peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) / 1024


@contextlib.contextmanager
def embedded() -> Iterator[postgres.Server]:
    """Run a PostgreSQL cluster for one run of the benchmarks, with fsync as in production."""
    directory = Path(tempfile.mkdtemp(prefix="clay-push-bench-"))
    directory.chmod(
        0o755
    )  # started by root, PostgreSQL runs as another account; its data directory still has mode 0700
    try:
        with postgres.start(directory, durable=True, may_create_databases=True) as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.asynccontextmanager
async def stage(server: postgres.Server) -> AsyncIterator[Stage]:
    """Create a database in the cluster, with the tables of NexusLeads (vintage `today`) and of this service."""
    name = f"bench_{uuid4().hex}"
    url = postgres.create_database(server.url, name)
    try:
        migrations.upgrade(url)
        connection = await asyncpg.connect(url)
        try:
            await create_schema(connection, Vintage.TODAY)
        finally:
            await connection.close()
        settings = make_local_settings(url)
        database = Database.of(settings)
        listener = await asyncpg.connect(url)
        installation = Installation(
            settings,
            NexusLeads(url, Vintage.TODAY, listener),
            database,
            database,
            HostTableCache(settings.host_schema),
            NO_ORGANIZATION,
            NO_ORGANIZATION,
        )
        try:
            yield Stage(server, url, installation, server.data_directory.parent / "workers.log", listener)
        finally:
            await listener.close()
            await database.close()
    finally:
        postgres.drop_database(server.url, name)


async def checkpoint(server: postgres.Server) -> None:
    """Write all loaded data to disk, so that this does not happen during a measurement."""
    connection = await asyncpg.connect(server.admin_url)
    try:
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def vacuum(url: str) -> None:
    """Vacuum now, because autovacuum would start some seconds after a load, during a measurement."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
