"""The requests that the client sends. It follows no redirect, stores no cookie, and uses no proxy."""

import asyncio
import gc

import pytest

from clay_push_service.clay import webhook_client as clay_client
from clay_push_service.clay.response import Blocked
from tests.clay.receivers import ReceiverOf
from tests.clay.sender import BODY, Sender, responded, target


async def test_a_post_has_only_the_expected_headers_and_body(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of()
    answer = responded(await sender.client().post(target(receiver.port, token="token"), BODY))
    assert (answer.status, answer.body, answer.retry_after) == (200, b"ok", None)
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert (first, body) == (b"POST /v3/hook?x=1 HTTP/1.1", BODY)
    assert dict(line.lower().split(b": ", 1) for line in headers) == {
        b"host": f"hook.clay.test:{receiver.port}".encode(),
        b"content-type": b"application/json",
        b"accept": b"*/*",
        b"accept-encoding": b"identity",
        b"user-agent": clay_client.USER_AGENT.encode(),
        b"x-clay-webhook-auth": b"token",
        b"content-length": str(len(BODY)).encode(),
    }


@pytest.mark.parametrize("value", ["soon\u00e9", "7 \U0001f98a"])
async def test_a_response_with_a_non_ascii_header_is_read(receiver_of: ReceiverOf, sender: Sender, value: str) -> None:
    receiver = await receiver_of(f"HTTP/1.1 429 Too Many\r\nRetry-After: {value}\r\ncontent-length: 0\r\n\r\n".encode())
    answer = responded(await sender.client().post(target(receiver.port), BODY))
    assert (answer.status, answer.retry_after) == (429, value)


async def test_a_post_creates_no_reference_cycles(receiver_of: ReceiverOf, sender: Sender) -> None:
    """A worker sends thousands of POSTs a second. Garbage collection of their cycles stopped it for 60 ms, longer than a slot of a pace can wait."""
    receiver, client = await receiver_of(), sender.client()
    await client.post(target(receiver.port), BODY)
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(10):
            await client.post(target(receiver.port), BODY)
        gc.collect()
        left = [
            type(each).__name__
            for each in gc.garbage
            if type(each).__module__.startswith(("httpx", "aiohttp", "clay_push"))
        ]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    assert left == []


async def test_retry_after_is_returned(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of(b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n")
    answer = responded(await sender.client().post(target(receiver.port), BODY))
    assert (answer.status, answer.retry_after) == (429, "7")


@pytest.mark.parametrize("token", ["two\r\nlines", "ключ", "nul\0"])
async def test_a_token_that_is_not_a_valid_header_is_refused_before_sending(
    receiver_of: ReceiverOf, sender: Sender, token: str
) -> None:
    receiver = await receiver_of()
    assert await sender.client().post(target(receiver.port, token=token), BODY) == Blocked("token_characters")
    assert receiver.accepted == 0


@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/inside", "http://[", "//", "\x80"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(receiver_of: ReceiverOf, sender: Sender, status: int, location: str) -> None:
    inside = await receiver_of()
    answer = f"HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".format(port=inside.port)
    receiver = await receiver_of(answer.encode("latin-1"))
    assert responded(await sender.client().post(target(receiver.port), BODY)).status == status
    assert inside.accepted == 0


async def test_proxy_and_password_of_the_environment_are_ignored(
    receiver_of: ReceiverOf, sender: Sender, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    proxy, receiver = await receiver_of(), await receiver_of()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    netrc = f"{tmp_path}/netrc"
    with open(netrc, "w", encoding="ascii") as file:  # noqa: ASYNC230, PTH123 - a test's own file
        file.write("machine hook.clay.test login a password b\n")
    monkeypatch.setenv("NETRC", netrc)
    responded(await sender.client().post(target(receiver.port), BODY))
    assert proxy.accepted == 0
    assert b"authorization" not in receiver.requests[0].lower()


async def test_cookies_are_not_stored(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of(b"HTTP/1.1 200 OK\r\nset-cookie: a=b; Path=/\r\ncontent-length: 0\r\n\r\n")
    client = sender.client()
    for _ in range(2):
        responded(await client.post(target(receiver.port), BODY))
    assert b"cookie" not in receiver.requests[1].lower()


async def test_a_response_before_the_request_body_is_read_is_returned(receiver_of: ReceiverOf, sender: Sender) -> None:
    async def too_large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        await reader.read()

    receiver = await receiver_of(too_large)
    assert responded(await sender.client().post(target(receiver.port), b"x" * 1_000_000)).status == 413


async def test_a_cancellation_is_raised(receiver_of: ReceiverOf, sender: Sender) -> None:
    receiver = await receiver_of(lambda *_: asyncio.sleep(60))
    task = asyncio.create_task(sender.client().post(target(receiver.port), BODY))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_repr_contains_no_secret() -> None:
    shown = repr(target(8081, token="topsecret"))
    assert "topsecret" not in shown
    assert "/v3/hook" not in shown
