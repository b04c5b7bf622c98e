"""`clay-push serve` as a process: it starts, restarts its worker, and shuts down."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from tests.harness.installation import Installation, install
from tests.harness.shell import command_environment, shell, start
from tests.support.programs import free_port


@asynccontextmanager
async def serving(
    installation: Installation, directory: Path, *arguments: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    port = free_port()
    env = command_environment(installation.settings) | {"CLAY_PUSH_PORT": str(port)}
    process = await start(directory, "serve", *arguments, env=env)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(120):
            while True:
                try:
                    if (await client.get(f"{url}/readyz")).is_success:
                        break
                except httpx.TransportError:
                    assert process.returncode is None, await process.communicate()
                await asyncio.sleep(0.05)
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def worker_pid(installation: Installation, suits: Callable[[int], bool] = lambda _pid: True) -> int:
    """Wait for a heartbeat, and return the process id of the newest suitable worker."""
    async with asyncio.timeout(30):
        while True:
            for row in await installation.fetch("SELECT pid FROM clay.workers ORDER BY started_at DESC"):
                if suits(row.pid):
                    return int(row.pid)
            await asyncio.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(30):
        while is_alive(pid):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.05)


async def test_a_killed_worker_is_restarted_and_sigterm_ends_worker_and_api(database_url: str, tmp_path: Path) -> None:
    async with (
        install(database_url, leads=1) as installation,
        serving(installation, tmp_path, "--with-worker") as (process, url),
    ):
        first = await worker_pid(installation)
        os.kill(first, signal.SIGKILL)
        second = await worker_pid(installation, lambda pid: pid != first)
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{url}/healthz")).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, err.decode()
        assert not is_alive(second)
        assert b"serve.worker_ended" in err
        assert [row.pid for row in await installation.fetch("SELECT pid FROM clay.workers")] == [
            first
        ]  # a killed worker does not delete its row


async def test_the_worker_ends_when_serve_is_killed(database_url: str, tmp_path: Path) -> None:
    async with (
        install(database_url, leads=1) as installation,
        serving(installation, tmp_path, "--with-worker") as (process, _),
    ):
        pid = await worker_pid(installation)
        process.kill()
        await until_gone(pid)
        assert await installation.fetch("SELECT 1 FROM clay.workers") == []  # the worker ended properly


async def test_a_port_in_use_is_reported_in_one_line_and_no_worker_starts(database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with install(database_url, leads=1) as installation:
            env = command_environment(installation.settings) | {"CLAY_PUSH_PORT": str(port)}
            result = await shell(tmp_path, "serve", "--with-worker", env=env)
            assert result.exit_code == 1
            assert result.err.startswith(f"Cannot listen on 127.0.0.1:{port}")
            assert "CLAY_PUSH_PORT" in result.err
            assert await installation.fetch("SELECT 1 FROM clay.workers") == []


async def test_an_open_event_stream_ends_properly_when_serve_stops(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=1) as installation:
        await installation.configure("https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234")
        job = await installation.push()  # without a worker the job stays pending
        async with installation.database.transaction() as connection:
            key = await create_key(connection, "watcher", [installation.org_id], {Scope.READ}, "test")
        headers = {"Authorization": f"Bearer {key.plain}", "X-Org-Id": str(installation.org_id)}
        async with serving(installation, tmp_path) as (process, url), httpx.AsyncClient(trust_env=False) as client:
            async with client.stream("GET", f"{url}/api/clay/jobs/{job.job_id}/events", headers=headers) as answer:
                lines = answer.aiter_lines()
                assert answer.status_code == 200
                assert await anext(lines) == "event: job"
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(25):
                    rest = [line async for line in lines]  # raises if the stream is cut off instead of ended
                    await process.wait()
            assert process.returncode == 0
            assert all(line.startswith(("event: ", "data: ", ":")) for line in rest if line)
