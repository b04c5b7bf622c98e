"""The complete service for end-to-end tests: API over HTTP, worker process, sandbox process, NexusLeads' sample leads."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import jwt

from clay_push_service.api.app import create_app
from clay_push_service.demo.nexusleads_schema import create_schema
from clay_push_service.demo.sample_leads import SampleProject, SampleWorld, load_samples
from clay_push_service.host.columns import Vintage, name_in
from clay_push_service.settings import PREFIX, Settings
from tests.support.matrix import chosen_billing, chosen_vintage
from tests.support.runtime import open_host
from tests.support.sandbox import SandboxProcess
from tests.support.world import JWT_SECRET, settings_of_tests

REPOSITORY = Path(__file__).resolve().parents[2]


def access_token(username: str) -> str:
    """As the host signs them."""
    return jwt.encode(
        {"sub": username, "type": "access", "exp": int(time.time()) + 3600}, JWT_SECRET, algorithm="HS256"
    )


def environment(settings: Settings) -> dict[str, str]:
    """The settings as a process of its own reads them."""
    values = {
        "DATABASE_URL": settings.database_url,
        "JWT_SECRET": JWT_SECRET,
        "ENCRYPTION_KEYS": ",".join(key.get_secret_value() for key in settings.encryption_keys),
        "ALLOWED_WEBHOOK_HOSTS": ",".join(settings.allowed_webhook_hosts),
        "ALLOWED_WEBHOOK_NETWORKS": ",".join(settings.allowed_webhook_networks),
        "ALLOW_PLAIN_HTTP": str(settings.allow_plain_http),
        "REQUEST_TIMEOUT_SECONDS": str(settings.request_timeout_seconds),
        "CONNECT_TIMEOUT_SECONDS": str(settings.connect_timeout_seconds),
        "RETRY_DELAYS_SECONDS": ",".join(str(each) for each in settings.retry_delays_seconds),
        "LEASE_SECONDS": str(settings.lease_seconds),
        "SWEEP_SECONDS": str(settings.sweep_seconds),
        "OUTAGE_PROBE_SECONDS": str(settings.outage_probe_seconds),
        "WATCHDOG_SECONDS": str(settings.watchdog_seconds),
        "SHUTDOWN_GRACE_SECONDS": str(settings.shutdown_grace_seconds),
        "LOG_LEVEL": settings.log_level,
        "IN_FLIGHT_PER_DESTINATION": str(settings.in_flight_per_destination),
    }
    if settings.ca_file is not None:
        values["CA_FILE"] = settings.ca_file
    if settings.metrics_port is not None:
        values["METRICS_PORT"] = str(settings.metrics_port)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
        **{PREFIX + name: value for name, value in values.items()},
        "BILLING_ENABLED": str(settings.billing_enabled),
    }


@dataclass
class WorkerProcess:
    """`clay-push worker` as a process of its own, which can be killed and started again."""

    settings: Settings
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "clay_push_service.cli", "worker",
                env=environment(self.settings), stdout=log, stderr=log, cwd=REPOSITORY,
            )  # fmt: skip

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def terminate(self) -> tuple[int, float]:
        """SIGTERM. Returns the exit code and the seconds it took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.terminate()
        return await self.process.wait(), time.monotonic() - started


@dataclass
class Stage:
    settings: Settings
    samples: SampleWorld
    sandbox: SandboxProcess
    api: httpx.AsyncClient
    host: asyncpg.Connection
    vintage: Vintage
    workers: list[WorkerProcess] = field(default_factory=list)

    def name(self, word: str) -> str:
        """The host's name of a table or column of ours."""
        return name_in(word, self.vintage)

    @property
    def project(self) -> SampleProject:
        return self.samples.projects[0]

    def as_user(self, username: str = "acme-owner") -> dict[str, str]:
        return {"Authorization": f"Bearer {access_token(username)}"}

    async def call(
        self, method: str, path: str, body: Any = None, *, user: str = "acme-owner", status: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:  # fmt: skip
        """Call the API and expect success, or `status`."""
        answer = await self.api.request(method, path, json=body, headers=self.as_user(user) | (headers or {}))
        if status is None:
            assert answer.is_success, f"{answer.status_code} {answer.text}"
        else:
            assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        return answer.json()

    async def configure(self, *, rate_limit_ms: int = 0) -> None:
        body = {
            "webhook_url": self.sandbox.webhook_url(),
            "table_name": "Platform leads",
            "rate_limit_ms": rate_limit_ms,
        }
        await self.call("PUT", "/api/clay/config", body)

    async def ended(self, job_id: UUID | str, seconds: float = 30.0) -> Any:
        """The job once it has ended."""
        async with asyncio.timeout(seconds):
            while True:
                job = await self.call("GET", f"/api/clay/jobs/{job_id}")
                if job["status"] in {"completed", "failed", "cancelled"}:
                    return job
                await asyncio.sleep(0.05)

    async def push(self, lead_ids: list[UUID], **body: Any) -> Any:
        wanted = {"lead_ids": [str(each) for each in lead_ids], "project_id": str(self.project.project_id), **body}
        return await self.call("POST", "/api/clay/push", wanted)


@contextmanager
def _said(log: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if log.exists():
            sys.stderr.write("--- worker\n" + log.read_text()[-4000:])
        raise


@asynccontextmanager
async def stage(
    database_url: str,
    directory: Path,
    *,
    vintage: Vintage | None = None,
    workers: int = 1,
    sandbox_rate: str = "none",
    other_hosts: tuple[str, ...] = (),
    **changes: Any,
) -> AsyncIterator[Stage]:
    """Everything started, as the role of least rights; `sandbox_rate` none: the sandbox takes any number of leads a second.

    Without `vintage` or `billing_enabled`, the test's id chooses; with billing on, every organization is on Enterprise.
    """
    vintage = vintage or chosen_vintage()
    host = await asyncpg.connect(database_url)
    try:
        await create_schema(host, vintage)
        samples = await load_samples(host, vintage)
        await open_host(host, database_url, vintage)
        if "billing_enabled" not in changes and chosen_billing():
            await host.execute(
                "INSERT INTO org_billing (org_id, is_enterprise) SELECT id, true FROM organizations"
                " ON CONFLICT (org_id) DO UPDATE SET is_enterprise = true"
            )
        async with SandboxProcess(directory, "--rate", sandbox_rate) as sandbox:
            hosts = (f"127.0.0.1:{sandbox.port}", *other_hosts)
            settings = settings_of_tests(database_url, **({"allowed_webhook_hosts": hosts} | changes))
            app = create_app(settings)
            transport = httpx.ASGITransport(app=app)
            async with (
                app.router.lifespan_context(app),
                httpx.AsyncClient(transport=transport, base_url="http://api") as api,
            ):
                made = Stage(settings, samples, sandbox, api, host, vintage)
                log = directory / "worker.log"
                with _said(log):
                    try:
                        for _ in range(workers):
                            made.workers.append(WorkerProcess(settings, log))
                            await made.workers[-1].start()
                        yield made
                    finally:
                        for worker in made.workers:
                            await worker.kill()
    finally:
        await host.close()
