"""Clay's published limits, and the token bucket of a workspace. The current time is an argument."""

from dataclasses import dataclass

RATE_PER_SECOND = 10.0
"""Sustained requests per second and workspace, shared by all its webhooks (Clay's documentation)."""
BURST = 20
"""Requests that may arrive at once after a pause (Clay's documentation)."""
LIFETIME_CAP = 50_000
"""Submissions in the lifetime of one webhook source; deleting rows does not restore quota (Clay's documentation)."""
MAX_BODY_BYTES = 100_000
"""Clay documents 100 KB without defining KB; the smaller value is safe."""


@dataclass(frozen=True, slots=True)
class WorkspaceLimits:
    """`rate_per_second` None means no limit."""

    rate_per_second: float | None = RATE_PER_SECOND
    burst: int = BURST


class TokenBucket:
    """Starts full and refills continuously. A refused request takes no token."""

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
