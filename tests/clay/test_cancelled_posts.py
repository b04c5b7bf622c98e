"""A cancelled POST keeps the outcome that is already known: a status that was read, or that no byte was sent."""

import asyncio

import pytest

from clay_push_service.clay import connection
from clay_push_service.clay.response import (
    NoResponse,
    NoResponseKind,
    NotConnected,
    NotConnectedKind,
    Responded,
    Response,
)
from clay_push_service.clay.webhook_client import Attempt, ClayClient
from tests.clay.handlers import answering, in_one_packet, stay
from tests.clay.receivers import ReceiverOf
from tests.clay.sender import BODY, Names, Sender, target
from tests.support.status_reading import watch_status_reading

BEGUN = {
    "status line": (b"HTTP/1.1 200 OK\r\n", 200),
    "status without the line's end": (b"HTTP/1.1 401 ", 401),
    "half a header": (b"HTTP/1.1 503 No\r\nretry-aft", 503),
    "head": (b"HTTP/1.1 429 No\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n", 429),
    "half a body": (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok", 200),
    "chunks without an end": (b"HTTP/1.1 422 No\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", 422),
    "after an interim response": (b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 202 OK\r\n", 202),
}


async def cancelled(client: ClayClient, task: "asyncio.Task[Response]", attempt: Attempt) -> Response:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.close()
    return attempt.response


@pytest.mark.parametrize(("begun", "status"), BEGUN.values(), ids=BEGUN)
async def test_a_cancelled_post_returns_the_status_that_was_read(
    receiver_of: ReceiverOf,
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
    begun: bytes,
    status: int,
) -> None:
    monkeypatch.setattr(connection, "REST_SECONDS", 60)
    status_is_read = watch_status_reading(monkeypatch)
    receiver = await receiver_of(answering(begun, in_one_packet, stay))
    client, attempt = sender.client(seconds=60), Attempt()
    task = asyncio.create_task(client.post(target(receiver.port), BODY, attempt=attempt))
    await asyncio.wait_for(status_is_read.wait(), 60)
    answer = await cancelled(client, task, attempt)
    assert isinstance(answer, Responded)
    assert answer.status == status
    assert answer.retry_after == ("7" if status == 429 else None)


async def test_a_response_that_completes_at_the_moment_of_the_cancel_is_returned(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop reads the response and cancels the task before the task runs again."""
    tasks: list[asyncio.Task[Response]] = []
    read = connection.Connection.buffer_updated

    def read_and_cancel(self: connection.Connection, nbytes: int) -> None:
        read(self, nbytes)
        tasks[0].cancel()

    monkeypatch.setattr(connection.Connection, "buffer_updated", read_and_cancel)
    receiver = await receiver_of()
    client, attempt = sender.client(seconds=60), Attempt()
    tasks.append(asyncio.create_task(client.post(target(receiver.port), BODY, attempt=attempt)))
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert attempt.response == Responded(200, body=b"ok", duration_ms=attempt.response.duration_ms)


async def test_a_cancelled_post_without_a_status_is_uncertain(receiver_of: ReceiverOf, sender: Sender) -> None:
    arrived = asyncio.Event()

    async def read_and_stay(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await asyncio.sleep(60)

    receiver = await receiver_of(read_and_stay)
    client, attempt = sender.client(seconds=60), Attempt()
    task = asyncio.create_task(client.post(target(receiver.port), BODY, attempt=attempt))
    await arrived.wait()
    answer = await cancelled(client, task, attempt)
    assert isinstance(answer, NoResponse)
    assert answer.kind is NoResponseKind.TIMEOUT


async def test_a_post_that_is_cancelled_before_its_first_byte_is_not_sent(
    receiver_of: ReceiverOf, sender: Sender
) -> None:
    receiver = await receiver_of()
    names, attempt = Names(("127.0.0.1",), delay=60), Attempt()
    client = sender.client(seconds=60, connect_seconds=60, resolver=names)
    task = asyncio.create_task(client.post(target(receiver.port), BODY, attempt=attempt))
    while not names.lookups:  # noqa: ASYNC110 - a counter has no event
        await asyncio.sleep(0)
    answer = await cancelled(client, task, attempt)
    assert isinstance(answer, NotConnected)
    assert answer.kind is NotConnectedKind.BUSY
    assert receiver.accepted == 0
