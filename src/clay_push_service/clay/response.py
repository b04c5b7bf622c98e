"""What came of one POST, as a value: pure facts about the wire, no judgement of what they mean (that is `outcome`)."""

from dataclasses import dataclass
from enum import StrEnum

MAX_RESPONSE_BYTES = 4096
"""Of Clay's answer we read no more: its longest known message has 60 characters, and a body can be a bomb."""


class NotConnectedKind(StrEnum):
    """Why there was no connection. In every case it is certain that nothing of the request reached Clay."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    CERTIFICATE = "certificate"
    """The server's certificate is for another name, has expired, or is signed by an authority that is not trusted here."""
    CONNECT_TIMEOUT = "connect_timeout"
    CLOSED = "closed"
    """Accepted and closed before the first byte was written, several times over."""
    BUSY = "busy"
    """OUR fault, not Clay's: no free connection, file descriptor or local port."""


class NoResponseKind(StrEnum):
    """Why a request that may have reached Clay has no answer."""

    TIMEOUT = "timeout"
    LOST = "lost"
    GARBLED = "garbled"
    """Something was answered that does not begin with an HTTP status line."""


@dataclass(slots=True)
class Responded:
    """A status came; headers and body may be cut short (limit, deadline, lost connection)."""

    status: int
    retry_after: str | None = None
    body: bytes = b""
    """At most MAX_RESPONSE_BYTES, never decompressed."""
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class NotConnected:
    """Certain that no byte of the request reached Clay: safe to try again."""

    kind: NotConnectedKind
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class NoResponse:
    """The request may have reached Clay: never send it again unasked."""

    kind: NoResponseKind
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Blocked:
    """Our own guard said no; nothing was sent. `reason` is one of the guard's stable codes."""

    reason: str
    duration_ms: int = 0


Response = Responded | NotConnected | NoResponse | Blocked
