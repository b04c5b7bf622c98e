"""Reports processes whose clock differs from the database's."""

from collections.abc import Sequence

from clay_push_service.database.clock import WRONG_SECONDS
from clay_push_service.ops.advice import Advice, Level

REMEDY = (
    "Set the clock of that machine (NTP). If all processes differ by the same time, set the clock of the database server. Until then"
    " the process uses the database's time for payloads, Retry-After dates and access tokens; the times in its log are wrong."
)


def clock_advice(process: str, offset_seconds: float | None) -> Sequence[Advice]:
    """`offset_seconds`: the process's clock minus the database's; None: not measured."""
    if offset_seconds is None or abs(offset_seconds) <= WRONG_SECONDS:
        return []
    what = f"The clock of {process} is {_describe_offset(offset_seconds)} the database's."
    return [Advice(Level.DEGRADED, what, REMEDY)]


def _describe_offset(offset: float) -> str:
    return f"{abs(offset):,.0f} s {'ahead of' if offset > 0 else 'behind'}"
