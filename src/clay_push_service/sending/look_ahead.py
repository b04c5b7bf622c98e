"""Computes how far ahead the pacer marks and reserves: further while its statements are slow, so that no slot is missed. Pure."""

MARK_AHEAD_SECONDS = 0.1
"""A lead is marked at most this long before its slot while statements are fast: a crash makes only such leads uncertain."""
MOST_MARK_AHEAD_SECONDS = 0.5
RESERVE_AHEAD_SECONDS = 0.5
"""The least time between a reservation and the first of its slots."""
MOST_RESERVE_AHEAD_SECONDS = 0.8
SPARE_SECONDS = 0.03
DECAY = 0.95
"""Factor on the longest duration for each later run: after 20 fast runs (a second of marking) a slow one counts a third."""


class StepTime:
    """Duration of a step: its longest run, whose weight decreases with each later run."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.seconds = max(seconds, self.seconds * DECAY)


class LookAhead:
    """`marking` and `reserving`: the times of these steps."""

    def __init__(self) -> None:
        self.marking = StepTime()
        self.reserving = StepTime()

    @property
    def mark_seconds(self) -> float:
        """Two runs and a spare: the run in which a slot is planned, and the next run, which marks its lead."""
        return min(max(MARK_AHEAD_SECONDS, 2 * self.marking.seconds + SPARE_SECONDS), MOST_MARK_AHEAD_SECONDS)

    @property
    def reserve_seconds(self) -> float:
        """Time for planning, and for two runs of the reservation: one may have begun just before the slot was needed."""
        ahead = self.mark_seconds + 2 * self.reserving.seconds + SPARE_SECONDS
        return min(max(RESERVE_AHEAD_SECONDS, ahead), MOST_RESERVE_AHEAD_SECONDS)
