"""Failures that repeat are counted, not repeated; a line with an exception is bounded."""

import pytest
import structlog

from clay_push_service.logs import MOST_CHARACTERS, told
from clay_push_service.repeated_failures import PERIOD_SECONDS, RepeatedFailures


def test_repeated_failures_are_one_line_with_their_count() -> None:
    now = [0.0]
    processor = RepeatedFailures(lambda: now[0])

    def say(event: str, error: Exception) -> structlog.typing.EventDict:
        return dict(processor(None, "error", {"event": event, "exc_info": error}))

    assert "repeated" not in say("slice.failed", OSError())
    for _ in range(3):
        with pytest.raises(structlog.DropEvent):
            say("slice.failed", OSError())
    assert "repeated" not in say("slice.failed", ValueError()), "another error is another kind"
    assert "repeated" not in say("delivery.broke", OSError())
    assert processor(None, "info", {"event": "slice.failed"}) == {"event": "slice.failed"}
    now[0] = PERIOD_SECONDS
    assert say("slice.failed", OSError())["repeated"] == 3


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
    text = told((RuntimeError, raised.value, raised.tb))
    assert len(text) <= MOST_CHARACTERS + len(" [...] ")
    assert text.rstrip().endswith("RuntimeError: level 40")
