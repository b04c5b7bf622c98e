"""Connections that are lost, reused, or closed by the server: no lead is sent twice, and few outcomes are unknown."""

import asyncio
import random
import socket
from collections.abc import Callable
from typing import Any

import aiohappyeyeballs
import pytest

from clay_push_service.clay import connection_pool as connections
from clay_push_service.clay import keep_alive as keep_alive_module
from clay_push_service.clay.response import NoResponse, NoResponseKind, NotConnected, NotConnectedKind, Responded
from tests.clay.handlers import reset
from tests.clay.receivers import OK, ReceiverOf, read_request
from tests.clay.sender import BODY, Sender, responded, target


@pytest.mark.parametrize("how", [reset, lambda writer: writer.close()], ids=["reset", "closed"])
async def test_a_post_is_not_repeated_when_its_connection_is_lost_after_sending(
    receiver_of: ReceiverOf, sender: Sender, how: Callable[[asyncio.StreamWriter], None]
) -> None:
    async def take_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.requests.append(await read_request(reader))
        how(writer)

    receiver = await receiver_of(take_and_hang_up)
    client = sender.client()
    answer = await client.post(target(receiver.port), BODY)
    assert isinstance(answer, NoResponse)
    assert answer.kind is NoResponseKind.LOST
    assert (receiver.accepted, len(receiver.requests)) == (1, 1)


@pytest.mark.parametrize("how", [reset, lambda writer: writer.close()], ids=["reset", "closed"])
@pytest.mark.parametrize("before", [1, 3])
async def test_a_post_is_not_repeated_when_its_reused_connection_is_lost_after_sending(
    receiver_of: ReceiverOf, sender: Sender, how: Callable[[asyncio.StreamWriter], None], before: int
) -> None:
    """Many HTTP clients repeat a request on a new connection when a reused one is lost. Here that would create a second row."""

    async def answer_then_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(before):
            receiver.requests.append(await read_request(reader))
            writer.write(OK)
            await writer.drain()
        receiver.requests.append(await read_request(reader))
        how(writer)

    receiver = await receiver_of(answer_then_hang_up)
    client = sender.client()
    for _ in range(before):
        responded(await client.post(target(receiver.port), BODY))
    answer = await client.post(target(receiver.port), BODY)
    assert isinstance(answer, NoResponse)
    assert answer.kind is NoResponseKind.LOST
    assert (receiver.accepted, len(receiver.requests)) == (1, before + 1)


async def test_a_connection_that_the_server_closes_before_the_first_byte_is_not_connected(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted = 0
        start_connection = aiohappyeyeballs.start_connection

        async def connect_then_hang_up(*arguments: Any, **named: Any) -> socket.socket:
            nonlocal accepted
            connected = await start_connection(*arguments, **named)
            peer, _ = listener.accept()
            accepted += 1
            peer.close()
            return connected

        monkeypatch.setattr(aiohappyeyeballs, "start_connection", connect_then_hang_up)
        answer = await sender.client().post(target(listener.getsockname()[1]), BODY)
    assert isinstance(answer, NotConnected)
    assert answer.kind is NotConnectedKind.CLOSED
    assert accepted == 3


async def test_connection_is_reused_while_fresh(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of()
    client = sender.client()
    for _ in range(20):
        responded(await client.post(target(receiver.port), BODY))
    assert (receiver.accepted, len(receiver.requests)) == (1, 20)


@pytest.mark.parametrize("keep_alive", ["timeout=0", "max=5, timeout=0"])
async def test_a_connection_is_not_reused_after_the_keep_alive_time_of_the_server(
    receiver_of: ReceiverOf, sender: Sender, keep_alive: str
) -> None:
    receiver = await receiver_of(f"HTTP/1.1 200 OK\r\nkeep-alive: {keep_alive}\r\ncontent-length: 0\r\n\r\n".encode())
    client = sender.client()
    for _ in range(3):
        responded(await client.post(target(receiver.port), BODY))
    assert receiver.accepted == 3


async def test_a_connection_that_was_idle_too_long_is_not_reused(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_alive_module, "IDLE_SECONDS", 0.0)
    receiver = await receiver_of()
    client = sender.client()
    for _ in range(3):
        responded(await client.post(target(receiver.port), BODY))
    assert receiver.accepted == 3


async def test_a_final_message_on_an_idle_connection_is_not_read_as_the_next_response(
    receiver_of: ReceiverOf, sender: Sender
) -> None:
    report = asyncio.Event()

    async def answer_and_say_farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.requests.append(await read_request(reader))
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        report.set()
        await reader.read()

    receiver = await receiver_of(answer_and_say_farewell)
    client = sender.client()
    for _ in range(3):
        report.clear()
        assert responded(await client.post(target(receiver.port), BODY)).status == 200
        await report.wait()
    assert len(receiver.requests) == 3


@pytest.mark.parametrize("idle_timeout", [0.0, 0.8])
async def test_a_server_that_closes_idle_connections_causes_no_unknown_outcome(
    receiver_of: ReceiverOf, sender: Sender, idle_timeout: float
) -> None:
    async def close_when_idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(idle_timeout or None):
                receiver.requests.append(await read_request(reader))
            writer.write(OK)
            await writer.drain()
            if not idle_timeout:
                return

    async def close_with_message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await close_when_idle(reader, writer)
        except TimeoutError:
            writer.close()

    receiver = await receiver_of(close_with_message)
    client = sender.client()
    generator = random.Random(1)
    for _ in range(10):
        responded(await client.post(target(receiver.port), BODY))
        # No wait is close to the limit. Client and server share this event loop, so when it is late, the server closes the
        # connection after it got the request. A client cannot detect that; `bench/idle_connections.py` measures it.
        await asyncio.sleep(generator.choice((0.3, 1.5)) * (idle_timeout or 0.01))
    assert len(receiver.requests) == 10


async def test_a_post_that_waits_too_long_for_a_connection_is_busy_and_not_unknown(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            receiver.requests.append(await read_request(reader))
            await asyncio.sleep(0.25)
            writer.write(OK)
            await writer.drain()

    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)
    receiver = await receiver_of(slowly)
    client = sender.client(seconds=0.4)
    answers = await asyncio.gather(*(client.post(target(receiver.port), BODY) for _ in range(3)))
    assert [type(answer) for answer in answers] == [Responded, Responded, NotConnected]
    busy = answers[2]
    assert isinstance(busy, NotConnected)
    assert busy.kind is NotConnectedKind.BUSY
    assert len(receiver.requests) == 2
