"""Runs the sandbox as a process on a TCP port, for tests that send to it, kill it or restart it."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

import httpx

from clay_push_service.sandbox import DEFAULT_SOURCE

Json = str | int | float | bool | None | Sequence["Json"] | dict[str, "Json"]


class Arrivals(TypedDict):
    requests: int
    first_at: str | None
    last_at: str | None
    per_second_last_10: float
    busiest_second: int
    mean_gap_ms: float | None
    shortest_gap_ms: float | None


class Counts(TypedDict):
    rows: int
    distinct_delivery_ids: int
    duplicates: int
    distinct_leads: int
    repeated_leads: int
    submissions: int
    cap: int | None
    refused: dict[str, int]
    faults: dict[str, int]
    arrivals: Arrivals


class StoredRow(TypedDict):
    id: int
    arrived_at: str
    delivery_id: str | None
    lead_id: str | None
    duplicate: bool
    repeated_lead: bool
    body: Json


class Arrival(TypedDict):
    id: int
    monotonic_ns: int
    wall: float
    status: int | None
    outcome: str
    fault: str | None


class Described(TypedDict):
    id: str
    path: str
    workspace: str
    has_token: bool
    cap: int | None
    rate: float | None
    burst: int
    submissions: int
    rows: int


class SandboxProcess:
    """Use: `async with SandboxProcess(tmp_path) as sandbox:`. Further arguments go to the command line."""

    def __init__(self, directory: Path, *arguments: str, port: int = 0) -> None:
        self.directory = directory
        self.arguments = arguments
        self.port = port
        """0 before the first start. A restart uses the same port, so that URLs stay valid."""
        self._process: asyncio.subprocess.Process | None = None
        self._admin: httpx.AsyncClient | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def webhook_url(self, source: str = DEFAULT_SOURCE) -> str:
        return f"{self.url}/v3/sources/webhook/{source}"

    @property
    def admin(self) -> httpx.AsyncClient:
        assert self._admin is not None, "the sandbox has not been started"
        return self._admin

    @property
    def pid(self) -> int:
        assert self._process is not None, "the sandbox is not running"
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "sandbox.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "clay_push_service.sandbox",
                "--port", str(self.port), "--directory", str(self.directory), *self.arguments,
                stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 120)
        if not line:
            await self._process.wait()
            raise AssertionError((self.directory / "sandbox.log").read_text())
        self.port = int(json.loads(line)["port"])
        self._admin = httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False)

    async def kill(self) -> None:
        """Send SIGKILL, so that buffered data is not flushed."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> float:
        """Send SIGTERM and wait for the exit. Returns the seconds it took."""
        process = self._process
        seconds = await self._end(signal.SIGTERM)
        assert process is not None
        assert process.returncode == 0
        return seconds

    async def restart(self) -> None:
        """Kill the sandbox and start it with the same port and directory."""
        await self.kill()
        await self.start()

    async def _end(self, number: signal.Signals) -> float:
        started = time.monotonic()
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.send_signal(number)
            await asyncio.wait_for(process.communicate(), 30)
        seconds = time.monotonic() - started
        if self._admin is not None:
            await self._admin.aclose()
            self._admin = None
        return seconds

    async def create_source(self, source: str, **settings: Json) -> Described:
        """Options: `token`, `cap`, `workspace`, `rate`, `burst`. A rate without a workspace creates a workspace for this source."""
        created: Described = (await self._sent("POST", "/sandbox/sources", {"id": source, **settings})).json()
        return created

    async def change_source(self, source: str = DEFAULT_SOURCE, **settings: Json) -> Described:
        """Options: `token`, `cap`, `submissions`."""
        changed: Described = (await self._sent("PATCH", f"/sandbox/sources/{source}", settings)).json()
        return changed

    async def delete_source(self, source: str = DEFAULT_SOURCE) -> None:
        await self._sent("DELETE", f"/sandbox/sources/{source}")

    async def delete_rows(self, source: str = DEFAULT_SOURCE) -> None:
        await self._sent("DELETE", f"/sandbox/sources/{source}/rows")

    async def limit(self, workspace: str = "default", *, rate: float | None, burst: int = 20) -> None:
        await self._sent("PUT", f"/sandbox/workspaces/{workspace}", {"rate": rate, "burst": burst})

    async def faults(
        self, *rules: dict[str, Json], source: str = DEFAULT_SOURCE, seed: int = 0, idle_close_ms: int | None = None
    ) -> None:
        """Replace all faults; without rules there are none. Example: `{"kind": "status", "status": 503, "next": 2}`."""
        plan: dict[str, Json] = {"seed": seed, "rules": rules, "idle_close_ms": idle_close_ms}
        await self._sent("PUT", f"/sandbox/sources/{source}/faults", plan)

    async def counts(self, source: str = DEFAULT_SOURCE) -> Counts:
        counts: Counts = (await self._sent("GET", f"/sandbox/sources/{source}/counts")).json()
        return counts

    async def until_rows(self, number: int, source: str = DEFAULT_SOURCE, seconds: float = 30) -> None:
        """Wait until the source holds this many rows. Raises TimeoutError if it does not."""
        async with asyncio.timeout(seconds):
            while (await self.counts(source))["rows"] < number:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.01)

    async def rows(self, source: str = DEFAULT_SOURCE) -> list[StoredRow]:
        """Returns all rows of the source, oldest first."""
        found: list[StoredRow] = []
        cursor: int | None = 10**17
        while cursor is not None:
            page = (await self._sent("GET", f"/sandbox/sources/{source}/rows?limit=1000&cursor={cursor}")).json()
            found += page["rows"]
            cursor = page["next_cursor"]
        return found[::-1]

    async def arrivals(self, source: str = DEFAULT_SOURCE) -> list[Arrival]:
        """Returns every request, oldest first, including refused ones."""
        found: list[Arrival] = []
        after: int | None = 0
        while after is not None:
            page = (await self._sent("GET", f"/sandbox/sources/{source}/arrivals?limit=100000&after={after}")).json()
            found += page["arrivals"]
            after = page["next_after"]
        return found

    async def _sent(self, method: str, path: str, body: dict[str, Json] | None = None) -> httpx.Response:
        answer = await (
            self.admin.request(method, path) if body is None else self.admin.request(method, path, json=body)
        )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer
