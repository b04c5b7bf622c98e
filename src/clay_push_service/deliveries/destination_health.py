"""A destination's health: `open`, `waiting` during an outage, or `closed` after refusals; a pure function of Clay's responses."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import Outcome, Streaks
from clay_push_service.states import DestinationState


@dataclass(frozen=True, slots=True)
class Health:
    state: DestinationState
    streaks: Streaks
    reason: Cause | None = None

    def after(self, outcomes: Iterable[Outcome]) -> "Health":
        """Apply outcomes, oldest first. A closed destination stays closed: only changed settings or a successful test open it."""
        health = self
        for outcome in outcomes:
            health = health._after_one(outcome)
        return health

    def _after_one(self, outcome: Outcome) -> "Health":
        if self.state is DestinationState.CLOSED:
            return self
        streaks = self.streaks.after(outcome)
        if streaks.closes:
            return Health(DestinationState.CLOSED, streaks, outcome.cause)
        if streaks.waits:
            reason = self.reason if self.state is DestinationState.WAITING else outcome.cause
            return Health(DestinationState.WAITING, streaks, reason)
        if self.state is DestinationState.WAITING and streaks.outages == 0:
            return Health(DestinationState.OPEN, streaks)
        return replace(self, streaks=streaks)
