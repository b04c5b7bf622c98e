"""Incremental HTTP/1 response parser: reads one response from bytes as they arrive, in packets of any size. Pure: no I/O, no clock.

The status decides the outcome of a delivery, so the parser reads it first and on its own: nothing that follows (size, number
or form of headers, framing, body) changes a status that was read. The parser reads the rest leniently and for three things: the
Retry-After of a 429, the first bytes of the body, and whether the connection may carry another request. General HTTP parsers
reject a whole response for one bad header; after a sent request that would turn a known outcome into an unknown one.
"""

import re
from enum import Enum, auto

from clay_push_service.clay.response import MAX_RESPONSE_BYTES
from clay_push_service.clay.response_head import ResponseHead

MAX_HEAD_BYTES = 1_000_000
"""Limit of one response head. The parser stops reading a larger head; its status still counts."""
MAX_LINE_BYTES = 16_384
"""Limit of one header line. The rest of a longer line is skipped."""
MAX_CHUNK_LINE_BYTES = 1024
"""Limit of the line that holds a chunk size and its extensions."""
MAX_STATUS_BYTES = 32
"""Bytes up to the end of the three digits, including extra blanks."""
NO_CONTENT = frozenset({101, 204, 304})
"""Statuses without a body, regardless of their headers (RFC 9112, section 6.3). After 101 another protocol follows."""

_STATUS = re.compile(rb"HTTP/[0-9](?:\.[0-9])?[ \t]+([0-9]{3})(?=[ \t\r\n])", re.IGNORECASE)
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
    """Call `feed` with the bytes that arrive and `end` when the connection closes.

    status: of the final response; None until it is read. Interim responses (1xx except 101) are skipped.
    retry_after, keep_alive: values of these headers, as far as they were read.
    body: the first `max_body_bytes`, without chunk framing, never decompressed.
    done: no more bytes are needed. garbled: the bytes are not HTTP, so no status follows.
    reusable: once done, whether the connection may carry another request.
    """

    __slots__ = (
        "_buffer", "_head", "_head_bytes", "_interim", "_left", "_max_body_bytes", "_skips_line", "_state",
        "body", "garbled", "reusable", "status",
    )  # fmt: skip

    def __init__(self, max_body_bytes: int = MAX_RESPONSE_BYTES) -> None:
        self._max_body_bytes = max_body_bytes
        self.status: int | None = None
        self.body = b""
        self.garbled = False
        self.reusable = False
        self._buffer = b""
        self._state = _State.STATUS
        self._left = 0
        self._head_bytes = 0
        self._head = ResponseHead()
        self._interim = False
        self._skips_line = False

    @property
    def retry_after(self) -> str | None:
        return self._head.retry_after

    @property
    def keep_alive(self) -> str | None:
        return self._head.keep_alive

    @property
    def done(self) -> bool:
        return self._state is _State.DONE

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while self._step():
            pass

    def end(self) -> None:
        """Note that the connection has closed."""
        self.reusable = False
        if self.status is not None:
            self._state = _State.DONE

    def _step(self) -> bool:
        """Consume the bytes of the current state; returns False when it needs more bytes, or is done."""
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
        self.reusable = reusable and not self._head.is_ambiguous and self._head.stays_open
        return True

    def _read_status(self) -> bool:
        if self._buffer[:1] in {b"\r", b"\n"}:  # empty lines before a status line are tolerated (RFC 9112, section 2.2)
            before = len(self._buffer)
            self._buffer = self._buffer.lstrip(b"\r\n")
            self._head_bytes += before - len(self._buffer)
        found = _STATUS.match(self._buffer)
        if found is None:
            begins = self._buffer[:5].upper()
            impossible = not b"HTTP/".startswith(begins) and begins != b"HTTP/"
            # A complete line, or one longer than a status line needs, cannot become a status line.
            impossible = impossible or b"\n" in self._buffer or len(self._buffer) > MAX_STATUS_BYTES
            if impossible or self._head_bytes > MAX_HEAD_BYTES:
                self.garbled = True
                self._buffer = b""
                self._state = _State.DONE
            return False
        status = int(found[1])
        self._head = ResponseHead(keeps_alive=not found[0].startswith(b"HTTP/1.0"))
        self._skips_line = False
        self._interim = 100 <= status < 200 and status != 101  # noqa: PLR2004 - RFC 9110's interim responses
        if not self._interim:
            self.status = status
            self._head_bytes = 0
        self._buffer = self._buffer[found.end() :]
        self._state = _State.REASON
        return True

    def _line(self) -> bytes | None:
        """Return the next line of a head; None while it is incomplete, or when the head is too large."""
        line = self._cut_line()
        if self._head_bytes <= MAX_HEAD_BYTES:
            return line
        self.garbled = self.status is None  # endless interim responses: no status was read
        self._state = _State.DONE
        self._buffer = b""
        return None

    def _cut_line(self) -> bytes | None:
        """Return the next line without its line end, at most MAX_LINE_BYTES of it."""
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
            self._head.note_truncated_line(line)
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
        self._head.add_line(line)
        return True

    def _end_head(self) -> bool:
        if self._interim:
            self._state = _State.STATUS
            return True
        if self.status in NO_CONTENT:
            return self._finish(reusable=self.status != 101)  # noqa: PLR2004 - another protocol follows
        self._head.end()
        if self._head.is_chunked:
            self._state = _State.CHUNK_SIZE
        elif self._head.content_length is not None:
            self._left = self._head.content_length
            self._state = _State.LENGTH
        else:
            self._state = _State.TO_CLOSE
        return self._state is not _State.LENGTH or self._left > 0 or self._finish(reusable=True)

    def _read_body(self) -> bool:
        if not self._buffer:
            return False
        ends = self._state is not _State.TO_CLOSE
        part = self._buffer[: self._left] if ends else self._buffer
        self._buffer = self._buffer[len(part) :]
        self._left -= len(part)
        self.body += part[: self._max_body_bytes - len(self.body)]
        if self._state is _State.LENGTH and self._left == 0:
            return self._finish(reusable=True)
        if len(self.body) >= self._max_body_bytes:
            return self._finish(reusable=False)
        if self._state is _State.CHUNK and self._left == 0:
            self._state = _State.CHUNK_END
        return True

    def _read_chunk_line(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0 and len(self._buffer) <= MAX_CHUNK_LINE_BYTES:
            return False
        if not 0 <= end <= MAX_CHUNK_LINE_BYTES:
            return self._finish(reusable=False)  # the framing is broken; the body read so far stays
        line, self._buffer = self._buffer[:end].strip(b" \t\r"), self._buffer[end + 1 :]
        if self._state is _State.CHUNK_END:
            self._state = _State.CHUNK_SIZE
            return not line or self._finish(reusable=False)
        found = _CHUNK.fullmatch(line)
        if found is None:
            return self._finish(reusable=False)
        self._left = int(found[1], 16)
        self._head_bytes = 0  # now counts the trailers
        self._state = _State.CHUNK if self._left else _State.TRAILERS
        return True
