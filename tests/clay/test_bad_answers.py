"""Invalid responses over sockets: a status that was read is kept, and everything else counts as no response."""

import asyncio
import gzip

import pytest

from clay_push_service.clay import connection
from clay_push_service.clay.response import MAX_RESPONSE_BYTES, NoResponse, NoResponseKind
from tests.clay.receivers import OK, ReceiverOf, read_request
from tests.clay.sender import BODY, Sender, responded, target


async def test_a_slow_response_head_ends_at_the_deadline_without_a_response(
    receiver_of: ReceiverOf, sender: Sender
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in OK:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)

    receiver = await receiver_of(drip)
    answer = await sender.client(seconds=0.3).post(target(receiver.port), BODY)
    assert isinstance(answer, NoResponse)
    assert answer.kind is NoResponseKind.TIMEOUT
    assert answer.duration_ms > 250


@pytest.mark.parametrize(("seconds", "body_seconds"), [(60.0, 0.1), (3.0, 60.0)])
async def test_a_slow_response_body_keeps_the_status_and_ends_soon(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch, seconds: float, body_seconds: float
) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 100000\r\n\r\nx")
        while True:  # the whole body takes more than an hour
            writer.write(b"x")
            await asyncio.sleep(0.05)

    monkeypatch.setattr(connection, "REST_SECONDS", body_seconds)
    receiver = await receiver_of(drip)
    answer = responded(await sender.client(seconds=seconds).post(target(receiver.port), BODY))
    assert answer.status == 202
    assert answer.body.startswith(b"x")


async def test_a_huge_response_body_is_truncated_and_its_connection_closed(
    receiver_of: ReceiverOf, sender: Sender
) -> None:
    written, cut = 0, asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n")
        try:
            while written < 50_000_000:
                writer.write(b"x" * 100_000)
                await writer.drain()
                written += 100_000
        except OSError:
            cut.set()

    receiver = await receiver_of(pour)
    answer = responded(await sender.client().post(target(receiver.port), BODY))
    assert (answer.status, len(answer.body)) == (200, MAX_RESPONSE_BYTES)
    await asyncio.wait_for(cut.wait(), 5)
    assert written < 20_000_000  # the size of the sockets' buffers


async def test_a_compressed_response_body_is_not_decompressed(receiver_of: ReceiverOf, sender: Sender) -> None:
    bomb = gzip.compress(b"\0" * 20_000_000)
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n"
    receiver = await receiver_of(head.encode() + bomb)
    answer = responded(await sender.client().post(target(receiver.port), BODY))
    assert answer.body == bomb[:MAX_RESPONSE_BYTES]


async def test_a_truncated_response_body_keeps_the_status(receiver_of: ReceiverOf, sender: Sender) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")
        await writer.drain()

    receiver = await receiver_of(cut)
    answer = responded(await sender.client().post(target(receiver.port), BODY))
    assert (answer.status, answer.body) == (200, b"only this")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46" * 10,
    ],
    ids=["no status", "another protocol", "TLS"],
)
async def test_an_invalid_response_counts_as_no_response(
    receiver_of: ReceiverOf, sender: Sender, answer: bytes
) -> None:
    receiver = await receiver_of(answer)
    got = await sender.client().post(target(receiver.port), BODY)
    assert isinstance(got, NoResponse)
    assert got.kind is NoResponseKind.GARBLED
    assert len(receiver.requests) == 1


async def test_early_hints_are_skipped_and_an_unusual_status_is_read(receiver_of: ReceiverOf, sender: Sender) -> None:
    hinting = await receiver_of(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" + OK)
    switching = await receiver_of(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
    client = sender.client()
    assert responded(await client.post(target(hinting.port), BODY)).status == 200
    assert responded(await client.post(target(switching.port), BODY)).status == 101
