"""Runs `clay-push serve --with-worker` as a child process for the demo, and stops it at the end."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from clay_push_service.demo.home import DemoError, DemoHome, DemoSecrets
from clay_push_service.settings import PREFIX, UNPREFIXED

START_SECONDS = 60.0
STOP_SECONDS = 27.0
"""Seconds to wait until `serve` has stopped, which takes at most 25 s."""
TAIL_LINES = 20


@dataclass(frozen=True, slots=True)
class Service:
    url: str
    ended: "asyncio.Task[int]"
    home: DemoHome

    async def until_ready(self, api: httpx.AsyncClient) -> None:
        """Raises DemoError with the end of the log if the service exits or is not ready in time."""
        last_answer = "no answer"
        try:
            async with asyncio.timeout(START_SECONDS):
                while not self.ended.done():
                    with contextlib.suppress(httpx.TransportError):
                        answer = await api.get("/readyz")
                        last_answer = answer.text
                        if answer.is_success:
                            return
                    await asyncio.wait({self.ended}, timeout=0.1)
        except TimeoutError:
            raise self.failure(
                f"The API was not ready in {START_SECONDS:.0f} s (last response: {last_answer})"
            ) from None
        raise self.failure("The API did not start")

    def failure(self, what: str) -> DemoError:
        code = f" (exit code {self.ended.result()})" if self.ended.done() else ""
        lines = self.home.service_log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        tail = "\n".join(f"    {line[:400]}" for line in lines)
        return DemoError(
            f"{what}{code}. The end of {self.home.service_log}:\n{tail}\n"
            f"Try again. If it fails again, delete the demo's data: rm -rf {self.home.directory}"
        )


@asynccontextmanager
async def running(
    home: DemoHome, secrets: DemoSecrets, database_url: str, port: int, sandbox_port: int
) -> AsyncIterator[Service]:
    """Writes a new `service.log`. The process stops when this one ends for any reason, because its standard input is a pipe."""
    with home.service_log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "clay_push_service.cli", "serve", "--with-worker", "--end-with-parent"),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=home.directory,  # so that no .env file of a checkout is read
            env=_environment(secrets, database_url, port, sandbox_port),
            start_new_session=True,  # Ctrl-C in the terminal reaches only this process
        )
    ended = asyncio.create_task(process.wait())
    try:
        yield Service(f"http://127.0.0.1:{port}", ended, home)
    finally:
        await _end(process, ended)


async def _end(process: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
    if not ended.done():
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait({ended}, timeout=STOP_SECONDS)
    if not ended.done():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await ended


def _environment(secrets: DemoSecrets, database_url: str, port: int, sandbox_port: int) -> Mapping[str, str]:
    """The demo's own settings, without the settings in the caller's environment."""
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) and name.lower() not in UNPREFIXED
    }
    own_settings = {
        "DATABASE_URL": database_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "JWT_SECRET": secrets.jwt_secret,
        "ENCRYPTION_KEYS": secrets.encryption_key,
        # The sandbox is on this machine and has no certificate. Only the sandbox may be reached.
        "ALLOWED_WEBHOOK_HOSTS": f"127.0.0.1:{sandbox_port}",
        "ALLOWED_WEBHOOK_NETWORKS": "127.0.0.1/32",
        "CLAY_API_URL": f"http://127.0.0.1:{sandbox_port}/public/v0",
        "ALLOW_PLAIN_HTTP": "true",
        "OPS_OPEN": "true",
        "SWEEP_SECONDS": "5",
        "LOG_FORMAT": "json",
    }
    # The gate is on: Acme is on Enterprise and may push. Globex is not and is refused.
    return others | {PREFIX + name: value for name, value in own_settings.items()} | {"BILLING_ENABLED": "true"}
