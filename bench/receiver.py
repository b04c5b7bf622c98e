"""A receiver that is faster than any client here: it answers every POST with 200 and counts, in a process of its own."""

import asyncio
import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n" + b'{"success":true}'


class Receiver(asyncio.Protocol):
    """Just enough of HTTP for POSTs with a content-length."""

    def __init__(self) -> None:
        self.transport: asyncio.WriteTransport | None = None
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            start = head.index(b"content-length:") + 15
            stop = head.find(b"\r\n", start)
            length = int(head[start : stop if stop >= 0 else None])
            if len(self.buffer) < end + 4 + length:
                return
            self.buffer = self.buffer[end + 4 + length :]
            self.answer()

    def answer(self) -> None:
        assert self.transport is not None
        self.transport.write(ANSWER)


def _serve(behaviour: Callable[[], asyncio.Protocol], ready: "multiprocessing.Queue[int]") -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(behaviour, "127.0.0.1", 0)
        ready.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


@contextlib.contextmanager
def receiver(behaviour: Callable[[], asyncio.Protocol] = Receiver) -> Iterator[int]:
    """Start one on a free loopback port, and yield the port. `behaviour` must be picklable."""
    context = multiprocessing.get_context("spawn")
    ready: multiprocessing.Queue[int] = context.Queue()
    process = context.Process(target=_serve, args=(behaviour, ready), daemon=True)
    process.start()
    try:
        yield ready.get(timeout=20)
    finally:
        process.kill()
        process.join()
