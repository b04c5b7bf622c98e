"""Receivers on loopback sockets, each with the behaviour of one kind of server."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    length = next(lengths, 0)
    return head + await reader.readexactly(length)


@dataclass
class Receiver:
    """Counts connections. `handler` handles a connection until it returns; then the connection is closed."""

    handler: Handler
    accepted: int = 0
    requests: list[bytes] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._accept, host, port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                await self.handler(reader, writer)
        except asyncio.CancelledError:
            pass  # the test has ended
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)


ReceiverOf = Callable[..., Awaitable[Receiver]]


@asynccontextmanager
async def receivers() -> AsyncIterator[ReceiverOf]:
    """Use: `await receiver_of(answer)`, with the bytes of each response or a handler of the whole connection."""
    started: list[Receiver] = []

    async def make(
        behaviour: bytes | Handler = OK, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> Receiver:
        async def answer_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert isinstance(behaviour, bytes)
            while True:
                receiver.requests.append(await read_request(reader))
                writer.write(behaviour)
                await writer.drain()

        receiver = Receiver(answer_each if isinstance(behaviour, bytes) else behaviour)
        await receiver.start(host, port, tls)
        started.append(receiver)
        return receiver

    try:
        yield make
    finally:
        for receiver in started:
            await receiver.stop()
