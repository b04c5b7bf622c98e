"""`serve` with clients that send nothing, send slowly or never finish: memory stays constant, and other requests succeed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from tests.harness.installation import Installation, install
from tests.harness.served import Served, served

MEGABYTE = 1_000_000
BODY_BYTES = 3_900_000
BODIES = 150
SILENT = 1_100
SLOW = 1_000
PUSH = "POST /api/clay/push HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def w(database_url: str) -> AsyncIterator[Installation]:
    async with install(database_url, leads=1) as made:
        yield made


@asynccontextmanager
async def clients(service: Served, number: int) -> AsyncIterator[Sequence[Client]]:
    made: list[Client] = []
    try:
        for _ in range(number):
            made.append(await asyncio.open_connection(service.host, service.port))  # noqa: PERF401 - those made are closed
        yield made
    finally:
        for _, writer in made:
            writer.transport.abort()


async def is_healthy(service: Served) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return (await client.get(f"{service.url}/healthz")).status_code == 200


async def answer_to(client: Client) -> bytes:
    """Send a request. Returns all bytes until the service closes the connection."""
    return await asyncio.wait_for(client[0].read(), 60)


async def until_closed(client: Client) -> bytes:
    """Returns the bytes that arrive before the service closes or resets the connection."""
    came = b""
    with contextlib.suppress(ConnectionError):
        while part := await asyncio.wait_for(client[0].read(10_000), 60):
            came += part
    return came


async def test_an_unauthenticated_request_is_refused_by_its_headers_and_its_body_is_not_read(
    w: Installation, tmp_path: Path
) -> None:
    async with served(w.settings, tmp_path) as service, clients(service, 1) as [client]:
        client[1].write(f"{PUSH}Content-Length: {BODY_BYTES}\r\nExpect: 100-continue\r\n\r\n".encode())
        answer = await answer_to(client)  # the response is complete, although no byte of the body was sent
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close" in answer.lower()
        assert b"100 Continue" not in answer


async def test_150_unfinished_bodies_use_no_memory(w: Installation, tmp_path: Path) -> None:
    async with served(w.settings, tmp_path) as service:
        assert await is_healthy(service)
        before = service.resident_bytes
        async with clients(service, BODIES) as made:
            for client in made:
                client[1].write(f"{PUSH}Content-Length: {BODY_BYTES + 1}\r\n\r\n".encode() + b" " * BODY_BYTES)
            answers = await asyncio.gather(*map(answer_to, made))
            assert all(answer.startswith(b"HTTP/1.1 401 ") for answer in answers)
            assert service.resident_bytes - before < 40 * MEGABYTE
            assert await is_healthy(service)


async def test_unfinished_bodies_of_an_authenticated_caller_time_out(w: Installation, tmp_path: Path) -> None:
    async with w.database.transaction() as connection:
        key = await create_key(connection, "slow", [w.org_id], {Scope.PUSH}, "test")
    header = f"{PUSH}Authorization: Bearer {key.plain}\r\n"
    async with served(w.settings, tmp_path, body_timeout_seconds="1") as service, clients(service, 2) as made:
        made[0][1].write(f"{header}Content-Length: {BODY_BYTES}\r\n\r\n".encode() + b" " * 1000)
        made[1][1].write(f"{header}Transfer-Encoding: chunked\r\n\r\n3e8\r\n".encode() + b" " * 1000)
        for answer in await asyncio.gather(*map(answer_to, made)):
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"request_timeout" in answer


async def test_a_silent_connection_is_closed_for_a_new_one(w: Installation, tmp_path: Path) -> None:
    """When a thousand connections are silent, each new one replaces one of them."""
    async with served(w.settings, tmp_path, header_timeout_seconds="300") as service:
        assert await is_healthy(service)
        before = service.resident_bytes
        async with clients(service, SILENT):
            assert await is_healthy(service)
            assert service.open_files < SILENT
            assert service.resident_bytes - before < 60 * MEGABYTE
        assert await is_healthy(service)


async def test_a_connection_without_a_complete_header_times_out(w: Installation, tmp_path: Path) -> None:
    async with served(w.settings, tmp_path, header_timeout_seconds="1") as service, clients(service, 3) as made:
        _, slow, used = made
        slow[1].write(b"GET /healthz HTTP/1.1\r\nHost:")
        used[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHo")
        silent_answer, slow_answer, used_answer = await asyncio.gather(*map(until_closed, made))
        assert (silent_answer, slow_answer) == (b"", b"")
        assert used_answer.count(b"HTTP/1.1 200") == 1
        assert await is_healthy(service)


async def test_a_thousand_slow_clients_use_little_memory_and_health_checks_succeed(
    w: Installation, tmp_path: Path
) -> None:
    """Each client sends its header a few bytes at a time, then its body, and never finishes."""
    header = f"{PUSH}Authorization: Bearer cps_00000000_none\r\nContent-Length: {BODY_BYTES}\r\n".encode()
    async with served(w.settings, tmp_path, header_timeout_seconds="300") as service:
        assert await is_healthy(service)
        before = service.resident_bytes
        async with clients(service, SLOW) as made:
            for start in range(0, len(header), 30):
                for client in made:
                    if not client[1].transport.is_closing():
                        client[1].write(header[start : start + 30])
                assert await is_healthy(service)
            assert service.resident_bytes - before < 60 * MEGABYTE
            for client in made:
                if not client[1].transport.is_closing():
                    client[1].write(b"\r\n" + b" " * 10_000)
            assert await is_healthy(service)
            assert service.resident_bytes - before < 60 * MEGABYTE


async def test_a_header_that_is_too_long_gets_a_response_before_the_connection_closes(
    w: Installation, tmp_path: Path
) -> None:
    """A client that is still sending must be able to read the response."""
    async with served(w.settings, tmp_path) as service, clients(service, 1) as [(reader, writer)]:
        writer.write(b"GET /healthz?" + b"x" * 300_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await answer_to((reader, writer))
        assert answer.startswith(b"HTTP/1.1 400 "), answer[:100]
        assert await is_healthy(service)
