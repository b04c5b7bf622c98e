"""One client connection to a webhook server: writes a request and reads its response, one request at a time."""

import asyncio
import select
from collections.abc import Callable
from typing import cast

from clay_push_service.clay.keep_alive import Origin
from clay_push_service.clay.response_reader import ResponseReader

REST_SECONDS = 2.0
"""Time limit for the rest of a webhook's response once the status is known: only the status counts, and a slow rest must not
occupy a connection."""
BUFFER_BYTES = 16_384
UNREPORTED_BYTES = 64
"""Bytes of the buffer checked for a status that the transport did not report. A TLS transport decrypts several records into the
buffer before it reports any. If one of them is broken, it reports none and closes, although the buffer may hold the status. A
status line contains no NUL, so the bytes written there can be found."""
_EMPTY = bytes(UNREPORTED_BYTES)

_CLOSED = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Connection(asyncio.BufferedProtocol):
    """Calls `on_lost` once, after the connection has closed.

    idle_since: event loop time of the last use; None while it carries a request. was_idle_seconds: how long it had been idle
    before the current request; None for a new connection. deadline: event loop time by which the status must be known.
    """

    def __init__(self, origin: Origin, on_lost: Callable[["Connection"], None]) -> None:
        self.origin = origin
        self.idle_since: float | None = None
        self.was_idle_seconds: float | None = None
        self.deadline = 0.0
        self.is_lost = False
        self.was_lost = False
        """Whether it closed before the response was complete."""
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(BUFFER_BYTES)
        self._transport: asyncio.Transport | None = None
        self._reader: ResponseReader | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._has_status = False
        self._rest_seconds = REST_SECONDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport is not a subclass

    def is_closing(self) -> bool:
        """Return whether it has closed or is about to. Check this right before the first byte, so that no request is lost.

        On a reused connection any readable data is unsolicited: a final 408, a close_notify or the end of the stream. On a
        new connection it may be a TLS session ticket.
        """
        transport = self._transport
        if self.is_lost or transport is None or transport.is_closing():
            return True
        poll = select.poll()
        readable = 0 if self.was_idle_seconds is None else select.POLLIN
        poll.register(transport.get_extra_info("socket").fileno(), _CLOSED | readable)
        return bool(poll.poll(0))

    async def exchange(self, request: bytes, reader: ResponseReader, rest_seconds: float = REST_SECONDS) -> None:
        """Send a request and read its response until `deadline`; the part after the status has `rest_seconds`.

        Raises no network errors: if no status arrived, the status of `reader` is None. After a cancellation `reader` contains
        the bytes that arrived before it.
        """
        assert self._transport is not None  # noqa: S101 - the pool returns connected ones only
        self._reader = reader
        self._has_status = False
        self._rest_seconds = rest_seconds
        self._waiter = self._loop.create_future()
        self._timer = self._loop.call_at(self.deadline, self._wake)
        try:
            self._transport.write(request)
            await self._waiter
        finally:
            self._timer.cancel()
            self._timer = self._waiter = None

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        self._buffer[:UNREPORTED_BYTES] = _EMPTY
        return memoryview(self._buffer)

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(self._buffer[:nbytes])
        self._buffer[:UNREPORTED_BYTES] = _EMPTY
        self._received(data)

    def _received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            self.abort()  # unsolicited data would be read as the response to the next request
            return
        reader.feed(data)
        if reader.done:
            self._wake()
        elif reader.status is not None and not self._has_status and self._timer is not None:
            self._has_status = True
            self._timer.cancel()
            self._timer = self._loop.call_at(min(self.deadline, self._loop.time() + self._rest_seconds), self._wake)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.is_lost = True
        if self._reader is not None:
            if self._reader.status is None:
                self._reader.feed(bytes(self._buffer[:UNREPORTED_BYTES]).partition(b"\0")[0])
            self._reader.end()
            self.was_lost = True
        self._wake()
        self._on_lost(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def add_wait(self, seconds: float) -> None:
        """Extend the deadline by the time between acquiring the connection and sending, which the server did not cause."""
        self.deadline += seconds
        if self.was_idle_seconds is not None:
            self.was_idle_seconds += seconds

    def become_idle(self) -> None:
        """Mark it as ready for the next request."""
        self._reader = None
        self.idle_since = self._loop.time()

    def abort(self) -> None:
        """Close immediately; unsent and unread data is dropped."""
        self._reader = None
        if self._transport is not None:
            self._transport.abort()
