"""What an attempt's answer means: the contract's table as one `match`. Pure: no framework, no clock, no randomness."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from clay_push_service.clay.cause import EXPLANATIONS, Cause, Explanation, Who
from clay_push_service.clay.response import Blocked, NoResponse, NotConnected, NotConnectedKind, Responded, Response

__all__ = [
    "EXPLANATIONS",
    "Cause",
    "Explanation",
    "Outcome",
    "Streak",
    "Streaks",
    "Verdict",
    "Who",
    "backoff_seconds",
    "is_page",
    "outcome_of",
    "retry_after",
]

MAX_ATTEMPTS = 4
"""The first and three more: the feature document, section 8."""
REFUSALS_TO_CLOSE = 3
"""In a row. One 401 may be a token that Clay has not taken in yet (about a minute); three are not."""
OUTAGES_TO_WAIT = 10
"""In a row, before the destination is probed with one lead instead of pushed to with all."""
RETRY_AFTER_BOUNDS = (1.0, 900.0)
"""Seconds. Clay says 1; a date far away or a typo must not stop a destination for a day."""
QUOTA_MESSAGE = b"record limit reached"
"""Of Clay's 403 when the webhook's lifetime submissions are used up; any other 403 is about this one request."""
PAGE_STARTS = ("<!doctype", "<html")

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?", re.ASCII)


class Verdict(StrEnum):
    SUCCESS = "success"
    FAILED = "failed"
    RETRY = "retry"
    """Later again, after `backoff_seconds`; `cause` is what it will fail with if no attempt is left."""
    WAIT = "wait"
    """Not before `retry_after_seconds`, for the whole destination; not a failure and not an attempt.
    With status 429 Clay asked for it and the pace is halved; without a status we were too busy ourselves."""


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
    """Clay took in or looked at the lead: both streaks end. See `Streaks.after`."""
    submissions: int = 0
    """Submissions to add to what the webhook has used; 1 also where Clay MAY have taken it."""
    uses_attempt: bool = True
    is_page: bool = False
    """A 2xx with a web page for a body: it counts as a success, and the webhook may be no webhook."""

    @property
    def is_uncertain(self) -> bool:
        """Clay may have taken the row and did not confirm it: no answer, or a 5xx after the whole body."""
        return self.cause is Cause.UNKNOWN or self.cause is Cause.SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Streaks:
    """A destination's refusals and outages in a row.

    A refusal is an answer, so it ends the outages. An outage says nothing about the token or the webhook, so it leaves
    the refusals. A 429, a missing answer and our own refusals say nothing about either.
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


def outcome_of(  # noqa: C901, PLR0911 - a row of the contract's table is a case, and a case returns
    response: Response, attempts: int, now: datetime, *, max_attempts: int = MAX_ATTEMPTS
) -> Outcome:
    """Judge one answer. `attempts` counts this one too (1 for the first); `now` is only for a Retry-After date."""
    more = attempts < max_attempts
    match response:
        case Responded(status=status) if 200 <= status < 300:  # noqa: PLR2004 - the table's own figures, here and below
            return _taken(status, is_page=is_page(response.body))
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
            # 101 to a request that asked for no upgrade, or 600 and more: the body was sent and nobody can tell what
            # became of it. Sending again could bill twice, so it is as good as no answer.
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
def _taken(status: int, *, is_page: bool) -> Outcome:
    """Made once a status: nearly every answer is this one."""
    return Outcome(Verdict.SUCCESS, status=status, resets_streaks=True, submissions=1, is_page=is_page)


def is_page(body: bytes) -> bool:
    """Whether an answer is a web page, which a webhook's is not: in any case, after a byte order mark or blanks."""
    encoding = "utf-16" if body[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
    return body.decode(encoding, "replace").lstrip("\ufeff \t\r\n\f\v\0").casefold().startswith(PAGE_STARTS)


def _refusal(cause: Cause, status: int) -> Outcome:
    return Outcome(Verdict.FAILED, cause, status, counts_toward=Streak.REFUSAL)


def retry_after(value: str | None, now: datetime) -> float:
    """Seconds to wait, 1 to 900, whatever the header says: seconds, decimals, an HTTP date, nothing or nonsense."""
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
    """The wait after attempt number `attempt` (1 is the first), spread over 50 to 150 % by `random` in [0, 1).

    Spread, because leads that failed together must not come back together.
    """
    return delays[min(attempt, len(delays)) - 1] * (0.5 + random)
