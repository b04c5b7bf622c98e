"""Callers' connections: bounded in number, in time and in what is read ahead, and never at the expense of `/healthz`.

uvicorn has no timeout for a header, reads up to 300 KB of a body before the application asks for it, and its
`limit_concurrency` answers 503 to health checks, too. So uvicorn's protocol gets its bytes from the one below.
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
"""Of one read, which is all that is held of a body before its caller is known. As much as h11 takes for a header."""
RESERVE = 100
"""Connections beyond the bound, while every one within it has a request under way; these are answered for health only."""
STALL_SECONDS = 60.0
"""A client that takes nothing of an answer for so long is gone."""
HEALTH = "/healthz"

log = logs.get(__name__)


class Connections:
    """All connections of one server. Over the bound the one that has waited longest for its client is closed."""

    def __init__(self, most: int, header_seconds: float) -> None:
        self._most = most
        self.header_seconds = header_seconds
        self.buffer = memoryview(bytearray(READ_BYTES))
        """Of all: what is read is taken out before the loop reads again."""
        self._all: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}
        """Those without a request under way; first the one that has waited longest."""
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
        """For `uvicorn.Config(http=…)`, which calls it once for every connection."""
        return Connection(self, _Http(config, server_state, app_state, _loop))

    def made(self, connection: "Connection") -> bool:
        """Counts it. False: it is beyond the bound, and none could be closed for it."""
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

    def waits(self, connection: "Connection") -> None:
        """It has no request under way, from now on."""
        if connection in self._all:
            self._waiting.pop(connection, None)
            self._waiting[connection] = None

    def works(self, connection: "Connection") -> None:
        self._waiting.pop(connection, None)

    def lost(self, connection: "Connection") -> None:
        self._all.discard(connection)
        self._waiting.pop(connection, None)


class _Http(H11Protocol):
    """uvicorn's protocol, which reads no further than the header until the application asks for the body."""

    owner: "Connection"

    @property
    def is_waiting(self) -> bool:
        """For a request, or for the rest of its header."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is None or cycle.response_complete

    @property
    def is_body_unread(self) -> bool:
        return bool(self.conn.their_state is h11.SEND_BODY)

    @property
    def is_client_sending(self) -> bool:
        """A body that is not read, or a header that is refused: it may be too long, and its rest still comes."""
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
    """One connection. It has `header_seconds` for each request's header, counted from when the one before was answered."""

    def __init__(self, connections: Connections, http: _Http) -> None:
        self._connections = connections
        self._http = http
        self._http.owner = self
        self._transport: LingeringTransport | None = None
        self._header_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = LingeringTransport(transport, lambda: self._http.is_client_sending)  # type: ignore[arg-type]
        if not self._connections.made(self):
            self._http.app = _health_only(self._http.app)
        self._http.connection_made(self._transport)
        self.note_state()

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return self._connections.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._transport is None or self._transport.is_closing():
            return  # what still comes of a body that is not wanted
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
        self._connections.lost(self)
        self._stop_header_timer()
        self._stop_stall_timer()
        self._http.connection_lost(exc)

    def note_state(self) -> None:
        """Starts the time for a header when a request is waited for, and stops it when one is there."""
        if not self._http.is_waiting:
            self._stop_header_timer()
            self._connections.works(self)
        elif self._header_timer is None:
            self._connections.waits(self)
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
        self._connections.lost(self)
        if self._transport is not None:
            self._transport.abort()


def _health_only(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == HEALTH:
            await app(scope, receive, send)
            return
        error = UnavailableError(
            "Too many requests are under way; try again in a few seconds.",
            code="overloaded",
            headers={"Retry-After": "5", "Connection": "close"},
        )
        await respond(error, None)(scope, receive, send)

    return answer
