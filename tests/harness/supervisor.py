"""Supervises worker processes as systemd or Kubernetes does: starts them, restarts them after an exit, records exit codes."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from clay_push_service.settings import PREFIX, Settings
from tests.harness.service import REPOSITORY
from tests.harness.settings import environment_of

WORKER = ("clay_push_service.cli", "worker")
RESTART_SECONDS = 0.1


class Supervisor:
    def __init__(self, settings: Settings, log: Path, command: Sequence[str] = WORKER) -> None:
        self.settings = settings
        self._environment = environment_of(settings)
        self.command = command
        """Environment of processes that start from now on."""
        self.log = log
        self.processes: list[asyncio.subprocess.Process] = []
        """Running processes."""
        self.ended: list[int] = []
        """Exit codes in order. A negative code is the number of the signal."""
        self._keepers: list[asyncio.Task[None]] = []
        self._closing = False

    def change(self, **environment: str) -> None:
        """Change settings of processes that start from now on. Names have no prefix."""
        self._environment |= {PREFIX + name: value for name, value in environment.items()}

    async def keep_running(self, workers: int) -> None:
        """Keep this many processes running."""
        self._keepers += [asyncio.create_task(self._keep()) for _ in range(workers)]

    async def _keep(self) -> None:
        while not self._closing:
            process = await self.start_one()
            await self._wait_for(process)
            await asyncio.sleep(RESTART_SECONDS)

    async def start_one(self) -> asyncio.subprocess.Process:
        """Start one process. The supervisor does not restart it."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self.command, env=self._environment, stdout=log, stderr=log, cwd=REPOSITORY,
            )  # fmt: skip
        self.processes.append(process)
        return process

    async def _wait_for(self, process: asyncio.subprocess.Process) -> int:
        code = await process.wait()
        if process in self.processes:
            self.processes.remove(process)
            self.ended.append(code)
        return code

    async def wait_for_exit(self, process: asyncio.subprocess.Process, seconds: float) -> int:
        async with asyncio.timeout(seconds):
            return await self._wait_for(process)

    def kill(self, index: int = 0) -> bool:
        """Send SIGKILL. Returns False if the process is not running."""
        return self.send(signal.SIGKILL, index)

    def send(self, number: signal.Signals, index: int = 0) -> bool:
        if index >= len(self.processes):
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.processes[index].pid, number)
        return True

    async def close(self) -> None:
        self._closing = True
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        for process in self.processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.kill()
            await process.wait()


def show_log(log: Path) -> None:
    if log.exists():
        sys.stderr.write("--- workers\n" + log.read_text(errors="replace")[-6000:])


@asynccontextmanager
async def supervise(settings: Settings, log: Path, command: Sequence[str] = WORKER) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(settings, log, command)
    try:
        yield supervisor
    except BaseException:
        show_log(log)
        raise
    finally:
        await supervisor.close()
