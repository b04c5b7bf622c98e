"""Header fields of one HTTP/1 response head: the values that this service uses and the body framing they declare. Pure: no I/O, no clock."""

import re

FRAMING_FIELDS = frozenset({b"content-length", b"transfer-encoding", b"connection"})

_LENGTH = re.compile(rb"[0-9]{1,18}")


class ResponseHead:
    """Header fields read so far; `add_line` adds one.

    stays_open: whether the server keeps the connection open after the response, unless `is_ambiguous`.
    is_ambiguous: the framing has more than one reading, so the connection must not carry another request.
    """

    __slots__ = ("_closes", "_keeps_alive", "content_length", "is_ambiguous", "is_chunked", "keep_alive", "retry_after")

    def __init__(self, *, keeps_alive: bool = True) -> None:
        """`keeps_alive`: the default of the HTTP version (true since HTTP/1.1)."""
        self.retry_after: str | None = None
        self.keep_alive: str | None = None
        self.content_length: int | None = None
        self.is_chunked = False
        self.is_ambiguous = False
        self._closes = False
        self._keeps_alive = keeps_alive

    @property
    def stays_open(self) -> bool:
        return self._keeps_alive and not self._closes

    def add_line(self, line: bytes) -> None:
        """Read one header line without its line end."""
        name, colon, value = line.partition(b":")
        key = name.strip().lower()
        if not colon or key != name.lower():
            self.is_ambiguous = True  # no header, a continued one, or one with a blank before the colon
        value = value.strip()
        match key:
            case b"content-length":
                length = int(value) if _LENGTH.fullmatch(value) else None
                self.is_ambiguous = self.is_ambiguous or length is None or self.content_length not in {None, length}
                self.content_length = length
            case b"transfer-encoding":
                self.is_ambiguous = self.is_ambiguous or self.is_chunked or value.lower() != b"chunked"
                self.is_chunked = True
            case b"connection":
                tokens = {token.strip() for token in value.lower().split(b",")}
                self._closes = self._closes or b"close" in tokens
                self._keeps_alive = self._keeps_alive or b"keep-alive" in tokens
            case b"retry-after":
                self.retry_after = self.retry_after or value.decode(errors="replace") or None
            case b"keep-alive":
                self.keep_alive = value.decode("latin-1")
            case _:
                pass

    def note_truncated_line(self, line: bytes) -> None:
        """Record that the rest of this line was dropped: a truncated framing field cannot be trusted."""
        self.is_ambiguous = self.is_ambiguous or line.partition(b":")[0].strip().lower() in FRAMING_FIELDS

    def end(self) -> None:
        """Resolve the framing at the end of the head: a length beside chunks has two readings; with neither the body ends with the connection."""
        if self.is_chunked:
            self.is_ambiguous = self.is_ambiguous or self.content_length is not None
        elif self.content_length is None:
            self._closes = True
