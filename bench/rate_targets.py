"""The targets of the rate after 429 responses, for the simulation and for the measurement with workers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateFigures:
    """One result: simulated or measured."""

    every_11th_seconds: float
    """311 leads at 100 ms, every 11th POST 429 with `Retry-After: 1`; at most 124, and 62 is the least."""
    arrived_per_second: float
    """At a limit of 3/s with a burst of 3 over 5 minutes; at least 2.4."""
    refused_percent: float
    """There, after the first 30 s; at most 10."""
    reached_seconds: float
    """From the end of that limit until 9/s; at most 60."""

    @property
    def meets_targets(self) -> bool:
        return (
            self.every_11th_seconds <= 124
            and self.arrived_per_second >= 2.4
            and self.refused_percent <= 10
            and self.reached_seconds <= 60
        )
