"""Keep-alive limits of servers: how long an idle connection to each origin may be reused before the server might close it."""

import re
import time
from collections.abc import Callable

IDLE_SECONDS = 0.8
"""Below 1 s, the shortest keep-alive timeout that servers are configured with; above the 200 ms between two paced POSTs."""
MEMORY_SECONDS = 600.0
"""How long an observed limit is kept."""
MAX_ORIGINS = 1000

_KEEP_ALIVE = re.compile(r"\btimeout\s*=\s*([0-9]{1,6})", re.ASCII | re.IGNORECASE)

Origin = tuple[str, str, int]
"""Scheme, host and port (RFC 6454)."""


class KeepAliveLimits:
    """Limits observed by one process, by origin. `clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Origin, tuple[float, float]] = {}

    def reusable_seconds(self, origin: Origin) -> float:
        """Return how long an idle connection may be reused.

        This is half of the shortest keep-alive observed, minus a slow round trip: a request in flight must still arrive.
        """
        seconds, until = self._known.get(origin, (2 * IDLE_SECONDS + 0.2, 0.0))
        if until and until < self._clock():
            del self._known[origin]
            return IDLE_SECONDS
        return min(seconds / 2 - 0.1, IDLE_SECONDS)

    def record(self, origin: Origin, seconds: float) -> None:
        """Record that the server closes, or may close, a connection after this many idle seconds."""
        if seconds / 2 - 0.1 >= IDLE_SECONDS:
            return
        now = self._clock()
        known, until = self._known.get(origin, (seconds, 0.0))
        if until < now or seconds <= known:
            if len(self._known) >= MAX_ORIGINS:
                self._known.clear()
            self._known[origin] = (seconds, now + MEMORY_SECONDS)

    def record_header(self, origin: Origin, header: str) -> None:
        """Record the limit that a `Keep-Alive: timeout=N` header announces."""
        if found := _KEEP_ALIVE.search(header):
            self.record(origin, float(found[1]))
