"""Responses to one POST, as values: facts about the wire only. Module `outcome` decides what they mean."""

from dataclasses import dataclass
from enum import StrEnum

MAX_RESPONSE_BYTES = 4096
"""Limit of a webhook's response body. Clay's longest known message has 60 characters, and a body can be a decompression bomb."""


class NotConnectedKind(StrEnum):
    """Why there was no connection. In every case no byte of the request reached Clay."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    CERTIFICATE = "certificate"
    """The server's certificate is for another name, has expired, or comes from an untrusted authority."""
    CONNECT_TIMEOUT = "connect_timeout"
    CLOSED = "closed"
    """The server closed several connections in a row before the first byte was written."""
    BUSY = "busy"
    """A local limit, not Clay's fault: no free connection, file descriptor or local port."""


class NoResponseKind(StrEnum):
    """Why a request that may have reached Clay has no response."""

    TIMEOUT = "timeout"
    LOST = "lost"
    GARBLED = "garbled"
    """The bytes that arrived do not begin with an HTTP status line."""


@dataclass(slots=True)
class Responded:
    """A status arrived; headers and body may be incomplete (limit, deadline, lost connection)."""

    status: int
    retry_after: str | None = None
    body: bytes = b""
    """At most the bytes of the reader's limit, never decompressed."""
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class NotConnected:
    """No byte of the request reached Clay: a retry is safe."""

    kind: NotConnectedKind
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class NoResponse:
    """The request may have reached Clay: never send it again without an explicit request."""

    kind: NoResponseKind
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Blocked:
    """The guard refused the URL or token; nothing was sent. `reason` is one of the guard's stable codes."""

    reason: str
    duration_ms: int = 0


Response = Responded | NotConnected | NoResponse | Blocked
