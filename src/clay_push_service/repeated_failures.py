"""Counts failures that repeat instead of logging each: one line a kind and period, with how many were left out."""

import sys
import time
from collections.abc import Callable

import structlog

PERIOD_SECONDS = 10.0
"""A database that is away fails every slice every 2 s: one line of each kind in this time says the same."""
MOST_KINDS = 200
"""Remembered at once; the kinds are events and error classes, so there are far fewer."""


class RepeatedFailures:
    """A processor of structlog. A kind is an event with the class of its exception; lines without an exception pass."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def __call__(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Raises DropEvent for a failure of a kind that was logged within the period; the next line has `repeated`."""
        error = event.get("exc_info")
        if not error:
            return event
        if isinstance(error, tuple):
            error = error[1]
        if not isinstance(error, BaseException):
            error = sys.exc_info()[1]
        kind = (str(event.get("event")), type(error).__name__)
        now = self._now()
        since, left_out = self._seen.get(kind, (float("-inf"), 0))
        if now - since < PERIOD_SECONDS:
            self._seen[kind] = (since, left_out + 1)
            raise structlog.DropEvent
        if len(self._seen) >= MOST_KINDS:
            self._seen.clear()
        self._seen[kind] = (now, 0)
        if left_out:
            event["repeated"] = left_out
        return event
