"""Hostile request bodies: authenticated callers get a problem report soon, and memory use stays constant."""

import asyncio
import contextlib
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from clay_push_service.host.columns import Vintage
from tests.harness.nexusleads import open_nexusleads
from tests.harness.service import REPOSITORY
from tests.harness.settings import access_token, environment_of, make_local_settings

CALLS = (
    ("POST", "/api/clay/push"), ("POST", "/api/clay/push-filtered"), ("PUT", "/api/clay/config"),
    ("POST", "/api/clay/preview"), ("POST", "/api/clay/erasures"), ("POST", "/api/integrations/clay/push"),
)  # fmt: skip
LEAST_LIMIT_BYTES = 16_384
"""The body limit of routes without lists."""
PEAK_BYTES = 25_000_000
"""Allowed growth of memory during a request."""
WIDE_BYTES = 100_000_000
"""Allowed growth for the most items that 4 MB can hold: a list of a million one-letter words takes 75 MB while it is parsed."""
PROJECT = b'"project_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7"'
HUGE = b'{"lead_ids": ["' + b"x" * 60_000_000 + b'"]}'


def crowd(number: int) -> bytes:
    return b"{" + b",".join(b'"k%d":1' % each for each in range(number)) + b"}"


def of(item: bytes, number: int) -> bytes:
    return b"[" + b",".join([item] * number) + b"]"


BODIES = {
    "depth 100,000": b'{"lead_ids": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "depth in objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "wrong types": b'{"lead_ids":{"a":1},"project_id":[],"push_again":"perhaps","filters":1,"webhook_url":[]}',
    "a number": b"1",
    "not JSON": b"\xff\xfe{",
    "NaN": b'{"lead_ids": [NaN]}',
    "a huge number": b'{"lead_ids": [' + b"9" * 100_000 + b"]}",
    "NUL": b'{"lead_ids": ["\\u0000"]}',
    "a lone surrogate": b'{"lead_ids": ["\\ud800"]}',
    "50,000 bad ids": b'{"lead_ids":' + of(b'"x"', 50_000) + b"}",
    "50,000 numbers for ids": b"{" + PROJECT + b',"contributor_ids":' + of(b"1", 50_000) + b"}",
    "a million ids": b'{"lead_ids":' + of(b"1", 1_000_000) + b"}",
    "a million numbers in a filter": b"{" + PROJECT + b',"filters":{"companies":' + of(b"1", 1_000_000) + b"}}",
    "a million empty words": b"{" + PROJECT + b',"filters":{"companies":' + of(b'""', 1_000_000) + b"}}",
    "a million good words": b"{" + PROJECT + b',"filters":{"companies":' + of(b'"x"', 900_000) + b"}}",
    "4 MB to search for": b"{" + PROJECT + b',"filters":{"search":"' + b"x" * 3_900_000 + b'"}}',
    "a third of a million keys": crowd(300_000),
    "a third of a million keys in the filters": b"{" + PROJECT + b',"filters":' + crowd(300_000) + b"}",
    "nothing": b"",
}


@dataclass
class Api:
    http: httpx.AsyncClient
    headers: dict[str, str]
    port: int
    pid: int

    @asynccontextmanager
    async def at_most(self, peak_bytes: int, report: str) -> AsyncIterator[None]:
        """Check the peak memory of the process during the block."""
        before = self._memory("VmRSS")
        self._forget_peak()
        yield
        grown = self._memory("VmHWM") - before
        assert grown < peak_bytes, f"{report}: {grown:,} bytes"

    def _forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _memory(self, line: str) -> int:
        return int(Path(f"/proc/{self.pid}/status").read_text().partition(f"{line}:")[2].split()[0]) * 1024


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(database_url: str, port: int) -> AsyncIterator[Api]:
    """Run the API as a process, with the token of an owner, who may call all routes."""
    async with open_nexusleads(database_url, Vintage.TODAY) as host:
        await host.member(await host.organization(), "owner", "owner")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clay_push_service.cli", "serve", cwd=REPOSITORY,
        env=environment_of(make_local_settings(database_url)) | {"CLAY_PUSH_PORT": str(port), "CLAY_PUSH_LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {access_token('owner')}", "Content-Type": "application/json"}
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as http:
            await _up(http)
            yield Api(http, headers, port, process.pid)
            assert (await http.get("/readyz")).status_code == 200
    finally:
        process.terminate()
        await process.wait()


async def _up(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await http.get("/healthz")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_hostile_body_is_refused_within_a_second_at_constant_memory(database_url: str, port: int) -> None:
    async with serving(database_url, port) as api:
        for method, path in CALLS:  # the first calls need extra memory for connections, imports and validators
            assert (await api.http.request(method, path, content=b"[]", headers=api.headers)).status_code == 422
        for method, path in CALLS:
            for name, body in BODIES.items():
                report = f"{method} {path}: {name}"
                async with api.at_most(WIDE_BYTES if "million" in name else PEAK_BYTES, report):
                    started = time.monotonic()
                    answer = await api.http.request(method, path, content=body, headers=api.headers)
                    took = time.monotonic() - started
                assert answer.headers["content-type"] == "application/problem+json", report
                refusals = {(422, "invalid_request")}
                if path != "/api/clay/push" and len(body) > LEAST_LIMIT_BYTES:  # only a push accepts the largest bodies
                    refusals.add((413, "body_too_large"))
                assert (answer.status_code, answer.json()["code"]) in refusals, f"{report}: {answer.text}"
                assert len(answer.content) < 10_000, report
                assert took < 10.0, f"{report}: {took:.2f} s"


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
async def test_body_of_60_mb_is_refused_before_it_is_read(database_url: str, port: int, chunked: bool) -> None:
    """Without Content-Length, the body is refused as soon as it exceeds the limit. Then the connection is closed."""
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(HUGE)
    async with serving(database_url, port) as api:
        for method, path in CALLS:
            async with api.at_most(PEAK_BYTES, path), asyncio.timeout(60.0):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                head = f"{method} {path} HTTP/1.1\r\nhost: api\r\n"
                head += "".join(f"{name}: {value}\r\n" for name, value in api.headers.items())
                writer.write(head.encode() + framing + b"\r\n\r\n")
                answering = asyncio.create_task(reader.readuntil(b"\r\n"))
                sent = 0
                with contextlib.suppress(ConnectionError):
                    while sent < len(HUGE) and not answering.done():
                        part = HUGE[sent : sent + 65536]
                        writer.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                        await writer.drain()
                        await asyncio.sleep(0)  # drain alone does not let the reader run
                        sent += len(part)
                try:
                    assert await answering == b"HTTP/1.1 413 Request Entity Too Large\r\n", path
                finally:
                    writer.transport.abort()
