"""Runs the complete service for end-to-end tests: the API in this process, workers and the sandbox as processes."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clay_push_service.host.columns import Vintage
from clay_push_service.settings import Settings
from tests.harness.api import Api, serve_in_process
from tests.harness.installation import Part, install
from tests.harness.settings import environment_of
from tests.support.receiver import Receiver
from tests.support.sandbox import SandboxProcess

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class WorkerProcess:
    """`clay-push worker` as a process, which can be killed and started again."""

    settings: Settings
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "clay_push_service.cli", "worker",
                env=environment_of(self.settings), stdout=log, stderr=log, cwd=REPOSITORY,
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
        """Send SIGTERM and wait. Returns the exit code and the seconds until the exit."""
        assert self.process is not None
        started = time.monotonic()
        self.process.terminate()
        return await self.process.wait(), time.monotonic() - started


@dataclass
class Service(Part):
    api: Api
    sandbox: SandboxProcess
    workers: list[WorkerProcess] = field(default_factory=list)

    async def configure(self, *, rate_limit_ms: int = 0) -> None:
        """Save a webhook of the sandbox."""
        body = {
            "webhook_url": self.sandbox.webhook_url(),
            "table_name": "Platform leads",
            "rate_limit_ms": rate_limit_ms,
        }
        await self.api.call("PUT", "/api/clay/config", body)


@contextmanager
def _show_log_of_failure(log: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if log.exists():
            sys.stderr.write("--- worker\n" + log.read_text()[-4000:])
        raise


@asynccontextmanager
async def run_service(
    database_url: str,
    directory: Path,
    *,
    leads: int = 200,
    vintage: Vintage | None = None,
    workers: int = 1,
    sandbox_rate: str = "none",
    other_hosts: tuple[str, ...] = (),
    **changes: Any,
) -> AsyncIterator[Service]:
    """Run the service as the role of least rights. Without `sandbox_rate`, the sandbox has no rate limit.

    `vintage` and `billing_enabled` default to the combination that `matrix` chooses for the test. The first organization is
    on the Enterprise plan.
    """
    async with SandboxProcess(directory, "--rate", sandbox_rate) as sandbox:
        hosts = (f"127.0.0.1:{sandbox.port}", *other_hosts)
        changes = {"allowed_webhook_hosts": hosts, "clay_api_url": f"{sandbox.url}/public/v0"} | changes
        async with (
            install(database_url, leads=leads, vintage=vintage, **changes) as installation,
            serve_in_process(installation, Receiver()) as api,
        ):
            if not installation.host.enterprise:
                await installation.host.add("org_billing", org_id=installation.org_id, is_enterprise=True)
            made = Service(installation, api, sandbox)
            log = directory / "worker.log"
            with _show_log_of_failure(log):
                try:
                    for _ in range(workers):
                        made.workers.append(WorkerProcess(installation.settings, log))
                        await made.workers[-1].start()
                    yield made
                finally:
                    for worker in made.workers:
                        await worker.kill()
