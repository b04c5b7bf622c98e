"""One connection to a webhook's server: writes a request at once and reads its response; it carries one request at a time."""

import asyncio
import select
from collections.abc import Callable
from typing import cast

from clay_push_service.clay.keep_alive import Origin
from clay_push_service.clay.response_reader import ResponseReader

REST_SECONDS = 2.0
"""For the rest of a response once its status is known: the status is what counts, and a dripping rest must not hold a slot."""
BUFFER_BYTES = 16_384
UNREPORTED_BYTES = 64
"""A TLS transport decrypts record after record into the buffer before it reports any. When one of them is broken it reports
none and closes, although the status may stand in the buffer. A status has no NUL, so what was written there can be found."""
_EMPTY = bytes(UNREPORTED_BYTES)

_CLOSED = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Connection(asyncio.BufferedProtocol):
    """`on_lost` is called once, when it has closed.

    idle_since: event loop time since when it carries no request. was_idle_seconds: how long it had been idle when it was
    taken for the current request; None for a new one. deadline: event loop time by which the status must be known.
    """

    def __init__(self, origin: Origin, on_lost: Callable[["Connection"], None]) -> None:
        self.origin = origin
        self.idle_since: float | None = None
        self.was_idle_seconds: float | None = None
        self.deadline = 0.0
        self.is_lost = False
        self.was_lost = False
        """Before the response had ended."""
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(BUFFER_BYTES)
        self._transport: asyncio.Transport | None = None
        self._reader: ResponseReader | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._knows_status = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def is_closing(self) -> bool:
        """Whether it has closed or is about to: asked right before the first byte, so that a request is not lost in it.

        On a reused connection anything readable is unsolicited: a farewell (408, close_notify) or the end. On a new one it
        may be a TLS session ticket.
        """
        transport = self._transport
        if self.is_lost or transport is None or transport.is_closing():
            return True
        poll = select.poll()
        readable = 0 if self.was_idle_seconds is None else select.POLLIN
        poll.register(transport.get_extra_info("socket").fileno(), _CLOSED | readable)
        return bool(poll.poll(0))

    async def exchange(self, request: bytes, reader: ResponseReader) -> None:
        """Send a request and read its response, at most until `deadline`; then REST_SECONDS for what follows the status.

        Raises no network errors: a reader without a status means that none arrived. After a cancellation, too, the
        reader has what arrived by then.
        """
        assert self._transport is not None  # noqa: S101 - connected before it is handed out
        self._reader = reader
        self._knows_status = False
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
            self.abort()  # unsolicited: it would pass for the next request's response
            return
        reader.feed(data)
        if reader.done:
            self._wake()
        elif reader.status is not None and not self._knows_status and self._timer is not None:
            self._knows_status = True
            self._timer.cancel()
            self._timer = self._loop.call_at(min(self.deadline, self._loop.time() + REST_SECONDS), self._wake)

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

    def hold(self, seconds: float) -> None:
        """Note that it was kept for so long before its request, which is not the server's time."""
        self.deadline += seconds
        if self.was_idle_seconds is not None:
            self.was_idle_seconds += seconds

    def rest(self) -> None:
        """Becomes idle, ready for the next request."""
        self._reader = None
        self.idle_since = self._loop.time()

    def abort(self) -> None:
        """Close at once, whatever is unsent or unread."""
        self._reader = None
        if self._transport is not None:
            self._transport.abort()
