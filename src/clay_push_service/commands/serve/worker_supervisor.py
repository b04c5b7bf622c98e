"""Runs a worker as a child process of the API and restarts it after an unexpected exit, so that its watchdog cannot kill the API."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence

from clay_push_service import logs

RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Delays before the next start; they grow while the worker keeps exiting soon after its start."""
STEADY_SECONDS = 60.0
"""A worker that ran this long is healthy: the delays start over."""
STOP_SECONDS = 24.5
"""Time from SIGTERM to SIGKILL. A worker needs at most 20 s for responses in flight and 4.5 s for the rest. Leases of a killed worker expire."""

COMMAND = (sys.executable, "-m", "clay_push_service.cli", "worker", "--end-with-parent")

log = logs.get(__name__)


class WorkerSupervisor:
    def __init__(self, command: Sequence[str] = COMMAND, restart_seconds: Sequence[float] = RESTART_SECONDS) -> None:
        self._command = command
        self._restart_seconds = restart_seconds

    async def run(self, stop_requested: asyncio.Event) -> None:
        """Keep one worker running until `stop_requested` is set, then stop it and return."""
        failures = 0
        stopping = asyncio.create_task(stop_requested.wait())
        try:
            while not stop_requested.is_set():
                began = time.monotonic()
                exit_code = await self._run_process(stopping)
                if exit_code is None:
                    return
                failures = 0 if time.monotonic() - began > STEADY_SECONDS else failures
                wait = self._restart_seconds[min(failures, len(self._restart_seconds) - 1)]
                failures += 1
                log.error("serve.worker_ended", exit_code=exit_code, restart_seconds=wait)
                await asyncio.wait({stopping}, timeout=wait)
        finally:
            stopping.cancel()

    async def _run_process(self, stopping: asyncio.Task[bool]) -> int | None:
        """Returns the exit code, or None after a requested stop."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,  # closes when this process dies for any reason
            start_new_session=True,  # Ctrl-C in the terminal reaches only this process, which sends SIGTERM to the worker
        )
        ending = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return ending.result() if ending.done() and not stopping.done() else None
        finally:
            await _end(process, ending)


async def _end(process: asyncio.subprocess.Process, ending: asyncio.Task[int]) -> None:
    if not ending.done():
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait({ending}, timeout=STOP_SECONDS)
    if not ending.done():
        log.critical("serve.worker_killed", after_seconds=STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await ending
