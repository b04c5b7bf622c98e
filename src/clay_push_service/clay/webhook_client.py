"""HTTP client for Clay webhooks: POSTs one body to one URL and returns the response as a value. No redirects, no retries."""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp.abc import AbstractResolver

from clay_push_service import __version__
from clay_push_service.clay.connection import REST_SECONDS, Connection
from clay_push_service.clay.connection_pool import ConnectionPool, NotConnectedError
from clay_push_service.clay.response import (
    MAX_RESPONSE_BYTES,
    Blocked,
    NoResponse,
    NoResponseKind,
    NotConnected,
    NotConnectedKind,
    Responded,
    Response,
)
from clay_push_service.clay.response_reader import ResponseReader
from clay_push_service.clay.tls import tls_context
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy
from clay_push_service.settings import Settings

TOKEN_HEADER = "x-clay-webhook-auth"  # noqa: S105 - a header's name
USER_AGENT = f"clay-push-service/{__version__}"
HEADERS = (
    b"content-type: application/json\r\naccept: */*\r\naccept-encoding: identity\r\nuser-agent: %b\r\n"
    % USER_AGENT.encode()
)
MAX_STALE = 3
"""How many connections found closed before the first byte are replaced; after that the response is `not connected`."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much of a response is read."""

    max_body_bytes: int
    rest_seconds: float
    """Time limit for the part after the status; the deadline of the request also applies."""


WEBHOOK_LIMITS = ReadLimits(MAX_RESPONSE_BYTES, REST_SECONDS)


class SendGate(Protocol):
    """Decides when a POST may be sent, once it has a connection."""

    async def wait(self) -> bool:
        """Return True when the POST may be sent; False if it must not be sent now (the connection is released)."""

    def opens(self) -> bool:
        """Return, right before the first byte, whether the POST may still be sent. If False, `wait` is called again."""


@dataclass(frozen=True, slots=True)
class Target:
    url: CheckedUrl
    token: str | None = None

    def __repr__(self) -> str:
        return f"Target({self.url!r})"  # the token is a secret


@dataclass(slots=True)
class Attempt:
    """Progress of one POST; decides its outcome when it is cancelled.

    Before the first byte the response is `not connected`. A status that was read is the response.
    """

    response: Response = field(default_factory=lambda: NotConnected(NotConnectedKind.BUSY))


class ClayClient:
    """The client of one process. Create it once and close it at the end."""

    def __init__(
        self,
        policy: Policy,
        *,
        request_timeout_seconds: float,
        connect_timeout_seconds: float,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.policy = policy
        self._request_timeout_seconds = request_timeout_seconds
        self.connections = ConnectionPool(policy, resolver, tls or tls_context(), connect_timeout_seconds)

    @classmethod
    def create(
        cls, settings: Settings, resolver: AbstractResolver | None = None, tls: ssl.SSLContext | None = None
    ) -> "ClayClient":
        """Build the client of a process. `resolver` and `tls` are for tests; addresses from the resolver are vetted."""
        return cls(
            Policy.of(settings),
            request_timeout_seconds=settings.request_timeout_seconds,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            resolver=resolver,
            tls=tls or tls_context(settings.ca_file),
        )

    async def close(self) -> None:
        await self.connections.close()

    async def post(
        self, target: Target, body: bytes, gate: SendGate | None = None, attempt: Attempt | None = None
    ) -> Response:
        """Send once. Raises only CancelledError and programming errors: every network event is a Response.

        `gate`: checked once there is a connection; if it does not admit the POST, the response is `not connected`, `busy`.
        Waiting for the gate counts neither toward the deadline nor toward the duration; both measure Clay.
        `attempt`: for callers that may be cancelled; its `response` is correct after this returns or raises.
        """
        attempt = attempt or Attempt()
        token = target.token
        if token is not None and not (token.isascii() and token.isprintable()):
            attempt.response = Blocked("token_characters")
            return attempt.response
        return await self.send(target.url, _request(target, body), gate, attempt)

    async def send(
        self,
        url: CheckedUrl,
        request: bytes,
        gate: SendGate | None = None,
        attempt: Attempt | None = None,
        limits: ReadLimits = WEBHOOK_LIMITS,
    ) -> Response:
        """Send a whole HTTP request once, as `post` does. `limits`: how much of the response is read."""
        attempt = attempt or Attempt()
        attempt.response = await self._send(url, request, gate, attempt, limits)
        return attempt.response

    async def _send(
        self, url: CheckedUrl, request: bytes, gate: SendGate | None, attempt: Attempt, limits: ReadLimits
    ) -> Response:
        started = asyncio.get_running_loop().time()
        for _ in range(MAX_STALE):
            try:
                connection = await self.connections.acquire(url, self._request_timeout_seconds)
            except BlockedError as error:
                return Blocked(error.reason, _milliseconds_since(started))
            except NotConnectedError as error:
                return NotConnected(error.kind, _milliseconds_since(started))
            reader, admitted = None, True
            try:
                if gate is not None:
                    began = asyncio.get_running_loop().time()
                    admitted = await gate.wait()
                    waited_seconds = asyncio.get_running_loop().time() - began
                    started += waited_seconds
                    connection.add_wait(waited_seconds)
                # Check the socket first: a gate that opens has used up its slot.
                if admitted and not connection.is_closing() and (gate is None or gate.opens()):
                    reader = ResponseReader(limits.max_body_bytes)
                    await connection.exchange(request, reader, limits.rest_seconds)
            finally:
                if reader is not None:  # also after a cancellation or an error
                    attempt.response = self._response(connection, reader, _milliseconds_since(started))
                self.connections.release(connection, reusable=reader is not None and reader.reusable)
            if not admitted:
                return NotConnected(NotConnectedKind.BUSY, _milliseconds_since(started))
            if reader is not None:
                return attempt.response
        return NotConnected(NotConnectedKind.CLOSED, _milliseconds_since(started))

    def _response(self, connection: Connection, reader: ResponseReader, duration_ms: int) -> Response:
        if reader.status is not None:
            if reader.keep_alive is not None:
                self.connections.keep_alive_limits.record_header(connection.origin, reader.keep_alive)
            return Responded(reader.status, reader.retry_after, reader.body, duration_ms)
        if reader.garbled:
            return NoResponse(NoResponseKind.GARBLED, duration_ms)
        if not connection.was_lost:
            return NoResponse(NoResponseKind.TIMEOUT, duration_ms)
        if connection.was_idle_seconds is not None:
            self.connections.keep_alive_limits.record(connection.origin, connection.was_idle_seconds)
        return NoResponse(NoResponseKind.LOST, duration_ms)


def _request(target: Target, body: bytes) -> bytes:
    """Build the whole request, which is written at once. `CheckedUrl` contains no character that could end a line."""
    url = target.url.url
    token = b"" if not target.token else f"{TOKEN_HEADER}: {target.token}\r\n".encode("ascii")
    return b"POST %b HTTP/1.1\r\nhost: %b\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
        url.raw_path, url.netloc, HEADERS, token, len(body), body,
    )  # fmt: skip


def _milliseconds_since(started: float) -> int:
    return round((asyncio.get_running_loop().time() - started) * 1000)
