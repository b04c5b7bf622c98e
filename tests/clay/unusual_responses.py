"""Unusual responses of a server, a proxy or an attacker, each with the status that the client must read."""

from itertools import chain

LONG = b"default-src 'self' " + b"https://cdn.example.com " * 374  # 9,000 bytes
REFUSED = b'{"message": "Record limit reached for webhook"}'
QUOTA = b"HTTP/1.1 403 Forbidden\r\ncontent-length: %d\r\n\r\n" % len(REFUSED) + REFUSED


def _with(*headers: bytes, status: bytes = b"200 OK", body: bytes = b"ok") -> bytes:
    return b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, b"".join(b"%b\r\n" % header for header in headers), body)


def _sane(*headers: bytes, status: bytes = b"200 OK") -> bytes:
    return _with(*headers, b"content-length: 2", status=status)


UNUSUAL: dict[str, tuple[int, bytes]] = {
    "a header of 9,000 bytes": (200, _sane(b"content-security-policy: " + LONG)),
    "the same with 401": (401, _sane(b"content-security-policy: " + LONG, status=b"401 Unauthorized")),
    "the same with 422": (422, _sane(b"content-security-policy: " + LONG, status=b"422 Unprocessable")),
    "the same with 500": (500, _sane(b"content-security-policy: " + LONG, status=b"500 Broken")),
    "a header of 70,000 bytes": (200, _sane(b"x: " + b"y" * 70_000)),
    "a header name of 20,000 bytes": (200, _sane(b"x" * 20_000 + b": y")),
    "300 headers": (200, _sane(*(b"x-%d: y" % number for number in range(300)))),
    "300 cookies": (200, _sane(*(b"set-cookie: a%d=b" % number for number in range(300)))),
    "a reason of 20,000 bytes": (200, _sane(status=b"200 " + b"O" * 20_000)),
    "no reason": (200, _sane(status=b"200 ")),
    "no reason and no blank": (200, _sane(status=b"200")),
    "a reason that is not ASCII": (404, _sane(status="404 Nicht gefunden: ü€".encode())),
    "a reason with control characters": (200, _sane(status=b"200 \x00\x01\x7f")),
    "two blanks in the status line": (200, b"HTTP/1.1  200  OK\r\ncontent-length: 2\r\n\r\nok"),
    "HTTP/1.0": (200, b"HTTP/1.0 200 OK\r\n\r\nok"),
    "HTTP/1.2": (200, b"HTTP/1.2 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    "bare line feeds": (200, b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok"),
    "empty lines before it": (200, b"\r\n\r\n" + _sane()),
    "a header without a colon": (200, _sane(b"this is no header")),
    "a header without a name": (200, _sane(b": value")),
    "a blank before the colon": (422, _sane(b"x-request : 1", status=b"422 No")),
    "a blank in the name": (200, _sane(b"x request: 1")),
    "a continued header": (200, _sane(b"x-long: a\r\n  b\r\n\tc")),
    "a NUL in a header": (200, _sane(b"x-nul: a\x00b")),
    "a bare carriage return in a header": (200, _sane(b"x-cr: a\rb")),
    "a header that is no UTF-8": (200, _sane(b"x-latin: \xff\xfe\xfc")),
    "a name that is no token": (200, _sane(b"x@[]{}\xc3\xbc: y")),
    "no headers": (200, b"HTTP/1.1 200 OK\r\n\r\n"),
    "no length": (200, _with()),
    "a negative length": (200, _with(b"content-length: -5")),
    "a length in words": (200, _with(b"content-length: two")),
    "a length of 40 digits": (200, _with(b"content-length: " + b"9" * 40)),
    "an empty length": (200, _with(b"content-length:")),
    "two lengths": (401, _with(b"content-length: 2", b"content-length: 3", status=b"401 No")),
    "a length that is too long": (200, _with(b"content-length: 1000")),
    "a length that is too short": (200, _with(b"content-length: 1")),
    "length and chunks": (200, _with(b"content-length: 2", b"transfer-encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n")),
    "chunks without their end": (200, _with(b"transfer-encoding: chunked", body=b"2\r\nok\r\n")),
    "chunks of no size": (200, _with(b"transfer-encoding: chunked", body=b"xyz\r\nok\r\n")),
    "chunks that overrun": (500, _with(b"transfer-encoding: chunked", body=b"2\r\nokokok", status=b"500 Oh")),
    "chunks of 20 digits": (200, _with(b"transfer-encoding: chunked", body=b"f" * 20 + b"\r\nok")),
    "an extension of 5,000 bytes": (200, _with(b"transfer-encoding: chunked", body=b"2;" + b"x" * 5000 + b"\r\nok")),
    "unusual trailers": (200, _with(b"transfer-encoding: chunked", body=b"2\r\nok\r\n0\r\nno trailer\r\n" + LONG)),
    "an unknown transfer coding": (200, _with(b"transfer-encoding: gzip, chunked", b"content-length: 2")),
    "an unknown content coding": (200, _sane(b"content-encoding: br, zstd, rot13")),
    "gzip that is none": (200, _sane(b"content-encoding: gzip")),
    "a body with 204": (204, _sane(status=b"204 No Content")),
    "a body with 304": (304, _sane(status=b"304 Not Modified")),
    "a page": (200, _with(b"content-type: text/html", body=b"<!doctype html><title>Clay</title>")),
    "an upgrade": (200, _sane(b"connection: upgrade", b"upgrade: h2c")),
    "a bad keep-alive": (200, _sane(b"keep-alive: timeout=soon, max=\xff", b"connection: keep-alive, close,,")),
    "a bad date and a bad cookie": (200, _sane(b"date: yesterday", b"set-cookie: ;;;=\x80")),
    "a redirect to nowhere": (302, _sane(b"location: http://[", status=b"302 Found")),
    "interim responses": (200, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\n" + _sane()),
    "interim responses with unusual headers": (404, b"HTTP/1.1 102 \r\nno header\r\nx: " + LONG + b"\r\n\r\n" + _sane(status=b"404 No")),
    "a limit behind a long header": (403, QUOTA.replace(b"\r\n\r\n", b"\r\nx: " + LONG + b"\r\n\r\n")),
    "a second response": (200, _sane() + b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"),
    "the head alone": (200, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"),
    "the status line alone": (422, b"HTTP/1.1 422 Unprocessable\r\n"),
    "a cut header": (401, b"HTTP/1.1 401 Unauthorized\r\nwww-authen"),
    "a cut reason": (500, b"HTTP/1.1 500 Inter"),
    "rubbish after the status line": (200, b"HTTP/1.1 200 OK\r\n" + bytes(chain(range(256), range(256)))),
    "another protocol after the status line": (404, b"HTTP/1.1 404 Not Found\r\n\x16\x03\x01\x02\x00"),
    "an unusual status": (299, _sane(status=b"299 Unusual")),
    "a status beyond all": (999, _sane(status=b"999 Denied")),
}  # fmt: skip
"""The status and the bytes of each response, by name."""

THROTTLED = {
    "before a long header": b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\nx: " + LONG + b"\r\n\r\n",
    "behind a long header": b"HTTP/1.1 429 Slow\r\nx: " + LONG + b"\r\nRetry-After: 7\r\ncontent-length: 0\r\n\r\n",
    "behind one without a colon": b"HTTP/1.1 429 Slow\r\nno header\r\nRETRY-AFTER:7\r\ncontent-length: -1\r\n\r\n",
    "behind 300 headers": b"HTTP/1.1 429 Slow\r\n" + b"x: y\r\n" * 300 + b"retry-after: 7  \r\n\r\n",
    "behind an interim response": b"HTTP/1.1 103 Hints\r\nretry-after: 99\r\n\r\nHTTP/1.1 429 Slow\r\nretry-after: 7\r\n\r\n",
}
"""Responses with `Retry-After: 7`."""
