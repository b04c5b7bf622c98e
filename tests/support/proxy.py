"""A TCP proxy between workers and PostgreSQL that injects network faults: resets, silence, and cuts at a chosen statement."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HARD = struct.pack("ii", 1, 0)
"""SO_LINGER with 0 seconds: closing sends a reset."""
TAIL = 200
"""Bytes remembered of a stream, so that a pattern is found across two reads."""


@dataclass
class Cut:
    """Reset the connection that sends `pattern`, `times` times; `delivered`: the server gets it, its answer is lost."""

    pattern: bytes
    times: int = 1
    delivered: bool = False
    after: bytes | None = None
    """Only on a connection that has sent this before (in this transaction: the memory is wiped by COMMIT)."""
    until: asyncio.Event | None = None
    """With `delivered`: the connection stays silent until this is set, and is reset then."""
    done: int = 0


@dataclass(eq=False)
class _Pair:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    sent: bytes = b""
    seen: set[bytes] = field(default_factory=set)
    forgotten: bool = False
    """Discard what either side sends without closing the connection, as a NAT does that has dropped it."""
    mute: Cut | None = None
    """The server's answers are thrown away: this cut is under way."""

    def reset(self) -> None:
        for writer in (self.client, self.server):
            sock = writer.get_extra_info("socket")
            if sock is not None and not writer.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
            writer.transport.abort()


class Proxy:
    """Listens on a port of 127.0.0.1 and passes everything on to `target_port`, while it is well."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.cuts: list[Cut] = []
        self.port = 0

    def reset_all(self) -> int:
        """Every connection ends with a reset. Returns how many."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()
        return len(pairs)

    def reset_listeners(self) -> int:
        """Only those that have sent LISTEN."""
        listeners = [pair for pair in self._pairs if b"LISTEN" in pair.seen]
        for pair in listeners:
            pair.reset()
        return len(listeners)

    def drop_all(self) -> int:
        """The connections that there are die silently; new ones are passed on. Returns how many."""
        for pair in self._pairs:
            pair.forgotten = True
        return len(self._pairs)

    def partition(self) -> None:
        """From now on forward nothing, refuse nothing and close nothing."""
        self._open.clear()

    def heal(self) -> None:
        """What was held back by a partition is lost: its connections are reset."""
        self.reset_all()
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        except asyncio.CancelledError:  # in mid-connect
            writer.transport.abort()
            raise
        pair = _Pair(writer, to_server)
        self._pairs.add(pair)
        both = [
            asyncio.create_task(self._up(pair, reader)),
            asyncio.create_task(self._down(pair, from_server)),
        ]
        self._tasks.update(both)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.wait(both)
            self._tasks.difference_update(both)
            self._pairs.discard(pair)
            writer.close()
            to_server.close()

    async def _up(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                if pair.forgotten:
                    continue
                pair.sent = pair.sent[-TAIL:] + data
                if b"LISTEN " in pair.sent:
                    pair.seen.add(b"LISTEN")
                cut = self._due(pair)
                if cut is not None and not cut.delivered:
                    pair.reset()
                    return
                pair.mute = cut
                pair.server.write(data)
                await pair.server.drain()
        except OSError:
            return

    def _due(self, pair: _Pair) -> Cut | None:
        due = None
        for cut in self.cuts:
            if cut.after is not None and cut.after in pair.sent:
                pair.seen.add(cut.after)
            if cut.done < cut.times and cut.pattern in pair.sent and (cut.after is None or cut.after in pair.seen):
                cut.done += 1
                pair.sent = b""
                due = cut
        if b"COMMIT" in pair.sent:
            pair.seen &= {b"LISTEN"}
        return due

    async def _down(self, pair: _Pair, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                if pair.forgotten:
                    continue
                if pair.mute is not None:  # the server has answered, so it has executed the statement
                    if pair.mute.until is not None:
                        await pair.mute.until.wait()
                    pair.reset()
                    return
                pair.client.write(data)
                await pair.client.drain()
        except OSError:
            return


@asynccontextmanager
async def proxying(target_port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(target_port)
    serving: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.reset_all()
        for task in list(serving):
            task.cancel()
        if serving:
            await asyncio.wait(serving)
