"""Decides what the response to the start of a run means for its items, and when to poll. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.clay.routines_outcome import ApiFailure

RATE_LIMIT_PATIENCE_SECONDS: Final = 900.0
"""Seconds of 429 responses after which an item fails. Until then a 429 uses no attempt."""
WITHOUT_RETRY_AFTER_SECONDS: Final = 30.0
CONNECT_RETRIES: Final[Sequence[float]] = (2.0, 8.0, 30.0)
"""Waits before the repeated starts of a run of which no byte was sent, in seconds."""
POLL_SECONDS: Final[Sequence[float]] = (3.0, 5.0, 10.0, 20.0, 30.0)
"""Waits before the polls, in seconds; the last one repeats."""
COMPLETE_POLL_SECONDS: Final = 120.0
"""Seconds between polls of a complete run in which items are pending or missing."""
MISSING_AFTER_SECONDS: Final = 900.0
"""An item that is still missing so many seconds after Clay reported the run as complete ends without a result."""
KEY_REFUSED_POLL_SECONDS: Final = 60.0
JITTER: Final = 0.1


class StartAction(StrEnum):
    """What happens to the items of a run that did not start."""

    HOLD = "hold"
    """Clay may be running it: never starts it again."""
    RETURN = "return"
    """Clay required a pause: queues the items again, without using an attempt."""
    RETRY = "retry"
    """Nothing was sent: queues the items again, up to three times."""
    FAIL_ITEMS = "fail_items"
    FAIL_JOBS = "fail_jobs"
    """Fails all queued items of the jobs, because they would fail in the same way."""
    PAUSE_RULES = "pause_rules"
    """Like FAIL_JOBS, and also pauses the rules."""
    CLOSE_KEY = "close_key"
    """Ends every queued item of the organization, because Clay refuses the key."""


AFTER_START: Final[Mapping[ApiCause, StartAction]] = MappingProxyType(
    {
        ApiCause.INVALID_CREDENTIALS: StartAction.CLOSE_KEY,
        ApiCause.INSUFFICIENT_CREDITS: StartAction.PAUSE_RULES,
        ApiCause.NOT_FOUND: StartAction.FAIL_JOBS,
        ApiCause.REJECTED: StartAction.FAIL_ITEMS,
        ApiCause.RATE_LIMITED: StartAction.RETURN,
        ApiCause.NOT_CONNECTED: StartAction.RETRY,
        ApiCause.UNREADABLE: StartAction.FAIL_ITEMS,
        ApiCause.BLOCKED: StartAction.FAIL_JOBS,
        ApiCause.HELD: StartAction.HOLD,
    }
)
"""Causes that `clay.routines_outcome` returns for a start."""


@dataclass(frozen=True, slots=True)
class StartDecision:
    then: StartAction
    cause: ApiCause
    wait_seconds: float = 0.0
    uses_attempt: bool = False


def after_start(failure: ApiFailure, attempts: int) -> StartDecision:
    """`attempts`: earlier starts of these items without a connection. An unknown cause is held, because Clay may have started the run."""
    then = AFTER_START.get(failure.cause, StartAction.HOLD)
    if then is StartAction.RETURN:
        wait = failure.retry_after_seconds
        return StartDecision(then, failure.cause, WITHOUT_RETRY_AFTER_SECONDS if wait is None else wait)
    if (
        then is StartAction.RETRY and failure.retry_after_seconds is not None
    ):  # a limit of this process, not of the network
        return StartDecision(then, failure.cause, failure.retry_after_seconds)
    if then is StartAction.RETRY:
        if attempts >= len(CONNECT_RETRIES):
            return StartDecision(StartAction.FAIL_ITEMS, failure.cause)
        return StartDecision(then, failure.cause, CONNECT_RETRIES[attempts], uses_attempt=True)
    return StartDecision(then, failure.cause)


def poll_delay(polls: int, *, is_complete: bool, chance: float) -> float:
    """Seconds until the next poll. `chance`: 0 to 1, spreads the polls of many runs."""
    seconds = COMPLETE_POLL_SECONDS if is_complete else POLL_SECONDS[min(polls, len(POLL_SECONDS) - 1)]
    return seconds * (1 - JITTER + 2 * JITTER * chance)
