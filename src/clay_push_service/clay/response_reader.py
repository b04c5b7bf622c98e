"""Reads one HTTP/1 response from bytes as they arrive, however they are cut into packets. Pure: no I/O, no clock.

The status is what decides a delivery's outcome, so it is read first and on its own: once it is known, nothing that follows
(size, number or form of headers, framing, body) changes it. What follows is read leniently, for three things: the wait that
a 429 asks for, the first bytes of the body, and whether the connection may carry another request. General HTTP parsers
refuse a whole response for one bad header, and a refused response after a sent request would be an unknown outcome.
"""

import re
from enum import Enum, auto

from clay_push_service.clay.response import MAX_RESPONSE_BYTES

MAX_HEAD_BYTES = 1_000_000
"""Of one response's head. A larger one is not read further; its status counts all the same."""
MAX_LINE_BYTES = 16_384
"""Of one header line. The rest of a longer line is skipped."""
MAX_CHUNK_LINE_BYTES = 1024
"""Of the line that holds a chunk's size, with its extensions."""
LONGEST_STATUS = 32
"""Bytes up to the end of the three digits, with spare blanks between."""
NO_CONTENT = frozenset({101, 204, 304})
"""These have no body, whatever their headers say (RFC 9112, section 6.3). 101 is no more HTTP."""
FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection"})

_STATUS = re.compile(rb"HTTP/[0-9](?:\.[0-9])?[ \t]+([0-9]{3})(?=[ \t\r\n])", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?", re.DOTALL)


class _State(Enum):
    STATUS = auto()
    REASON = auto()
    """The rest of the status line."""
    HEADERS = auto()
    LENGTH = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    TO_CLOSE = auto()
    """The body ends with the connection."""
    DONE = auto()


class ResponseReader:
    """`feed` it what arrives and call `end` when the connection closes.

    status: of the final response; None while it is not known. Interim responses (1xx except 101) are skipped.
    retry_after, keep_alive: the values of these headers, as far as they were read.
    body: its first MAX_RESPONSE_BYTES, without chunk framing, never decompressed.
    done: nothing more is needed. garbled: what arrived is not HTTP, so that no status will come.
    reusable: once done, whether the connection may carry another request.
    """

    __slots__ = (
        "_buffer", "_closes", "_head_bytes", "_interim", "_is_chunked", "_left", "_length", "_odd", "_skips_line",
        "_state", "_stays_open", "body", "garbled", "keep_alive", "retry_after", "reusable", "status",
    )  # fmt: skip

    def __init__(self) -> None:
        self.status: int | None = None
        self.body = b""
        self.garbled = False
        self.reusable = False
        self._buffer = b""
        self._state = _State.STATUS
        self._left = 0
        self._head_bytes = 0
        self._begin_head()

    def _begin_head(self) -> None:
        self.retry_after: str | None = None
        self.keep_alive: str | None = None
        self._interim = False
        self._odd = False
        self._skips_line = False
        self._length: int | None = None
        self._is_chunked = False
        self._closes = False
        self._stays_open = True

    @property
    def done(self) -> bool:
        return self._state is _State.DONE

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while self._step():
            pass

    def end(self) -> None:
        """The connection has closed."""
        self.reusable = False
        if self.status is not None:
            self._state = _State.DONE

    def _step(self) -> bool:
        """Consume what the state can; False when it needs more bytes, or none any more."""
        match self._state:
            case _State.HEADERS:
                return self._read_header()
            case _State.LENGTH | _State.CHUNK | _State.TO_CLOSE:
                return self._read_body()
            case _State.STATUS:
                return self._read_status()
            case _State.REASON | _State.TRAILERS:
                return self._skip_line()
            case _State.CHUNK_SIZE | _State.CHUNK_END:
                return self._read_chunk_line()
            case _State.DONE:
                self.reusable = self.reusable and not self._buffer  # bytes that belong to no request
                self._buffer = b""
                return False

    def _finish(self, *, reusable: bool) -> bool:
        self._state = _State.DONE
        self.reusable = reusable and not self._odd and not self._closes and self._stays_open
        return True

    def _read_status(self) -> bool:
        if self._buffer[:1] in {b"\r", b"\n"}:  # empty lines before a status line are tolerated (RFC 9112, section 2.2)
            before = len(self._buffer)
            self._buffer = self._buffer.lstrip(b"\r\n")
            self._head_bytes += before - len(self._buffer)
        found = _STATUS.match(self._buffer)
        if found is None:
            begins = self._buffer[:5].upper()
            hopeless = not b"HTTP/".startswith(begins) and begins != b"HTTP/"
            # A line that has ended, or is longer than a status needs, will not become one.
            hopeless = hopeless or b"\n" in self._buffer or len(self._buffer) > LONGEST_STATUS
            if hopeless or self._head_bytes > MAX_HEAD_BYTES:
                self.garbled = True
                self._buffer = b""
                self._state = _State.DONE
            return False
        status = int(found[1])
        self._begin_head()
        self._interim = 100 <= status < 200 and status != 101  # noqa: PLR2004 - RFC 9110's interim responses
        if not self._interim:
            self.status = status
            self._head_bytes = 0
        self._stays_open = not found[0].startswith(b"HTTP/1.0")
        self._buffer = self._buffer[found.end() :]
        self._state = _State.REASON
        return True

    def _line(self) -> bytes | None:
        """The next line of a head; None while it is incomplete, or when the head is too large to go on."""
        line = self._cut_line()
        if self._head_bytes <= MAX_HEAD_BYTES:
            return line
        self.garbled = self.status is None  # interim responses without end: no status was read
        self._state = _State.DONE
        self._buffer = b""
        return None

    def _cut_line(self) -> bytes | None:
        """The next line without its end, at most MAX_LINE_BYTES of it."""
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                self._head_bytes += len(self._buffer) - MAX_LINE_BYTES
                self._buffer = self._buffer[:MAX_LINE_BYTES]
                self._skips_line = True
            return None
        line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
        self._head_bytes += end + 1
        if self._skips_line or end > MAX_LINE_BYTES:
            self._skips_line = False
            line = line[:MAX_LINE_BYTES]
            self._odd = self._odd or line.partition(b":")[0].strip().lower() in FRAMING
        return line[:-1] if line[-1:] == b"\r" else line

    def _skip_line(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if self._state is _State.REASON:
            self._state = _State.HEADERS
        elif not line:
            return self._finish(reusable=True)
        return True

    def _read_header(self) -> bool:
        line = self._line()
        if line is None:
            return False
        if not line:
            return self._end_head()
        name, colon, value = line.partition(b":")
        key = name.strip().lower()
        if not colon or key != name.lower():
            self._odd = True  # no header, a continued one, or one with a blank before the colon
        value = value.strip()
        match key:
            case b"content-length":
                length = int(value) if _LENGTH.fullmatch(value) else None
                self._odd = self._odd or length is None or self._length not in {None, length}
                self._length = length
            case b"transfer-encoding":
                self._odd = self._odd or self._is_chunked or value.lower() != b"chunked"
                self._is_chunked = True
            case b"connection":
                tokens = {token.strip() for token in value.lower().split(b",")}
                self._closes = self._closes or b"close" in tokens
                self._stays_open = self._stays_open or b"keep-alive" in tokens
            case b"retry-after":
                self.retry_after = self.retry_after or value.decode(errors="replace") or None
            case b"keep-alive":
                self.keep_alive = value.decode("latin-1")
            case _:
                pass
        return True

    def _end_head(self) -> bool:
        if self._interim:
            self._state = _State.STATUS
            return True
        if self.status in NO_CONTENT:
            return self._finish(reusable=self.status != 101)  # noqa: PLR2004 - another protocol follows
        if self._is_chunked:
            self._odd = self._odd or self._length is not None  # a length beside it: two readings of one body
            self._state = _State.CHUNK_SIZE
        elif self._length is not None:
            self._left = self._length
            self._state = _State.LENGTH
        else:
            self._closes = True
            self._state = _State.TO_CLOSE
        return self._state is not _State.LENGTH or self._left > 0 or self._finish(reusable=True)

    def _read_body(self) -> bool:
        if not self._buffer:
            return False
        ends = self._state is not _State.TO_CLOSE
        part = self._buffer[: self._left] if ends else self._buffer
        self._buffer = self._buffer[len(part) :]
        self._left -= len(part)
        self.body += part[: MAX_RESPONSE_BYTES - len(self.body)]
        if self._state is _State.LENGTH and self._left == 0:
            return self._finish(reusable=True)
        if len(self.body) >= MAX_RESPONSE_BYTES:
            return self._finish(reusable=False)
        if self._state is _State.CHUNK and self._left == 0:
            self._state = _State.CHUNK_END
        return True

    def _read_chunk_line(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0 and len(self._buffer) <= MAX_CHUNK_LINE_BYTES:
            return False
        if not 0 <= end <= MAX_CHUNK_LINE_BYTES:
            return self._finish(reusable=False)  # the framing is broken; what was read of the body stays
        line, self._buffer = self._buffer[:end].strip(b" \t\r"), self._buffer[end + 1 :]
        if self._state is _State.CHUNK_END:
            self._state = _State.CHUNK_SIZE
            return not line or self._finish(reusable=False)
        found = _CHUNK.fullmatch(line)
        if found is None:
            return self._finish(reusable=False)
        self._left = int(found[1], 16)
        self._head_bytes = 0  # of the trailers
        self._state = _State.CHUNK if self._left else _State.TRAILERS
        return True
