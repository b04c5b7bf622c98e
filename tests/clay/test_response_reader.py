"""The reader of responses returns the same result for every division of the bytes into packets."""

import tracemalloc

import pytest

from clay_push_service.clay.response_reader import MAX_LINE_BYTES, ResponseReader
from tests.clay.unusual_responses import THROTTLED, UNUSUAL

Read = tuple[int | None, str | None, str | None, bytes, bool, bool, bool]


def read(*parts: bytes) -> Read:
    reader = ResponseReader()
    for part in parts:
        reader.feed(part)
    done = reader.done, reader.reusable
    reader.end()
    return reader.status, reader.retry_after, reader.keep_alive, reader.body, reader.garbled, *done


ANSWERS = {name: answer for name, (_, answer) in UNUSUAL.items()} | THROTTLED


@pytest.mark.parametrize("name", ANSWERS)
def test_the_result_is_independent_of_packet_boundaries(name: str) -> None:
    answer = ANSWERS[name]
    whole = read(answer)
    length = len(answer)
    for at in [*range(min(length, 400)), *range(max(length - 400, 0), length), MAX_LINE_BYTES, MAX_LINE_BYTES + 60]:
        assert read(answer[:at], answer[at:]) == whole, at
    if length < 12_000:
        assert read(*(answer[at : at + 1] for at in range(length))) == whole


@pytest.mark.parametrize(
    ("answer", "body", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length:2\r\nConnection: keep-alive\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1;x=y\r\n!\r\n0\r\n\r\n", b"ok!", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n", b"", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: " + b"y" * 20_000 + b"\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", b"ok", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!", b"ok", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", b"ok", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nokk", b"okk", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: 1\r\n 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\n\r\n", b"", False),
    ],
)
def test_the_body_and_the_reusability_of_the_connection_are_read(answer: bytes, body: bytes, reusable: bool) -> None:
    reader = ResponseReader()
    reader.feed(answer)
    assert (reader.done, reader.body, reader.reusable) == (True, body, reusable)


def test_bytes_after_the_end_make_the_connection_unusable() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    assert reader.reusable
    reader.feed(b"H")
    assert (reader.status, reader.reusable) == (200, False)


def test_an_endless_response_head_is_not_stored() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\n")
    data = b"x" * 100_000
    tracemalloc.start()
    for _ in range(100):
        reader.feed(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000, "the reader got 10 MB"
    assert (reader.status, reader.done) == (200, True)
