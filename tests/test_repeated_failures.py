"""Repeated failures are counted and logged once per period. A log line with an exception has a maximum length."""

import contextlib
import json
import subprocess
import sys

import pytest
import structlog

from clay_push_service.logs import MOST_CHARACTERS, format_exception
from clay_push_service.repeated_failures import MOST_KINDS, PERIOD_SECONDS, RepeatedFailures

Line = dict[str, object]


class Log:
    """A log whose clock the test sets. `lines` has the written lines in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[Line] = []
        self.processor = RepeatedFailures(self.write, lambda: self.now)

    def write(self, method: str, event: Line) -> None:
        with contextlib.suppress(structlog.DropEvent):
            self.lines.append(dict(self.processor(None, method, event)))

    def fail(self, event: str, error: Exception) -> None:
        self.write("error", {"event": event, "exc_info": error})

    @property
    def counted(self) -> list[tuple[object, object]]:
        return [(line["event"], line["repeated"]) for line in self.lines if "repeated" in line]


def test_repeated_failures_are_one_line_with_their_count() -> None:
    log = Log()
    for _ in range(4):
        log.fail("slice.failed", OSError())
    assert len(log.lines) == 1
    log.fail("slice.failed", ValueError())
    log.fail("delivery.unexpected_error", OSError())
    log.write("info", {"event": "slice.failed"})
    assert len(log.lines) == 4, "other errors, other events and lines without an error must be logged"
    log.now = PERIOD_SECONDS
    log.fail("slice.failed", OSError())
    assert log.counted == [("slice.failed", 3)]


@pytest.mark.parametrize("next_line", ["info", "a failure of another kind", "a repeated failure of another kind"])
def test_count_is_logged_with_the_next_line_of_any_kind_after_the_period(next_line: str) -> None:
    log = Log()
    for _ in range(4):
        log.fail("slice.failed", OSError())
    log.now = PERIOD_SECONDS - 1
    log.write("info", {"event": "worker.beat"})
    log.fail("delivery.unexpected_error", ValueError())
    assert log.counted == []
    log.now = PERIOD_SECONDS
    match next_line:
        case "info":
            log.write("info", {"event": "worker.beat"})
        case "a failure of another kind":
            log.fail("mirror.failed", ValueError())
        case _:
            log.fail("delivery.unexpected_error", ValueError())
    assert log.counted == [("failures.repeated", 3)]
    [line] = [line for line in log.lines if line["event"] == "failures.repeated"]
    assert (line["failure"], line["error"]) == ("slice.failed", "OSError")
    log.write("info", {"event": "worker.beat"})
    log.processor.flush()
    assert ("failures.repeated", 3) not in log.counted[1:], "a count must be logged once"


def test_no_count_is_lost_with_many_kinds_of_failures() -> None:
    log = Log()
    for _ in range(2):
        log.fail("slice.failed", OSError())
    for number in range(2 * MOST_KINDS):
        log.fail(f"other.{number}", OSError())
    assert log.counted == [("failures.repeated", 1)]


PROCESS = """
import logging
from clay_push_service import logs
logs.configure("json", "ERROR")
log = logs.get("test")
for _ in range(5):
    try:
        raise OSError("away")
    except OSError:
        log.exception("slice.failed")
"""
FOREIGN = """
from clay_push_service import repeated_failures
repeated_failures.PERIOD_SECONDS = 0.0
logging.getLogger("uvicorn.error").error("a line of a library")
import os
os._exit(0)
"""


@pytest.mark.parametrize("end", ["", FOREIGN], ids=["end of the process", "line of a library"])
def test_the_last_count_is_logged_at_the_end_of_the_process(end: str) -> None:
    """No further failure of this kind happens."""
    ended = subprocess.run([sys.executable, "-c", PROCESS + end], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    counts = [
        (line["failure"], line["repeated"], line["level"]) for line in lines if line["event"] == "failures.repeated"
    ]
    assert counts == [("slice.failed", 4, "error")]


def test_a_long_chain_of_errors_is_bounded_and_ends_with_the_last() -> None:
    def fail(depth: int) -> None:
        try:
            if depth:
                fail(depth - 1)
            int("x" * 100)
        except (ValueError, RuntimeError) as error:
            raise RuntimeError(f"level {depth}") from error

    with pytest.raises(RuntimeError) as raised:
        fail(40)
    text = format_exception((RuntimeError, raised.value, raised.tb))
    assert len(text) <= MOST_CHARACTERS + len(" [...] ")
    assert text.rstrip().endswith("RuntimeError: level 40")
