"""Log rate limit for repeated failures: logs one line per kind and period, and later the number of omitted lines.

It uses no thread. The count is logged with the first line of any kind after the period, or by `flush` when the process
exits.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

PERIOD_SECONDS = 10.0
"""Without a database every slice fails every 2 s; one line per kind in this period is enough."""
MOST_KINDS = 200
"""Maximum kinds kept; a kind is an event with an error class, so there are far fewer."""

Emit = Callable[[str, dict[str, object]], None]
"""Logs a line: the method's name (`error`, `warning`) and the event."""


@dataclass(slots=True)
class _Seen:
    since: float
    method: str
    left_out: int = 0


class RepeatedFailures:
    """A structlog processor. A kind is an event with the class of its exception; lines without an exception pass."""

    def __init__(self, emit: Emit, now: Callable[[], float] = time.monotonic) -> None:
        """`emit` may log through this very processor."""
        self._emit = emit
        self._now = now
        self._seen: dict[tuple[str, str], _Seen] = {}

    def __call__(self, _logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Raises DropEvent for a failure of a kind that was logged within the period.

        The next line of the kind has `repeated`, unless a line of another kind after the period came first.
        """
        error, now = event.get("exc_info"), self._now()
        if not error:
            self.flush(now)
            return event
        if isinstance(error, tuple):
            error = error[1]
        if not isinstance(error, BaseException):
            error = sys.exc_info()[1]
        kind = (str(event.get("event")), type(error).__name__)
        seen = self._seen.get(kind)
        if seen is not None and now - seen.since < PERIOD_SECONDS:
            seen.left_out += 1
            self.flush(now)
            raise structlog.DropEvent
        self._seen.pop(kind, None)
        self.flush(now)
        if len(self._seen) >= MOST_KINDS:
            self.flush()
            self._seen.clear()
        self._seen[kind] = _Seen(now, method)
        if seen is not None and seen.left_out:
            event["repeated"] = seen.left_out
        return event

    def flush(self, now: float | None = None) -> None:
        """Log the count of each kind whose period has ended at `now`; without `now`, of every kind."""
        for (failure, error), seen in list(self._seen.items()):
            if seen.left_out and (now is None or now - seen.since >= PERIOD_SECONDS):
                repeated, seen.left_out = seen.left_out, 0  # first, because `emit` comes back here
                self._emit(
                    seen.method,
                    {"event": "failures.repeated", "failure": failure, "error": error, "repeated": repeated},
                )
