"""How far ahead the pacer marks and reserves: further while its statements are slow, so that a busy database costs no slot. Pure."""

MARK_AHEAD_SECONDS = 0.1
"""A lead is marked at most this long before its slot while statements are fast: a crash makes no more than that uncertain."""
MOST_MARK_AHEAD_SECONDS = 0.5
RESERVE_AHEAD_SECONDS = 0.5
"""The least time between a reservation and the first of its slots."""
MOST_RESERVE_AHEAD_SECONDS = 0.8
SPARE_SECONDS = 0.03
DECAY = 0.95
"""Of the longest run, with each later one: after a second of fast statements a slow one counts a third."""


class StepTime:
    """How long a step takes: its longest run, of which the older ones count less."""

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
        """A slot is planned at the latest one run before the run that marks its lead, and both take this long."""
        return min(max(MARK_AHEAD_SECONDS, 2 * self.marking.seconds + SPARE_SECONDS), MOST_MARK_AHEAD_SECONDS)

    @property
    def reserve_seconds(self) -> float:
        """A slot is reserved before it is planned, also if the reservation that should have done it just began."""
        ahead = self.mark_seconds + 2 * self.reserving.seconds + SPARE_SECONDS
        return min(max(RESERVE_AHEAD_SECONDS, ahead), MOST_RESERVE_AHEAD_SECONDS)
