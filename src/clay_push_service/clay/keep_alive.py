"""How long each server keeps an idle connection open, as far as it is known: a reused connection must not be closing."""

import re
import time
from collections.abc import Callable

IDLE_SECONDS = 0.8
"""Below 1 s, the shortest keep-alive timeout that servers are configured with; above the 200 ms between two paced POSTs."""
REMEMBERED_SECONDS = 600.0
REMEMBERED_HOSTS = 1000

_KEEP_ALIVE = re.compile(r"\btimeout\s*=\s*([0-9]{1,6})", re.ASCII | re.IGNORECASE)

Origin = tuple[str, str, int]
"""Scheme, host and port."""


class KeepAliveLimits:
    """Of the servers that one process sends to. `clock`: seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Origin, tuple[float, float]] = {}

    def reusable_seconds(self, origin: Origin) -> float:
        """Seconds. Half of the shortest keep-alive seen, less a slow round trip: what is under way must still arrive."""
        seconds, until = self._known.get(origin, (2 * IDLE_SECONDS + 0.2, 0.0))
        if until and until < self._clock():
            del self._known[origin]
            return IDLE_SECONDS
        return min(seconds / 2 - 0.1, IDLE_SECONDS)

    def record(self, origin: Origin, seconds: float) -> None:
        """The server closes, or may close, a connection after so many idle seconds."""
        if seconds / 2 - 0.1 >= IDLE_SECONDS:
            return
        now = self._clock()
        known, until = self._known.get(origin, (seconds, 0.0))
        if until < now or seconds <= known:
            if len(self._known) >= REMEMBERED_HOSTS:
                self._known.clear()
            self._known[origin] = (seconds, now + REMEMBERED_SECONDS)

    def record_header(self, origin: Origin, header: str) -> None:
        """What a `Keep-Alive: timeout=N` header promises."""
        if found := _KEEP_ALIVE.search(header):
            self.record(origin, float(found[1]))
