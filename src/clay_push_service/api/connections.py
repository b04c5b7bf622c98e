"""Limits for client connections: their number, header time and read-ahead; `/healthz` always has room.

uvicorn has no header timeout, reads up to 300 KB of a body before the application requests it, and its `limit_concurrency`
also answers 503 to health checks. Therefore the protocol below feeds uvicorn's protocol.
"""

import asyncio
from typing import Any

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from clay_push_service import logs
from clay_push_service.api.errors import respond
from clay_push_service.api.transport import LingeringTransport
from clay_push_service.errors import UnavailableError

READ_BYTES = 16_384
"""Size of one read, and of the body part held before authentication. Equals the header limit of h11."""
RESERVE = 100
"""Connections beyond the limit while all others have a request in progress; they serve health checks only."""
STALL_SECONDS = 60.0
"""A client that reads nothing of a response for this time is treated as gone."""
HEALTH = "/healthz"

log = logs.get(__name__)


class Connections:
    """All connections of one server. Beyond the limit the longest idle one is closed."""

    def __init__(self, most: int, header_seconds: float) -> None:
        self._most = most
        self.header_seconds = header_seconds
        self.buffer = memoryview(bytearray(READ_BYTES))
        """Shared by all connections: data is copied out before the event loop reads again."""
        self._all: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        """Connections without a request in progress; the longest idle is first."""
        self._is_full = False

    def __len__(self) -> int:
        return len(self._all)

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> "Connection":
        """Create the protocol of one connection; `uvicorn.Config(http=…)` calls it."""
        return Connection(self, _Http(config, server_state, app_state, _loop))

    def add(self, connection: "Connection") -> bool:
        """Register a connection. Returns False if it is beyond the limit and no idle one could be closed."""
        if len(self._all) < self._most:
            self._is_full = False
        elif (oldest := next(iter(self._waiting), None)) is not None:
            self._note_full()
            oldest.abort()
        elif len(self._all) >= self._most + RESERVE:
            connection.abort()
            return False
        self._all.add(connection)
        return len(self._all) <= self._most

    def _note_full(self) -> None:
        if not self._is_full:
            self._is_full = True
            log.warning("web.connections_full", most=self._most)

    def mark_waiting(self, connection: "Connection") -> None:
        """Mark it as idle."""
        if connection in self._all:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def mark_working(self, connection: "Connection") -> None:
        self._waiting.pop(connection, None)

    def remove(self, connection: "Connection") -> None:
        self._all.discard(connection)
        self._waiting.pop(connection, None)


class _Http(H11Protocol):
    """uvicorn's HTTP protocol, but it stops reading after the header until the application requests the body."""

    owner: "Connection"

    @property
    def is_waiting(self) -> bool:
        """Whether the connection waits for a request, or for the rest of a header."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    @property
    def is_body_unread(self) -> bool:
        return bool(self.conn.their_state is h11.SEND_BODY)

    @property
    def is_client_sending(self) -> bool:
        """Whether the client may still send: an unread body, or the rest of a rejected header."""
        return bool(self.conn.their_state in (h11.SEND_BODY, h11.ERROR))

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and not self.is_waiting and self.is_body_unread:
            self.flow.pause_reading()  # until `receive` is called

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.owner.note_state()


class Connection(asyncio.BufferedProtocol):
    """One connection. Each request header must be complete within `header_seconds` of the previous response."""

    def __init__(self, connections: Connections, http: _Http) -> None:
        self._connections = connections
        self._http = http
        self._http.owner = self
        self._transport: LingeringTransport | None = None
        self._header_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = LingeringTransport(transport, lambda: self._http.is_client_sending)  # type: ignore[arg-type]
        if not self._connections.add(self):
            self._http.app = _health_only(self._http.app)
        self._http.connection_made(self._transport)
        self.note_state()

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._connections.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._transport is None or self._transport.is_closing():
            return  # the rest of an unwanted body
        self._http.data_received(bytes(self._connections.buffer[:nbytes]))
        self.note_state()

    def eof_received(self) -> None:
        if self._transport is not None and self._transport.is_closing():
            self._transport.abort()
            return
        self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()
        if self._stall_timer is None:
            self._stall_timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self.abort)

    def resume_writing(self) -> None:
        self._stop_stall_timer()
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)
        self._stop_header_timer()
        self._stop_stall_timer()
        self._http.connection_lost(exc)

    def note_state(self) -> None:
        """Start the header timer when the connection becomes idle, and stop it when a request has begun."""
        if not self._http.is_waiting:
            self._stop_header_timer()
            self._connections.mark_working(self)
        elif self._header_timer is None:
            self._connections.mark_waiting(self)
            seconds = self._connections.header_seconds
            self._header_timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def abort(self) -> None:
        self._connections.remove(self)
        if self._transport is not None:
            self._transport.abort()


def _health_only(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == HEALTH:
            await app(scope, receive, send)
            return
        error = UnavailableError(
            "Too many requests are in progress; retry in a few seconds.",
            code="overloaded",
            headers={"Retry-After": "5", "Connection": "close"},
        )
        await respond(scope, error)(scope, receive, send)

    return answer
