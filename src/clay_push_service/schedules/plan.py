"""Decides what a schedule that is due does: which due time runs, which are missed, and when failures pause it. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from clay_push_service.schedules.due_times import due_after
from clay_push_service.schedules.timing import Timing

MAX_MISSED_ROWS: Final = 100
"""Most missed runs that are recorded after one outage. The message of the oldest gives the number of earlier ones."""


class ScheduleOutcome(StrEnum):
    QUEUED = "queued"
    NOTHING_NEW = "nothing_new"
    OVERLAP = "overlap"
    """The push job of an earlier run is still live."""
    MISSED = "missed"
    """No worker ran at the due time, nor within the catch-up window."""
    PAUSED = "paused"
    """The push jobs of the last runs failed, so this run was not started."""
    NOT_AVAILABLE = "enterprise_required"
    NOT_CONFIGURED = "clay_not_configured"
    CLOSED = "destination_closed"
    RESULTS_MISSING = "results_missing"
    QUOTA_EXHAUSTED = "quota_exhausted"
    PROJECT_NOT_FOUND = "project_not_found"
    FAILED = "failed"
    """An unexpected error, repeatedly."""


FAILURES: Final = frozenset(
    {
        ScheduleOutcome.NOT_AVAILABLE,
        ScheduleOutcome.NOT_CONFIGURED,
        ScheduleOutcome.CLOSED,
        ScheduleOutcome.RESULTS_MISSING,
        ScheduleOutcome.QUOTA_EXHAUSTED,
        ScheduleOutcome.PROJECT_NOT_FOUND,
        ScheduleOutcome.FAILED,
    }
)
NEUTRAL: Final = frozenset({ScheduleOutcome.OVERLAP, ScheduleOutcome.MISSED, ScheduleOutcome.PAUSED})
"""Outcomes that do not show whether a push is possible."""


@dataclass(frozen=True, slots=True)
class DuePlan:
    """What to do with all due times that have passed."""

    run: datetime | None
    """The newest, if it is within the catch-up window. One run replaces all that were missed."""
    missed: Sequence[datetime]
    """The other due times, the newest MAX_MISSED_ROWS of them, oldest first."""
    missed_earlier: int
    """Number of missed due times before those in `missed`."""
    next_due: datetime


def plan_due(timing: Timing, time_zone: str, first_due: datetime, now: datetime, catch_up: timedelta) -> DuePlan:
    """`first_due` has passed. `now`: the current time minus the schedule's spread."""
    passed: deque[datetime] = deque([first_due], maxlen=MAX_MISSED_ROWS + 1)
    number = 1
    dues = due_after(timing, time_zone, first_due)
    while (next_due := next(dues)) <= now:
        passed.append(next_due)
        number += 1
    newest = passed.pop()
    runs = now - newest <= catch_up
    missed = [*passed] if runs else [*passed, newest][-MAX_MISSED_ROWS:]
    return DuePlan(newest if runs else None, missed, number - runs - len(missed), next_due)


@dataclass(frozen=True, slots=True)
class PastRun:
    outcome: ScheduleOutcome
    job_failed: bool
    """Every lead of its push jobs failed."""

    @property
    def is_failure(self) -> bool:
        return self.outcome in FAILURES or self.job_failed


def failures_in_a_row(newest_first: Iterable[PastRun]) -> int:
    """Counts the failures since the last success, without outcomes in NEUTRAL."""
    number = 0
    for run in newest_first:
        if run.outcome in NEUTRAL:
            continue
        if not run.is_failure:
            break
        number += 1
    return number
