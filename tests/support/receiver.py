"""A webhook receiver in this process that stands in for Clay. Its responses are configurable, and it records every POST."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import orjson

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def status(code: int, *, headers: str = "", body: str = "") -> bytes:
    return f"HTTP/1.1 {code} Text\r\n{headers}content-length: {len(body.encode())}\r\n\r\n{body}".encode()


class Stall:
    """Never respond."""


class Reset:
    """Reset the connection after reading the request, so that Clay may have stored it."""


Behaviour = bytes | Stall | Reset


@dataclass
class Post:
    at: float
    lead_id: str
    delivery_id: str
    body: bytes


@dataclass
class Receiver:
    """`answer` gets the number of the POST (from 0) and its body. Each response is delayed by `delay_seconds`."""

    answer: Callable[[int, bytes], Behaviour] = lambda _number, _body: OK
    delay_seconds: float = 0.0
    posts: list[Post] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    async def until(self, posts: int, seconds: float = 100.0) -> None:
        async with asyncio.timeout(seconds):
            while len(self.posts) < posts:  # noqa: ASYNC110 - a test may poll
                await asyncio.sleep(0.005)

    @property
    def leads(self) -> Counter[str]:
        return Counter(post.lead_id for post in self.posts)

    @property
    def gaps(self) -> list[float]:
        times = sorted(post.at for post in self.posts)
        return [later - earlier for earlier, later in pairwise(times)]


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.Transport | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._receiver.connections += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        meta = orjson.loads(body)["_meta"]
        number = len(self._receiver.posts)
        self._receiver.headers.append(head)
        self._receiver.posts.append(
            Post(time.monotonic(), meta["nexusleads_contributor_id"], meta["delivery_id"], body)
        )
        behaviour = self._receiver.answer(number, body)
        if self._receiver.delay_seconds:
            asyncio.get_running_loop().call_later(self._receiver.delay_seconds, self._reply, behaviour)
        else:
            self._reply(behaviour)

    def _reply(self, behaviour: Behaviour) -> None:
        assert self._transport is not None
        if isinstance(behaviour, bytes):
            self._transport.write(behaviour)
        elif isinstance(behaviour, Reset):
            self._transport.abort()


@asynccontextmanager
async def receiving(receiver: Receiver | None = None, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    receiver = receiver or Receiver()
    connections: set[_Connection] = set()

    def connect() -> _Connection:
        connection = _Connection(receiver)
        connections.add(connection)
        return connection

    server = await asyncio.get_running_loop().create_server(connect, host, 0)
    receiver.url = f"http://{host}:{server.sockets[0].getsockname()[1]}/v3/sources/webhook/test"
    try:
        yield receiver
    finally:
        server.close()
        for connection in connections:
            if connection._transport is not None:
                connection._transport.abort()
        await asyncio.sleep(0)
