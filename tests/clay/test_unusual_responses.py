"""A status that has arrived counts. No bytes after it, in any packets, make the outcome unknown."""

import asyncio
from datetime import UTC, datetime

import pytest

from clay_push_service.clay import connection
from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import outcome_of
from clay_push_service.clay.response import NoResponse, NoResponseKind, Responded, Response
from tests.clay.handlers import End, Write, answering, in_one_packet, reset, stay
from tests.clay.receivers import OK, ReceiverOf, read_request
from tests.clay.sender import BODY, Sender, responded, target
from tests.clay.unusual_responses import THROTTLED, UNUSUAL


async def byte_by_byte(writer: asyncio.StreamWriter, answer: bytes) -> None:
    """Send each of the first 300 bytes in its own packet, and the rest in larger parts."""
    for start in range(min(len(answer), 300)):
        writer.write(answer[start : start + 1])
        await asyncio.sleep(0)
    for start in range(300, len(answer), 997):
        writer.write(answer[start : start + 997])
        await asyncio.sleep(0)


async def slowly(writer: asyncio.StreamWriter, answer: bytes) -> None:
    """Send twenty parts over a longer time than the client waits for the rest of a response."""
    size = max(len(answer) // 20, 1)
    for start in range(0, len(answer), size):
        writer.write(answer[start : start + size])
        await asyncio.sleep(0.02)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def cut(writer: asyncio.StreamWriter) -> None:
    reset(writer)


WAYS = {
    "one packet, closed": (in_one_packet, close),
    "one packet, reset": (in_one_packet, cut),
    "one packet, open": (in_one_packet, stay),
    "byte by byte, closed": (byte_by_byte, close),
    "byte by byte, reset": (byte_by_byte, cut),
    "slow, open": (slowly, stay),
    "slow, reset": (slowly, cut),
}


@pytest.mark.parametrize(("write", "end"), WAYS.values(), ids=WAYS)
async def test_a_status_that_has_arrived_is_returned(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch, write: Write, end: End
) -> None:
    monkeypatch.setattr(connection, "REST_SECONDS", 0.2)
    await statuses_arrive(receiver_of, sender, write, end)


async def statuses_arrive(receiver_of: ReceiverOf, sender: Sender, write: Write, end: End) -> None:
    client = sender.client(seconds=60, connect_seconds=60)

    async def status(answer: bytes) -> int | Response:
        receiver = await receiver_of(answering(answer, write, end))
        got = await client.post(target(receiver.port), BODY)
        assert receiver.accepted == 1
        return got.status if isinstance(got, Responded) else got

    got = await asyncio.gather(*(status(answer) for _, answer in UNUSUAL.values()))
    wanted = {name: status for name, (status, _) in UNUSUAL.items()}
    assert dict(zip(UNUSUAL, got, strict=True)) == wanted


@pytest.mark.parametrize("name", UNUSUAL)
async def test_an_unusual_response_is_not_read_as_the_next_response(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The connection is reused only if the end of the response is certain."""
    status, answer = UNUSUAL[name]

    async def answer_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(answer)
        if await reader.read(1):  # the next request
            await read_request(reader)
            writer.write(OK.replace(b"200", b"202"))
            await reader.read()

    monkeypatch.setattr(connection, "REST_SECONDS", 0.2)
    receiver, client = await receiver_of(answer_each), sender.client(seconds=60, connect_seconds=60)
    # The second POST must get its own response: 202 on the same connection, or the first status on a new connection.
    first = responded(await client.post(target(receiver.port), BODY))
    second = responded(await client.post(target(receiver.port), BODY))
    assert (first.status, second.status) == (status, status if receiver.accepted == 2 else 202)


@pytest.mark.parametrize("write", [in_one_packet, byte_by_byte])
@pytest.mark.parametrize("name", THROTTLED)
async def test_retry_after_is_read_next_to_unusual_headers(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch, write: Write, name: str
) -> None:
    monkeypatch.setattr(connection, "REST_SECONDS", 60)
    receiver = await receiver_of(answering(THROTTLED[name], write, close))
    answer = responded(await sender.client(seconds=60).post(target(receiver.port), BODY))
    assert (answer.status, answer.retry_after) == (429, "7")


async def test_an_exhausted_quota_is_detected_after_a_long_header(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of(answering(UNUSUAL["a limit behind a long header"][1], in_one_packet, close))
    answer = await sender.client().post(target(receiver.port), BODY)
    assert outcome_of(answer, attempts=1, now=datetime.now(UTC)).cause is Cause.QUOTA_EXHAUSTED


async def test_a_response_without_a_status_counts_as_no_response(receiver_of: ReceiverOf, sender: Sender) -> None:
    """An interim response contains no outcome, and an incomplete status is not a status."""
    kinds = {
        b"HTTP/1.1 100 Continue\r\n\r\n": NoResponseKind.LOST,
        b"HTTP/1.1 103 Hints\r\n": NoResponseKind.LOST,
        b"HTTP/1.1 20": NoResponseKind.LOST,
        b"HTTP/1.1 200": NoResponseKind.LOST,
        b"": NoResponseKind.LOST,
        b"HTTP/1.1 2000 OK\r\n\r\n": NoResponseKind.GARBLED,
        b"HTTP/1.1 OK 200\r\n\r\n": NoResponseKind.GARBLED,
        b"200 OK\r\n\r\n": NoResponseKind.GARBLED,
        b"\r\n" * 600_000: NoResponseKind.GARBLED,
        b"HTTP/1.1 103 Hints\r\n" + b"x: y\r\n" * 300_000: NoResponseKind.GARBLED,
    }
    for answer, kind in kinds.items():
        receiver = await receiver_of(answering(answer, in_one_packet, close))
        got = await sender.client(seconds=60).post(target(receiver.port), BODY)
        assert isinstance(got, NoResponse)
        assert got.kind is kind, answer[:30]
