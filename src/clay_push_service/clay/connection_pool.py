"""Pool of connections to webhooks: connects to vetted addresses only and reuses only connections that the server still keeps open."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections import deque
from collections.abc import Mapping

import aiohappyeyeballs
import aiohttp
from aiohttp.abc import AbstractResolver

from clay_push_service.clay.connection import Connection
from clay_push_service.clay.keep_alive import IDLE_SECONDS, KeepAliveLimits, Origin
from clay_push_service.clay.resolver import CachingResolver, UnknownNameError
from clay_push_service.clay.response import NotConnectedKind
from clay_push_service.destinations.guard import CheckedUrl, Policy

MAX_CONNECTIONS = 512
"""Limit of one process: half of the usual 1,024 open files. The deadline of a request starts when it has its connection."""
HAPPY_EYEBALLS_SECONDS = 0.25
"""Delay before the next address is tried in parallel with the first (RFC 8305)."""
LOCAL_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""This machine lacks a resource; Clay is not the cause."""
CLOSING_SECONDS = 1.0
"""Time limit for connections to close at shutdown."""

_KINDS: Mapping[NotConnectedKind, tuple[type[Exception], ...]] = {
    NotConnectedKind.CERTIFICATE: (ssl.SSLCertVerificationError,),  # before TLS: it is a subclass
    NotConnectedKind.TLS: (ssl.SSLError,),
    NotConnectedKind.DNS: (UnknownNameError, UnicodeError),
    NotConnectedKind.REFUSED: (ConnectionRefusedError,),
    NotConnectedKind.CONNECT_TIMEOUT: (TimeoutError,),
}


class NotConnectedError(Exception):
    """No connection could be made; no byte of the request was sent."""

    def __init__(self, kind: NotConnectedKind) -> None:
        super().__init__(kind.value)
        self.kind = kind


class ConnectionPool:
    """The pool of one process. `acquire` a connection for each request and `release` it afterwards."""

    def __init__(
        self, policy: Policy, resolver: AbstractResolver | None, tls: ssl.SSLContext, connect_timeout_seconds: float
    ) -> None:
        self.keep_alive_limits = KeepAliveLimits()
        self._policy = policy
        self._resolver = resolver
        self._tls = tls
        self._connect_timeout_seconds = connect_timeout_seconds
        self._caching_resolver: CachingResolver | None = None
        self._permits = asyncio.Semaphore(MAX_CONNECTIONS)
        self._open: set[Connection] = set()
        self._idle: dict[Origin, deque[Connection]] = {}
        self._idle_timer: asyncio.TimerHandle | None = None
        self._all_closed: asyncio.Event | None = None

    async def acquire(self, url: CheckedUrl, seconds: float) -> Connection:
        """Return a connection with a deadline `seconds` from then: waiting for a free connection does not shorten it.

        Raises NotConnectedError, and BlockedError for an address that the guard refuses.
        """
        if self._permits.locked():
            try:
                async with asyncio.timeout(seconds):
                    await self._permits.acquire()
            except TimeoutError:
                raise NotConnectedError(NotConnectedKind.BUSY) from None
        else:
            await self._permits.acquire()
        try:
            origin = url.url.scheme, url.host, url.port
            deadline = asyncio.get_running_loop().time() + seconds
            connection = self._newest_idle(origin) or await self._connect(
                origin, min(seconds, self._connect_timeout_seconds)
            )
        except BaseException:
            self._permits.release()
            raise
        connection.deadline = deadline
        return connection

    def release(self, connection: Connection, *, reusable: bool) -> None:
        """Return a connection to the pool, or close it unless it is `reusable`."""
        self._permits.release()
        if not reusable or connection.is_lost:
            connection.abort()
            return
        connection.become_idle()
        self._idle.setdefault(connection.origin, deque()).append(connection)
        if self._idle_timer is None:
            self._idle_timer = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._close_idle)

    def clear_resolver_cache(self) -> None:
        """Drop resolved addresses; the next request of each host resolves its name again."""
        if self._caching_resolver is not None:
            self._caching_resolver.clear()

    async def close(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._open:
            self._all_closed = asyncio.Event()
            for connection in list(self._open):
                connection.abort()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_SECONDS):
                    await self._all_closed.wait()
        if self._caching_resolver is not None:
            await self._caching_resolver.close()

    def _newest_idle(self, origin: Origin) -> Connection | None:
        """Return the most recently used idle connection that is certainly open; closes the others that it finds."""
        idle = self._idle.get(origin)
        if not idle:
            return None
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            age = now - (connection.idle_since or now)
            connection.idle_since, connection.was_idle_seconds = None, age
            if connection.is_closing():
                self.keep_alive_limits.record(origin, age)
            elif age <= self.keep_alive_limits.reusable_seconds(origin):
                return connection
            connection.abort()
        return None

    def _close_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        for origin, idle in list(self._idle.items()):
            while idle and now - (idle[0].idle_since or now) >= IDLE_SECONDS:
                idle.popleft().abort()
            if not idle:
                del self._idle[origin]
        self._idle_timer = (
            asyncio.get_running_loop().call_later(IDLE_SECONDS / 2, self._close_idle) if self._idle else None
        )

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if self._all_closed is not None and not self._open:
            self._all_closed.set()
        if connection.idle_since is not None and connection in self._idle.get(connection.origin, ()):
            self._idle[connection.origin].remove(connection)
            self.keep_alive_limits.record(connection.origin, asyncio.get_running_loop().time() - connection.idle_since)

    async def _connect(self, origin: Origin, seconds: float) -> Connection:
        if len(self._open) >= MAX_CONNECTIONS:
            for idle in self._idle.values():  # idle connections to other origins use open files, too
                if idle:
                    idle.popleft().abort()
                    break
        try:
            async with asyncio.timeout(seconds):  # covers DNS, TCP and TLS, over all addresses
                return await self._dial(origin)
        except TimeoutError:
            raise NotConnectedError(NotConnectedKind.CONNECT_TIMEOUT) from None
        except (OSError, UnicodeError) as error:
            raise NotConnectedError(_kind_of(error)) from error

    async def _dial(self, origin: Origin) -> Connection:
        scheme, host, port = origin
        if self._caching_resolver is None:
            self._caching_resolver = CachingResolver(self._policy, self._resolver or aiohttp.ThreadedResolver())
        addresses = await self._caching_resolver.addresses(host, port)
        loop = asyncio.get_running_loop()
        found = await aiohappyeyeballs.start_connection(
            [
                (_family(each["host"]), socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (each["host"], each["port"]))
                for each in addresses
            ],
            happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS,
            interleave=1,
            loop=loop,
        )
        connection = Connection(origin, self._lost)
        try:
            await loop.create_connection(
                lambda: connection,
                sock=found,
                ssl=self._tls if scheme == "https" else None,
                server_hostname=host if scheme == "https" else None,
            )
        except BaseException:
            found.close()
            raise
        self._open.add(connection)
        if connection.is_lost:
            self._open.discard(connection)
        return connection


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _kind_of(error: OSError | UnicodeError) -> NotConnectedKind:
    """Classify a connection error; every one of them happens before the first byte of a request."""
    for kind, types in _KINDS.items():
        if isinstance(error, types):
            return kind
    if isinstance(error, OSError) and error.errno in LOCAL_ERRORS:
        return NotConnectedKind.BUSY
    return NotConnectedKind.UNREACHABLE
