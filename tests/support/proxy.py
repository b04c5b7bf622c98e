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
"""Bytes kept of a stream, to find a pattern that two reads split."""


@dataclass
class Cut:
    """Reset a connection that sends `pattern`, at most `times` times. With `delivered`, the server gets the statement and its response is lost."""

    pattern: bytes
    times: int = 1
    delivered: bool = False
    after: bytes | None = None
    """Cut only a connection that has sent this earlier in the same transaction."""
    until: asyncio.Event | None = None
    """With `delivered`: the connection stays silent until this event is set; then it is reset."""
    done: int = 0


@dataclass(eq=False)
class _Pair:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    sent: bytes = b""
    seen: set[bytes] = field(default_factory=set)
    dropped: bool = False
    """Discard all data of both sides without closing the connection, as a NAT does after it drops its entry."""
    mute: Cut | None = None
    """The cut in progress. The server's responses are discarded."""

    def reset(self) -> None:
        for writer in (self.client, self.server):
            sock = writer.get_extra_info("socket")
            if sock is not None and not writer.is_closing():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
            writer.transport.abort()


class Proxy:
    """Listens on a port of 127.0.0.1 and forwards all data to `target_port` until a fault is injected."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.cuts: list[Cut] = []
        self.port = 0

    def reset_all(self) -> int:
        """Reset every connection. Returns their number."""
        pairs = list(self._pairs)
        for pair in pairs:
            pair.reset()
        return len(pairs)

    def reset_listeners(self) -> int:
        """Reset only the connections that have sent LISTEN."""
        listeners = [pair for pair in self._pairs if b"LISTEN" in pair.seen]
        for pair in listeners:
            pair.reset()
        return len(listeners)

    def drop_all(self) -> int:
        """Stop forwarding on all current connections without closing them. New ones work. Returns their number."""
        for pair in self._pairs:
            pair.dropped = True
        return len(self._pairs)

    def partition(self) -> None:
        """From now on forward no data. Accept connections and keep them open."""
        self._open.clear()

    def heal(self) -> None:
        """End a partition: reset its connections, which loses the data that it held back."""
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
        except asyncio.CancelledError:  # during the connect
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
                if pair.dropped:
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
                if pair.dropped:
                    continue
                if pair.mute is not None:  # a response means that the server has run the statement
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
