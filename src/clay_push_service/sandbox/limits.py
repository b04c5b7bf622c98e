"""Clay's published limits as values, and the token bucket of a workspace; it reads no clock of its own."""

from dataclasses import dataclass

RATE_PER_SECOND = 10.0
"""Sustained requests per second and workspace, shared by all its webhooks (Clay's documentation)."""
BURST = 20
"""Requests that may arrive at once after a pause (Clay's documentation)."""
LIFETIME_CAP = 50_000
"""Submissions in the lifetime of one webhook source; deleting rows gives none back (Clay's documentation)."""
MAX_BODY_BYTES = 100_000
"""Clay says 100 KB and not which KB; the smaller one is the safe reading."""


@dataclass(frozen=True, slots=True)
class WorkspaceLimits:
    """`rate_per_second` None means no limit at all."""

    rate_per_second: float | None = RATE_PER_SECOND
    burst: int = BURST


class TokenBucket:
    """Full at the start; refills continuously; an empty bucket refuses and takes nothing."""

    def __init__(self, limits: WorkspaceLimits, now: float) -> None:
        self.limits = limits
        self._tokens = float(limits.burst)
        self._at = now

    def take(self, now: float) -> bool:
        rate = self.limits.rate_per_second
        if rate is None:
            return True
        self._tokens = min(float(self.limits.burst), self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
