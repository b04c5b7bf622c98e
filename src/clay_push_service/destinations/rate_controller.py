"""Controls the rate of a workspace after 429 responses: CUBIC, as TCP has it, with time counted in POSTs. Pure; times are the database's.

A 429 lowers the rate to KEPT_SHARE of the refused one. When the pause ends, the rate approaches the refused one quickly, stays near
it, and then grows faster and faster up to the set pace. Decision 10 compares it with others.

The state is three values of the workspace's row, so it holds for all workers. A success changes none of them: the recovery is a
function of the time since the pause, so successes need no statement. To reserve slots of many workspaces in one pass, lock their
rows in one statement, call `interval_ms` for each row (arithmetic, no I/O), and write the new slots in one statement.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

SLOWEST_MS = 1_000.0
"""The floor: no 429 makes the interval longer than this or the set one. Only a Retry-After requires a longer pause."""
KEPT_SHARE = 0.8
"""Of the refused rate, directly after a 429. Less converges sooner, but costs more after a single 429."""
RECOVERY_POSTS = 20
"""POSTs at the refused rate until the rate is back at it. At a steady limit about one POST of this many is refused."""
LONGEST_RECOVERY_MS = 6_000.0
"""Limit of the same: a workspace at the floor is back at 9 per second after about 15 s."""
LONGEST_RECOVERY_FOR_PAUSE_MS = 60_000.0
"""A long Retry-After makes each 429 expensive, so the rate grows over the same time again, up to this."""
PROBING_FACTOR = 2.0
"""How fast the rate grows beyond the refused one: it is three times as high after twice the recovery."""
LEAST_MS = 1.0
"""A shorter interval without a set pace is no limit any more."""
UNPACED_AFTER_429_MS = 100.0
"""The interval after the first 429 of a workspace without a set pace: Clay takes 10 requests/s in a workspace (its documentation)."""


@dataclass(frozen=True, slots=True)
class RateController:
    """`rate_limit_ms`: the set delay between POSTs, 0 for none."""

    rate_limit_ms: float
    throttled_ms: float | None = None
    """The interval directly after the last 429."""
    throttled_at: datetime | None = None
    """When the pause of the last 429 ends. Workers of earlier releases write when the 429 came."""
    recovery_ms: float | None = None
    """From then until the rate is back at the refused one. None: RECOVERY_POSTS apply."""

    def interval_ms(self, now: datetime) -> float:
        """The delay between two POSTs at this moment. It never increases between two 429 responses."""
        if self.throttled_ms is None or self.throttled_at is None:
            return self.rate_limit_ms
        refused_ms = self._clamp(max(LEAST_MS, self.throttled_ms * KEPT_SHARE))
        since_ms = max(0.0, (now - self.throttled_at) / timedelta(milliseconds=1))
        x = since_ms / self._recovery_ms(refused_ms) - 1.0
        growth = 1.0 + (PROBING_FACTOR if x > 0 else 1.0 - KEPT_SHARE) * x * x * x
        interval_ms = self._clamp(refused_ms / growth)
        return 0.0 if self.rate_limit_ms <= 0 and interval_ms < LEAST_MS else interval_ms

    def after_429(self, now: datetime, retry_after_seconds: float, sent_at: datetime) -> "RateController":
        """Clay refused the POST that was sent at `sent_at` and requests a pause (already clamped).

        POSTs that were sent before the pause ended were sent at the rate that is already lowered: they only prolong the pause.
        """
        resumes_at = now + timedelta(seconds=retry_after_seconds)
        if self.throttled_at is not None and sent_at < self.throttled_at:
            return replace(self, throttled_at=max(self.throttled_at, resumes_at))
        refused_ms = self.interval_ms(sent_at)
        throttled_ms = refused_ms / KEPT_SHARE if refused_ms > 0 else UNPACED_AFTER_429_MS
        recovery_ms = min(RECOVERY_POSTS * throttled_ms * KEPT_SHARE, LONGEST_RECOVERY_MS)
        # A POST that is refused directly after the pause shows that the pause was short, not that the rate was high: in an
        # outage, the rate must recover within seconds.
        if self.throttled_at is None or sent_at - self.throttled_at >= 2 * timedelta(milliseconds=refused_ms):
            recovery_ms = max(recovery_ms, min(retry_after_seconds * 1000, LONGEST_RECOVERY_FOR_PAUSE_MS))
        return RateController(self.rate_limit_ms, throttled_ms, resumes_at, recovery_ms)

    def _recovery_ms(self, refused_ms: float) -> float:
        by_posts = min(RECOVERY_POSTS * refused_ms, LONGEST_RECOVERY_MS)
        if self.recovery_ms is None or not math.isfinite(self.recovery_ms):
            return by_posts
        return min(max(self.recovery_ms, LEAST_MS), LONGEST_RECOVERY_FOR_PAUSE_MS)

    def _clamp(self, interval_ms: float) -> float:
        """Between the set pace and the floor. Not a number becomes the set pace."""
        return min(max(self.rate_limit_ms, interval_ms), max(self.rate_limit_ms, SLOWEST_MS))
