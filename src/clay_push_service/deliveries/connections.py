"""Connections to webhooks: vetted, never reused past a server's patience, and certain about what was not sent.

Proof instead of exception classes: aiohttp and httpx raise the same types before and after the first byte, so each POST
carries a `Trip` that is told how far it came. All of it hangs on three hooks of aiohttp's connector and one of its
request; the tests hold them to their work.
"""

import asyncio
import errno
import re
import select
import ssl
import time
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from clay_push_service.deliveries.answer import NotConnectedKind
from clay_push_service.destinations.guard import BlockedError, Policy, VettingResolver, vet

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

MAX_CONNECTIONS = 512
"""In one process: half of the usual limit of 1,024 open files. Who waits for one has not started its deadline."""
IDLE_SECONDS = 0.8
"""Below 1 s, the smallest patience that servers are configured with; above the 200 ms between two paced POSTs."""
PATIENCE_REMEMBERED_SECONDS = 600.0
PATIENCE_REMEMBERED_HOSTS = 1000
DNS_SECONDS = 10
LOCAL_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""This machine is short of something; no word about Clay."""

_CLOSED = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
_KEEP_ALIVE = re.compile(r"\btimeout\s*=\s*([0-9]{1,6})", re.ASCII | re.IGNORECASE)

Place = tuple[str, int]
"""Host and port."""


class Phase(Enum):
    WAITING = auto()
    """For a free connection."""
    CONNECTING = auto()
    SENDING = auto()
    """From here on a byte may have left, unless `Trip.unsent` says otherwise."""


class NotConnectedError(Exception):
    def __init__(self, kind: NotConnectedKind) -> None:
        super().__init__(kind.value)
        self.kind = kind


class StaleError(Exception):
    """Wakes the reader of a connection on which nothing was written; the proof is `Trip.unsent`."""


class SendGate(Protocol):
    """Decides when a POST may be sent, once its connection is there."""

    async def wait(self) -> bool:
        """Return when it may be sent. False: not now, so the connection goes back."""

    def opens(self) -> bool:
        """Called right before the first byte. False: it may not be sent any more; `wait` is asked again."""


class GateClosedError(Exception):
    """The gate lets the POST not through; no byte was sent."""


@dataclass(slots=True)
class Trip:
    """How far one POST came."""

    place: Place
    deadline: asyncio.Timeout
    deadline_seconds: float
    started: float
    phase: Phase = Phase.WAITING
    idle_seconds: float | None = None
    """How long the reused connection had been idle; None for a new one."""
    unsent: bool = False
    """The server had closed, or the gate, before the first byte was written: certain, so another connection may be tried."""
    gate: SendGate | None = None
    held_seconds: float = 0.0
    """How long the connection waited for the gate; Clay had no part in it."""

    def connection_granted(self) -> None:
        """Waiting for a free connection is our affair: it does not shorten what Clay is given."""
        now = asyncio.get_running_loop().time()
        if now - self.started > 0.05:  # noqa: PLR2004 - rescheduling for every POST would cost more than it gives
            self.deadline.reschedule(now + self.deadline_seconds)


TRIP: ContextVar[Trip] = ContextVar("trip")


class GuardedRequest(aiohttp.ClientRequest):
    """Looks at the socket in the last moment before the first byte (aiohttp writes head and body at once, from here)."""

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        protocol = conn.protocol
        trip = TRIP.get()
        closed = protocol is not None and _closed_by_peer(protocol, reused=trip.idle_seconds is not None)
        if protocol is not None and (closed or (trip.gate is not None and not trip.gate.opens())):
            trip.unsent = True
            protocol.set_exception(StaleError())  # wakes the reader
            return
        await super().write_bytes(writer, conn, content_length)


def _closed_by_peer(protocol: ResponseHandler, *, reused: bool) -> bool:
    transport = protocol.transport
    if transport is None or transport.is_closing():
        return True
    # On a reused connection whatever can be read is unasked for: a farewell (408, close_notify) or its end. On a new one
    # it may be a TLS session ticket.
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), _CLOSED | (select.POLLIN if reused else 0))
    return bool(poll.poll(0))


class GuardedConnector(aiohttp.TCPConnector):
    """Dials vetted addresses only, within the connect timeout, and reuses no connection that may be closing."""

    def __init__(
        self, policy: Policy, resolver: "AbstractResolver", tls: ssl.SSLContext, connect_timeout_seconds: float
    ) -> None:
        super().__init__(
            resolver=VettingResolver(policy, resolver),
            ssl=tls,
            limit=MAX_CONNECTIONS,
            keepalive_timeout=IDLE_SECONDS,
            ttl_dns_cache=DNS_SECONDS,
        )
        self._policy = policy
        self._connect_timeout_seconds = connect_timeout_seconds
        self._patience: dict[Place, tuple[float, float]] = {}

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - its signature
    ) -> Connection:
        trip = TRIP.get()
        if (req.url.raw_host, req.port) != trip.place:
            # aiohttp parses the URL again, with another parser than the guard's.
            raise BlockedError("parser_mismatch", "This webhook's host can be read in two ways.")
        connection = await super().connect(req, traces, timeout)
        if trip.gate is not None:
            try:
                await self._pass(trip, trip.gate)
            except BaseException:
                connection.release()
                raise
        trip.phase = Phase.SENDING
        return connection

    async def _pass(self, trip: Trip, gate: SendGate) -> None:
        """Wait at the gate with the connection in hand: neither counts for the deadline, which is Clay's."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        trip.deadline.reschedule(None)
        passed = await gate.wait()
        trip.held_seconds += loop.time() - began
        if not passed:
            raise GateClosedError
        trip.deadline.reschedule(loop.time() + trip.deadline_seconds)

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        """The freshest idle connection that is certainly usable; aiohttp would take the oldest, and trust it."""
        idle = self._conns.get(key)
        if idle is None:
            return None
        trip, now = TRIP.get(), time.monotonic()
        patience = self._reuse_within(trip.place)
        while idle:
            protocol, since = idle.pop()
            age = now - since
            # `should_close`: bytes nobody asked for were taken in while it was idle; they would pass for our answer.
            if protocol.is_connected() and not protocol.should_close and not _closed_by_peer(protocol, reused=True):
                if age <= patience:
                    idle.appendleft((protocol, since))  # where the base class takes from
                    trip.idle_seconds = age
                    trip.connection_granted()
                    break
            else:
                self.learn_patience(trip.place, age)
            protocol.close()
        return await super()._get(key, traces)

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - its signature
    ) -> ResponseHandler:
        trip = TRIP.get()
        trip.phase, trip.idle_seconds = Phase.CONNECTING, None
        trip.connection_granted()
        host = trip.place[0]
        if ":" in host or host.replace(".", "").isdigit():  # a literal, of which no resolver is asked
            vet(host, self._policy)
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):  # DNS, TCP and TLS over all addresses
                return await super()._create_connection(req, traces, timeout)
        except TimeoutError:
            raise NotConnectedError(NotConnectedKind.CONNECT_TIMEOUT) from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            raise NotConnectedError(_kind_of(error)) from error

    def _reuse_within(self, place: Place) -> float:
        """Seconds. Half of the shortest patience seen, less a slow round trip: what is under way must still arrive."""
        seconds, until = self._patience.get(place, (2 * IDLE_SECONDS + 0.2, 0.0))
        if until and until < time.monotonic():
            del self._patience[place]
            return IDLE_SECONDS
        return min(seconds / 2 - 0.1, IDLE_SECONDS)

    def learn_patience(self, place: Place, seconds: float) -> None:
        """The server closes, or may close, after so many idle seconds."""
        if seconds / 2 - 0.1 >= IDLE_SECONDS:
            return
        known, until = self._patience.get(place, (seconds, 0.0))
        if until < time.monotonic() or seconds <= known:
            if len(self._patience) >= PATIENCE_REMEMBERED_HOSTS:
                self._patience.clear()
            self._patience[place] = (seconds, time.monotonic() + PATIENCE_REMEMBERED_SECONDS)

    def learn_keep_alive(self, place: Place, header: str) -> None:
        """What a `Keep-Alive: timeout=N` header promises."""
        if found := _KEEP_ALIVE.search(header):
            self.learn_patience(place, float(found[1]))


def _kind_of(error: BaseException) -> NotConnectedKind:
    """Name what kept us from connecting; all of it happened before the first byte."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, (aiohttp.ClientConnectorDNSError, UnicodeError)):
        return NotConnectedKind.DNS
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)) or isinstance(cause, ssl.SSLError):
        return NotConnectedKind.TLS
    if isinstance(cause, ConnectionRefusedError):
        return NotConnectedKind.REFUSED
    if isinstance(cause, (TimeoutError, asyncio.TimeoutError)):
        return NotConnectedKind.CONNECT_TIMEOUT
    if isinstance(cause, OSError) and cause.errno in LOCAL_ERRORS:
        return NotConnectedKind.BUSY
    return NotConnectedKind.UNREACHABLE
