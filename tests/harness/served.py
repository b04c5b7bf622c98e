"""Runs `clay-push serve` as a process on a test's database, and reads its memory use."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from clay_push_service.settings import PREFIX, Settings
from tests.harness.shell import command_environment, start
from tests.support.programs import free_port

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Served:
    process: asyncio.subprocess.Process
    host: str
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def resident_bytes(self) -> int:
        """Resident memory of the process."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * PAGE_BYTES

    @property
    def open_files(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())


@asynccontextmanager
async def served(
    settings: Settings, directory: Path, *arguments: str, seconds: float = 120.0, **variables: str
) -> AsyncIterator[Served]:
    """Yields when the server accepts requests. `variables` are further settings, named without the prefix."""
    port = free_port()
    env = command_environment(settings) | {f"{PREFIX}PORT": str(port)}
    env |= {PREFIX + name.upper(): value for name, value in variables.items()}
    process = await start(directory, "serve", *arguments, env=env)
    log = directory / "serve.log"
    writing = asyncio.create_task(_write(process, log))
    made = Served(process, "127.0.0.1", port, log)
    try:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(seconds):
            while not await _is_ready(client, made):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield made
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await writing


async def _is_ready(client: httpx.AsyncClient, made: Served) -> bool:
    try:
        return (await client.get(f"{made.url}/readyz")).is_success
    except httpx.TransportError:
        return False


async def first_answer(port: int, seconds: float) -> httpx.Response:
    """Wait until a server listens, and return its response to /readyz, with any status."""
    async with httpx.AsyncClient(trust_env=False, timeout=seconds) as client:
        while True:
            try:
                return await client.get(f"http://127.0.0.1:{port}/readyz")
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def _write(process: asyncio.subprocess.Process, log: Path) -> None:
    """Write the process's output to a file, so that a full pipe never blocks it."""
    assert process.stderr is not None
    with log.open("wb") as file:
        async for line in process.stderr:
            file.write(line)
            file.flush()
