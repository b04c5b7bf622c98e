"""Outcome of a response: the decision table (success, failure, retry, wait) as one `match`. Pure: no framework, clock or randomness."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.response import Blocked, NoResponse, NotConnected, NotConnectedKind, Responded, Response

MAX_ATTEMPTS = 4
"""The first attempt and three retries: feature document, section 8."""
REFUSALS_TO_CLOSE = 3
"""Consecutive refusals that close a destination. One 401 may be a new token that Clay does not accept yet (about a minute)."""
OUTAGES_TO_WAIT = 10
"""Consecutive outages after which the destination is probed with one lead at a time."""
RETRY_AFTER_BOUNDS = (1.0, 900.0)
"""Seconds, minimum and maximum. Clay sends 1; a distant date or a typo must not stop a destination for a day."""
QUOTA_MESSAGE = b"record limit reached"
"""Text in Clay's 403 when the webhook's lifetime submissions are used up; any other 403 concerns this one request."""
PAGE_STARTS = ("<!doctype", "<html")

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?", re.ASCII)


class Verdict(StrEnum):
    SUCCESS = "success"
    FAILED = "failed"
    RETRY = "retry"
    """Send again after `backoff_seconds`; `cause` is the failure if no attempt is left."""
    WAIT = "wait"
    """Pause the whole destination for `retry_after_seconds`; counts neither as a failure nor as an attempt.
    With status 429 Clay requests the pause and the rate is lowered; without a status a local limit causes the pause."""


class Streak(StrEnum):
    NONE = "none"
    REFUSAL = "refusal"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True)
class Outcome:
    verdict: Verdict
    cause: Cause | None = None
    status: int | None = None
    retry_after_seconds: float | None = None
    counts_toward: Streak = Streak.NONE
    resets_streaks: bool = False
    """Clay accepted or examined the lead: both streaks end. See `Streaks.after`."""
    submissions: int = 0
    """Submissions to add to the used quota of the webhook; 1 also where Clay MAY have accepted the lead."""
    uses_attempt: bool = True
    is_page: bool = False
    """A 2xx whose body is a web page: it counts as a success, but the URL may not be a webhook."""

    @property
    def is_uncertain(self) -> bool:
        """Whether Clay may have accepted the row without confirming it: no response, or a 5xx after the whole body."""
        return self.cause is Cause.UNKNOWN or self.cause is Cause.SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Streaks:
    """Consecutive refusals and consecutive outages of a destination.

    A refusal is a response, so it resets the outages. An outage is no evidence about the token or the webhook, so it keeps
    the refusals. A 429, a missing response and a block by the guard change neither.
    """

    refusals: int = 0
    outages: int = 0

    def after(self, outcome: Outcome) -> "Streaks":
        if outcome.resets_streaks:
            return NO_STREAKS
        match outcome.counts_toward:
            case Streak.REFUSAL:
                return Streaks(refusals=self.refusals + 1, outages=0)
            case Streak.OUTAGE:
                return Streaks(refusals=self.refusals, outages=self.outages + 1)
            case Streak.NONE:
                return self

    @property
    def closes(self) -> bool:
        return self.refusals >= REFUSALS_TO_CLOSE

    @property
    def waits(self) -> bool:
        return self.outages >= OUTAGES_TO_WAIT


NO_STREAKS = Streaks()


def outcome_of(  # noqa: C901, PLR0911 - each row of the decision table is a case, and each case returns
    response: Response, attempts: int, now: datetime, *, max_attempts: int = MAX_ATTEMPTS
) -> Outcome:
    """Decide the outcome of one response. `attempts` includes this one (1 for the first); `now` is for a Retry-After date."""
    more = attempts < max_attempts
    match response:
        case Responded(status=status) if 200 <= status < 300:  # noqa: PLR2004 - the table's own figures, here and below
            return _accepted(status, is_page=is_page(response.body))
        case Responded(status=401):
            return _refusal(Cause.UNAUTHORIZED, 401)
        case Responded(status=403, body=body) if QUOTA_MESSAGE in body.lower():
            return _refusal(Cause.QUOTA_EXHAUSTED, 403)
        case Responded(status=status) if 300 <= status < 400 or status in {404, 410}:  # noqa: PLR2004
            return _refusal(Cause.WEBHOOK_GONE, status)
        case Responded(status=429):
            wait = retry_after(response.retry_after, now)
            return Outcome(Verdict.WAIT, status=429, retry_after_seconds=wait, uses_attempt=False)
        case Responded(status=status) if 400 <= status < 500:  # noqa: PLR2004
            return Outcome(Verdict.FAILED, Cause.REJECTED, status, resets_streaks=True)
        case Responded(status=status) if 500 <= status < 600:  # noqa: PLR2004
            verdict = Verdict.RETRY if more else Verdict.FAILED
            return Outcome(verdict, Cause.SERVER_ERROR, status, counts_toward=Streak.OUTAGE)
        case Responded(status=status):
            # 101 without a requested upgrade, or 600 and more: the body was sent and its effect is unknown. Sending again
            # could bill twice, so it is treated like no response.
            return Outcome(Verdict.FAILED, Cause.UNKNOWN, status, submissions=1)
        case NotConnected(kind=NotConnectedKind.BUSY):
            return Outcome(Verdict.WAIT, retry_after_seconds=RETRY_AFTER_BOUNDS[0], uses_attempt=False)
        case NotConnected(kind=kind):
            verdict = Verdict.RETRY if more else Verdict.FAILED
            cause = Cause.CERTIFICATE_ERROR if kind is NotConnectedKind.CERTIFICATE else Cause.NETWORK_ERROR
            return Outcome(verdict, cause, counts_toward=Streak.OUTAGE)
        case NoResponse():
            return Outcome(Verdict.FAILED, Cause.UNKNOWN, submissions=1)
        case Blocked():
            return Outcome(Verdict.FAILED, Cause.BLOCKED)


@functools.cache
def _accepted(status: int, *, is_page: bool) -> Outcome:
    """Cached by status: nearly every response has this outcome."""
    return Outcome(Verdict.SUCCESS, status=status, resets_streaks=True, submissions=1, is_page=is_page)


def is_page(body: bytes) -> bool:
    """Return whether a response body is a web page, which no webhook returns. Ignores case, a byte order mark and leading blanks."""
    encoding = "utf-16" if body[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    return body.decode(encoding, "replace").lstrip("\ufeff \t\r\n\f\v\0").casefold().startswith(PAGE_STARTS)


def _refusal(cause: Cause, status: int) -> Outcome:
    return Outcome(Verdict.FAILED, cause, status, counts_toward=Streak.REFUSAL)


def retry_after(value: str | None, now: datetime) -> float:
    """Return the seconds to wait, 1 to 900, for any header value: seconds, decimals, an HTTP date, missing or invalid."""
    least, most = RETRY_AFTER_BOUNDS
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(max(float(text), least), most)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max((moment - now).total_seconds(), least), most)
    except (ValueError, TypeError, OverflowError):
        return least


def backoff_seconds(attempt: int, delays: Sequence[float], random: float) -> float:
    """Return the wait after attempt number `attempt` (1 is the first), with jitter: 50 to 150 % by `random` in [0, 1).

    The jitter prevents leads that failed together from being retried together.
    """
    return delays[min(attempt, len(delays)) - 1] * (0.5 + random)
