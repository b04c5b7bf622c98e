"""A worker as a process beside the API: begun again when it ends unasked, so that its watchdog never costs the API."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence

from clay_push_service import logs

RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Waits before the next start, growing while it ends soon after it began."""
STEADY_SECONDS = 60.0
"""After so long it is taken for sound, and the waits begin anew."""
STOP_SECONDS = 24.5
"""A worker ends itself within so long of SIGTERM: 20 s at most for answers, 4.5 for the rest. Then SIGKILL; its leases run out."""

COMMAND = (sys.executable, "-m", "clay_push_service.cli", "worker", "--end-with-parent")

log = logs.get(__name__)


class WorkerBeside:
    def __init__(self, command: Sequence[str] = COMMAND, restart_seconds: Sequence[float] = RESTART_SECONDS) -> None:
        self._command = command
        self._restart_seconds = restart_seconds

    async def run(self, told: asyncio.Event) -> None:
        """Keep one running until `told` is set, then end it and return."""
        failures = 0
        stopping = asyncio.create_task(told.wait())
        try:
            while not told.is_set():
                began = time.monotonic()
                exit_code = await self._once(stopping)
                if exit_code is None:
                    return
                failures = 0 if time.monotonic() - began > STEADY_SECONDS else failures
                wait = self._restart_seconds[min(failures, len(self._restart_seconds) - 1)]
                failures += 1
                log.error("serve.worker_ended", exit_code=exit_code, restart_seconds=wait)
                await asyncio.wait({stopping}, timeout=wait)
        finally:
            stopping.cancel()

    async def _once(self, stopping: asyncio.Task[bool]) -> int | None:
        """Its exit code, or None when it was told to stop."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,  # closed by our death, whatever kills us
            start_new_session=True,  # the terminal's Ctrl-C is for us; it gets its SIGTERM
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
