"""Computes the share of the pace: the slots in which a POST was planned, of all slots that passed while leads waited. Pure."""

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 60.0


class PaceShare:
    """The share of the last minute, for all workspaces of a process. Times are seconds on one clock."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int, int]] = deque()

    def add(self, now: float, used: int, missed: int) -> None:
        self._counts.append((now, used, missed))
        self._remove_old(now)

    def share(self, now: float) -> float:
        """Return 0 to 1; 1 if no slot passed."""
        self._remove_old(now)
        used = sum(used for _, used, _ in self._counts)
        missed = sum(missed for _, _, missed in self._counts)
        return used / (used + missed) if used + missed else 1.0

    def _remove_old(self, now: float) -> None:
        while self._counts and self._counts[0][0] <= now - WINDOW_SECONDS:
            self._counts.popleft()
