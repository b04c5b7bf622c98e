"""Checks cron expressions: five fields, at most one run in 15 minutes, and a date on which they run. Pure.

A field error names the field of the expression. `cronsim` decides everything else about cron, with Debian's rules.
"""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from cronsim import CronSim, CronSimError

from clay_push_service.schedules.timing import LEAST_MINUTES

FIELDS: Final = 5
HOUR_MINUTES: Final = 60
LAST_HOUR: Final = 23
START: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Any time. Whether an expression runs at all within 50 years does not depend on it."""


NEVER: Final = "never runs: no date of the next 50 years matches it"


class CronError(ValueError):
    """The expression cannot be used. The message is shown to the user."""


def check_cron(expression: str) -> str:
    """Returns the expression with single spaces. Raises CronError."""
    parts = expression.split()
    if len(parts) != FIELDS:
        raise CronError(f"has {len(parts)} fields; cron needs 5: minute, hour, day of month, month, day of week")
    plain = " ".join(parts)
    try:
        cron = CronSim(plain, START)
    except (CronSimError, AssertionError, ValueError) as error:
        raise CronError(_field_message(parts, str(error).removeprefix("Bad "))) from None
    if next(cron, None) is None:
        raise CronError(NEVER)
    if _least_gap(cron) < LEAST_MINUTES:
        raise CronError(f"runs more often than every {LEAST_MINUTES} minutes")
    return plain


def _field_message(parts: list[str], bad_field: str) -> str:
    """Returns the message for an invalid field. `cronsim` also reports the day of month if none of the months has it."""
    minute, hour, day, _, weekday = parts
    try:
        CronSim(f"{minute} {hour} {day} * {weekday}", START)
    except (CronSimError, AssertionError, ValueError):
        return f"the field {bad_field} is not valid" if bad_field else "is not valid"
    return NEVER if bad_field == "day-of-month" else f"the field {bad_field} is not valid"


def _least_gap(cron: CronSim) -> int:
    """Returns the minutes between the two nearest runs. Days count as consecutive at midnight, so a rare expression may be refused."""
    minutes, hours = sorted(cron.minutes), sorted(cron.hours)
    gaps = [later - earlier for earlier, later in pairwise(minutes)]
    consecutive = any(later - earlier == 1 for earlier, later in pairwise(hours))
    if consecutive or {0, LAST_HOUR} <= cron.hours:
        gaps.append(HOUR_MINUTES - minutes[-1] + minutes[0])
    return min(gaps, default=HOUR_MINUTES)
