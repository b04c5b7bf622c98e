"""The environment of the benchmarks: an embedded PostgreSQL with durable settings, NexusLeads' tables, real worker processes."""

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

LOOK_SECONDS = 1.0
"""Maximum time between two checks without a notification."""
LIVE = "SELECT EXISTS (SELECT FROM clay.push_jobs WHERE id = ANY($1) AND status IN ('pending', 'running'))"


@dataclass(frozen=True, slots=True)
class Organization:
    org_id: UUID
    project_id: UUID
    lead_ids: list[UUID]

    @property
    def webhook(self) -> str:
        """The last part of its webhook's path, which identifies the organization at the receiver."""
        return str(self.org_id)


@dataclass
class WorkerProcess:
    """A real `clay-push worker`."""

    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def peak_mb(self) -> float:
        return memory_mb(self.process.pid, "VmHWM")


NO_ORGANIZATION = UUID(int=0)


@dataclass
class Stage:
    """A database of its own with migrated schemas; organizations are added by `organizations`."""

    server: postgres.Server
    url: str
    installation: Installation
    log: Path
    """The log of the workers."""
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
        """Accept a push of these leads, or of all. Returns the push job's id; it is committed then."""
        accepted = await self.installation.push(
            lead_ids, again=True, org_id=organization.org_id, project_id=organization.project_id
        )
        return accepted.job_id

    async def ended(self, job_ids: list[UUID], seconds: float) -> float:
        """Wait for the end of these push jobs. Returns when it was seen (`time.monotonic()`).

        Told by NOTIFY: a look every 20 ms would take its part of the two cores that are being measured.
        """
        told = asyncio.Event()

        def hear(*_: object) -> None:
            told.set()

        await self.listener.add_listener(CHANNEL, hear)
        try:
            async with asyncio.timeout(seconds):
                while await self.listener.fetchval(LIVE, job_ids):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(told.wait(), LOOK_SECONDS)
                    told.clear()
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
        """Real worker processes that may reach the receiver on `port`, ready to drain; ended with SIGTERM."""
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
        """A worker that may reach the receiver on `port`; the caller stops it."""
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
        """True if both workers have a heartbeat in the database and their queues LISTEN."""
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
        """Of the whole server, with its ended backends."""
        postmaster = psutil.Process(self.server.pid)
        own = postmaster.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in postmaster.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                total += times.user + times.system
        return float(total)


def memory_mb(pid: int | str = "self", line: str = "VmRSS") -> float:
    """Current memory of the process; `VmHWM`: its peak."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{line}:")[2].split()[0]) / 1024


@contextlib.contextmanager
def embedded() -> Iterator[postgres.Server]:
    """A cluster for one run of the benchmarks, with fsync as in production."""
    directory = Path(tempfile.mkdtemp(prefix="clay-push-bench-"))
    directory.chmod(0o755)  # as root, PostgreSQL runs as another account; its data directory is private all the same
    try:
        with postgres.start(directory, durable=True, may_create_databases=True) as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.asynccontextmanager
async def stage(server: postgres.Server) -> AsyncIterator[Stage]:
    """A new database in the cluster, with NexusLeads' tables (of today) and ours."""
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
    """What loading the data has left to be written must not fall into a measurement."""
    connection = await asyncpg.connect(server.admin_url)
    try:
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def vacuum(url: str) -> None:
    """As autovacuum would some seconds after a load; so that it does not come in the middle of a measurement."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
