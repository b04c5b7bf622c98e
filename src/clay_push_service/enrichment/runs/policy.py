"""What the response to the start of a run means for its items, and when to poll. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.clay.routines_outcome import ApiFailure

RATE_LIMIT_PATIENCE_SECONDS: Final = 900.0
"""After 15 minutes of 429 an item fails; until then a 429 uses no attempt."""
WITHOUT_RETRY_AFTER_SECONDS: Final = 30.0
CONNECT_RETRIES: Final[Sequence[float]] = (2.0, 8.0, 30.0)
"""Waits before the repeated starts of a run of which no byte was sent."""
POLL_SECONDS: Final[Sequence[float]] = (3.0, 5.0, 10.0, 20.0, 30.0)
"""Waits before the polls; the last one repeats."""
COMPLETE_POLL_SECONDS: Final = 120.0
"""Between polls of a complete run in which items are pending or missing."""
MISSING_AFTER_SECONDS: Final = 900.0
"""An item that is missing this long after Clay reported the run as complete is not expected any more."""
KEY_REFUSED_POLL_SECONDS: Final = 60.0
JITTER: Final = 0.1


class Then(StrEnum):
    """What happens to the items of a run that did not start."""

    HOLD = "hold"
    """Clay may be running it: never start it again."""
    RETURN = "return"
    """Clay required a pause: queue the items again; no attempt is used."""
    RETRY = "retry"
    """Nothing was sent: queue the items again, up to three times."""
    FAIL_ITEMS = "fail_items"
    FAIL_JOBS = "fail_jobs"
    """The rest of the jobs would fail in the same way."""
    PAUSE_RULES = "pause_rules"
    """As FAIL_JOBS, and rules stop."""
    CLOSE_KEY = "close_key"
    """Every queued item of the organization ends: Clay refuses the key."""


AFTER_START: Final[Mapping[ApiCause, Then]] = MappingProxyType(
    {
        ApiCause.INVALID_CREDENTIALS: Then.CLOSE_KEY,
        ApiCause.INSUFFICIENT_CREDITS: Then.PAUSE_RULES,
        ApiCause.NOT_FOUND: Then.FAIL_JOBS,
        ApiCause.REJECTED: Then.FAIL_ITEMS,
        ApiCause.RATE_LIMITED: Then.RETURN,
        ApiCause.NOT_CONNECTED: Then.RETRY,
        ApiCause.UNREADABLE: Then.FAIL_ITEMS,
        ApiCause.BLOCKED: Then.FAIL_JOBS,
        ApiCause.HELD: Then.HOLD,
    }
)
"""Causes that `clay.routines_outcome` returns for a start."""


@dataclass(frozen=True, slots=True)
class StartDecision:
    then: Then
    cause: ApiCause
    wait_seconds: float = 0.0
    uses_attempt: bool = False


def after_start(failure: ApiFailure, attempts: int) -> StartDecision:
    """`attempts`: the starts of these items that were not connected, before this one. An unknown cause is held: it may have started."""
    then = AFTER_START.get(failure.cause, Then.HOLD)
    if then is Then.RETURN:
        wait = failure.retry_after_seconds
        return StartDecision(then, failure.cause, WITHOUT_RETRY_AFTER_SECONDS if wait is None else wait)
    if then is Then.RETRY and failure.retry_after_seconds is not None:  # a limit of this process, not of the network
        return StartDecision(then, failure.cause, failure.retry_after_seconds)
    if then is Then.RETRY:
        if attempts >= len(CONNECT_RETRIES):
            return StartDecision(Then.FAIL_ITEMS, failure.cause)
        return StartDecision(then, failure.cause, CONNECT_RETRIES[attempts], uses_attempt=True)
    return StartDecision(then, failure.cause)


def poll_delay(polls: int, *, is_complete: bool, chance: float) -> float:
    """Seconds until the next poll. `chance`: 0 to 1, spreads the polls of many runs."""
    seconds = COMPLETE_POLL_SECONDS if is_complete else POLL_SECONDS[min(polls, len(POLL_SECONDS) - 1)]
    return seconds * (1 - JITTER + 2 * JITTER * chance)
