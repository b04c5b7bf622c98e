"""The targets for the rate after 429 responses, for the simulation and for the measurement with workers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateFigures:
    """One simulated or measured result."""

    every_11th_seconds: float
    """Seconds for 311 leads at 100 ms, with a 429 and `Retry-After: 1` for every 11th POST. Target: at most 124; the minimum is 62."""
    arrived_per_second: float
    """Accepted POSTs per second over 5 minutes, at a limit of 3/s with a burst of 3. Target: at least 2.4."""
    refused_percent: float
    """Share of refused POSTs at that limit, after the first 30 s. Target: at most 10."""
    reached_seconds: float
    """Seconds from the end of that limit until 9/s. Target: at most 60."""

    @property
    def meets_targets(self) -> bool:
        return (
            self.every_11th_seconds <= 124
            and self.arrived_per_second >= 2.4
            and self.refused_percent <= 10
            and self.reached_seconds <= 60
        )
