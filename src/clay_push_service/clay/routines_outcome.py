"""Outcome of a response of Clay's public API: the decision table as one `match`. Pure: no framework, clock or randomness."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from clay_push_service.clay.outcome import RETRY_AFTER_BOUNDS, is_page, retry_after
from clay_push_service.clay.response import Blocked, NoResponse, NotConnected, NotConnectedKind, Responded, Response
from clay_push_service.clay.routines_cause import ApiCause

KEY_CHARACTERS = "key_characters"
"""Reason of `Blocked`: the key cannot be a header, so nothing was sent."""


class Call(Enum):
    """What a request does in Clay."""

    READ = auto()
    """Nothing: a repeat is safe."""
    START = auto()
    """Starts a run, which is charged. Clay has no idempotency key: a repeat may be charged again."""


@dataclass(frozen=True, slots=True)
class ApiFailure:
    """A call without a result."""

    cause: ApiCause
    status: int | None = None
    retry_after_seconds: float | None = None
    """For a temporary cause: the minimum time before the next request of this workspace."""

    @property
    def may_have_started(self) -> bool:
        """Whether Clay may be running, and charging, the requested run: never send it again without an explicit request."""
        return self.cause is ApiCause.HELD


def failure_of(  # noqa: C901, PLR0911 - each row of the decision table is a case, and each case returns
    response: Response, call: Call, now: datetime
) -> ApiFailure | None:
    """Decide what a response means; None: Clay accepted the request, and the body holds its result.

    `now` is for a Retry-After date. The caller reports a body that cannot be read (see `unreadable`).
    """
    match response:
        case Responded(status=status, body=body) if 200 <= status < 300:  # noqa: PLR2004 - the table's own figures, here and below
            return unreadable(status, call) if is_page(body) else None
        case Responded(status=401 | 403 as status):
            return ApiFailure(ApiCause.INVALID_CREDENTIALS, status)
        case Responded(status=402):
            return ApiFailure(ApiCause.INSUFFICIENT_CREDITS, 402)
        case Responded(status=404 | 410 as status):
            return ApiFailure(ApiCause.NOT_FOUND, status)
        case Responded(status=429, retry_after=value):
            return ApiFailure(ApiCause.RATE_LIMITED, 429, retry_after(value, now))
        case Responded(status=status) if 300 <= status < 400:  # noqa: PLR2004
            # A redirect is not followed, because it would receive the key. The request itself had no effect.
            return ApiFailure(ApiCause.UNREADABLE, status)
        case Responded(status=status) if 400 <= status < 500:  # noqa: PLR2004
            return ApiFailure(ApiCause.REJECTED, status)
        case Responded(status=status):
            # 5xx; and 101 or 600 and more, whose effect is unknown. A server may fail after it has started the run.
            return ApiFailure(ApiCause.HELD if call is Call.START else ApiCause.SERVER_ERROR, status)
        case NotConnected(kind=NotConnectedKind.BUSY):
            return ApiFailure(ApiCause.NOT_CONNECTED, retry_after_seconds=RETRY_AFTER_BOUNDS[0])
        case NotConnected():
            return ApiFailure(ApiCause.NOT_CONNECTED)
        case NoResponse():
            return ApiFailure(ApiCause.HELD if call is Call.START else ApiCause.NO_RESPONSE)
        case Blocked(reason=reason):
            return ApiFailure(ApiCause.INVALID_CREDENTIALS if reason == KEY_CHARACTERS else ApiCause.BLOCKED)


def unreadable(status: int, call: Call) -> ApiFailure:
    """A success whose body cannot be read. If it started a run, the run's id is unknown."""
    return ApiFailure(ApiCause.HELD if call is Call.START else ApiCause.UNREADABLE, status)
