"""A fast webhook receiver in its own process. It responds to every POST with 200 and records the arrival time."""

import asyncio
import contextlib
import multiprocessing
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import cast

import uvloop

from bench.rate_receivers import Receiver as Model

REFUSAL = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: %d\r\ncontent-length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n" + b'{"success":true}'


class Receiver(asyncio.Protocol):
    """A minimal HTTP server for POSTs with a content-length. It responds after `latency_seconds`."""

    def __init__(self, latency_seconds: float = 0.0) -> None:
        self.latency_seconds = latency_seconds
        self.transport: asyncio.WriteTransport | None = None
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)  # uvloop's transport is not a subclass

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            start = head.index(b"content-length:") + 15
            stop = head.find(b"\r\n", start)
            length = int(head[start : stop if stop >= 0 else None])
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            self.took(head, body)
            if self.latency_seconds:
                asyncio.get_running_loop().call_later(self.latency_seconds, self.answer)
            else:
                self.answer()

    def took(self, head: bytes, body: bytes) -> None:
        """Called when a complete POST has arrived."""

    def answer(self) -> None:
        assert self.transport is not None
        self.transport.write(ANSWER)


ARRIVALS: deque[tuple[str, float, str, str, bool]] = deque()
"""The arrivals in the receiver's process, with the fields of Arrival."""
DELIVERY = b'"delivery_id":"'
LEAD = b'"nexusleads_contributor_id":"'


class Noting(Receiver):
    """Records path and time of every POST. One process serves the webhooks of many organizations."""

    def __init__(self, latency_seconds: float, *, deliveries: bool) -> None:
        super().__init__(latency_seconds)
        self.deliveries = deliveries

    def took(self, head: bytes, body: bytes) -> None:
        now, path = time.monotonic(), head[: head.index(b" http/")]
        delivery, lead = (_id_after(DELIVERY, body), _id_after(LEAD, body)) if self.deliveries else ("", "")
        ARRIVALS.append((path[path.rindex(b"/") + 1 :].decode(), now, delivery, lead, self.accepts(now)))

    def accepts(self, now: float) -> bool:  # noqa: ARG002 - for subclasses
        return True


class Throttling(Noting):
    """Responds with 429 to POSTs that `model` refuses. All connections share the model."""

    def __init__(self, latency_seconds: float, model: Model) -> None:
        super().__init__(latency_seconds, deliveries=False)
        self.model = model
        self.accepted = True

    def accepts(self, now: float) -> bool:
        self.accepted = self.model.accepts(now - (ARRIVALS[0][1] if ARRIVALS else now))
        return self.accepted

    def answer(self) -> None:
        if self.accepted:
            super().answer()
            return
        assert self.transport is not None
        self.transport.write(REFUSAL % int(self.model.retry_after))


def _id_after(key: bytes, body: bytes) -> str:
    start = body.find(key)
    return body[start + len(key) : start + len(key) + 36].decode() if start >= 0 else ""


@dataclass(frozen=True, slots=True)
class Arrival:
    webhook: str
    """The last part of the POST's path."""
    at: float
    """`time.monotonic()`, which is the same in all processes of a machine."""
    delivery: str
    """`_meta.delivery_id` of the body, if the receiver reads it."""
    lead: str
    """`nexusleads_contributor_id` of the body, if the receiver reads it."""
    accepted: bool = True
    """False if the response was 429."""


@dataclass(frozen=True, slots=True)
class Notes:
    """Reads the records of a recording receiver."""

    port: int
    _pipe: Connection

    def take(self) -> list[Arrival]:
        """Returns the arrivals since the last call."""
        self._pipe.send("take")
        if not self._pipe.poll(20):
            raise RuntimeError("the receiver does not respond")
        return [Arrival(*each) for each in self._pipe.recv()]


def _serve(behaviour: Callable[[], asyncio.Protocol], pipe: Connection) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(behaviour, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        # A thread writes to the pipe: uvloop would make it non-blocking, and the data do not fit into it at once.
        threading.Thread(target=_tell, args=(pipe,), daemon=True).start()
        await server.serve_forever()

    uvloop.run(main())


def _tell(pipe: Connection) -> None:
    with contextlib.suppress(EOFError):
        while True:
            pipe.recv()
            pipe.send([ARRIVALS.popleft() for _ in range(len(ARRIVALS))])


@contextlib.contextmanager
def _running(behaviour: Callable[[], asyncio.Protocol]) -> Iterator[tuple[int, Connection]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(behaviour, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(20):
            raise RuntimeError("the receiver did not start")
        yield ours.recv(), ours
    finally:
        process.kill()
        process.join()
        ours.close()


@contextlib.contextmanager
def receiver(behaviour: Callable[[], asyncio.Protocol] = Receiver) -> Iterator[int]:
    """Start a receiver on a free loopback port. Yields the port. `behaviour` must be picklable."""
    with _running(behaviour) as (port, _):
        yield port


@contextlib.contextmanager
def noting_receiver(latency_seconds: float = 0.0, *, deliveries: bool = False) -> Iterator[Notes]:
    """Start a receiver that records arrivals. With `deliveries`, it also records the ids of delivery and lead, which is slower."""
    with _running(partial(Noting, latency_seconds, deliveries=deliveries)) as (port, pipe):
        yield Notes(port, pipe)


@contextlib.contextmanager
def throttling_receiver(latency_seconds: float, model: Model) -> Iterator[Notes]:
    """Start a receiver that records arrivals and responds with 429 as `model` decides. Read the records only once, at the end."""
    with _running(partial(Throttling, latency_seconds, model)) as (port, pipe):
        yield Notes(port, pipe)
