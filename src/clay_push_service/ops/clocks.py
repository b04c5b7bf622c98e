"""Reports processes whose clock differs from the database's."""

from collections.abc import Iterable, Sequence

from clay_push_service.database.clock import WRONG_SECONDS
from clay_push_service.ops.advice import Advice, Level
from clay_push_service.ops.health import WorkerSeen

DO = (
    "Set the clock of that machine (NTP). If all processes differ by the same time, set the clock of the database server. Until then"
    " the process uses the database's time for payloads, Retry-After dates and access tokens; the times in its log are wrong."
)


def clock_advice(web_offset_seconds: float | None, workers: Iterable[WorkerSeen]) -> Sequence[Advice]:
    """`web_offset_seconds`: of the process that serves this request; None: not measured."""
    offsets = [("this web process", web_offset_seconds)]
    offsets += [(f"worker {each.hostname}:{each.pid}", each.clock_offset_seconds) for each in workers if each.is_live]
    return [
        Advice(Level.DEGRADED, f"The clock of {process} is {_describe_offset(offset)} the database's.", DO)
        for process, offset in offsets
        if offset is not None and abs(offset) > WRONG_SECONDS
    ]


def _describe_offset(offset: float) -> str:
    return f"{abs(offset):,.0f} s {'ahead of' if offset > 0 else 'behind'}"
