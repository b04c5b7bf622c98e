"""What the facts mean at 3 a.m.: can it do its work, and a sentence for each thing to be done. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from clay_push_service.ops.health import Readiness, Vitals

LATE_SECONDS = 120
"""Sendable leads that nobody has worked on for so long; the sweep wakes them after 30 s."""
MANY_FAILED_PERCENT = 20
ENOUGH_TO_JUDGE = 20
"""Finished deliveries in the hour; of five, one is not a trend."""


class Level(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    """It does its work, and somebody should look."""
    FAILING = "failing"
    """It cannot do its work."""


@dataclass(frozen=True, slots=True)
class Advice:
    level: Level
    what: str
    do: str


@dataclass(frozen=True, slots=True)
class Verdict:
    level: Level
    advice: Sequence[Advice]

    @property
    def works(self) -> bool:
        return self.level is not Level.FAILING


def judge(ready: Readiness, vitals: Vitals | None, loosened: Sequence[str], *, has_keys: bool) -> Verdict:
    """The worst first."""
    advice = [*_of_readiness(ready), *([] if vitals is None else _of_vitals(vitals))]
    if ready.is_ready and vitals is None:
        advice.append(
            Advice(Level.FAILING, "The database stopped answering in the middle of the check.", _LOOK_AT_DATABASE)
        )
    if not has_keys:
        advice.append(
            Advice(
                Level.DEGRADED,
                "No encryption key is set, so webhooks can be neither saved nor used.",
                "Make one with `clay-push secrets new`, set CLAY_PUSH_ENCRYPTION_KEYS and start the service again.",
            )
        )
    advice += [
        Advice(Level.DEGRADED, f"Loosened: {said}.", "Unset it, unless this is a demo or a test.") for said in loosened
    ]
    order = [Level.FAILING, Level.DEGRADED, Level.OK]
    advice.sort(key=lambda each: order.index(each.level))
    return Verdict(advice[0].level if advice else Level.OK, advice)


_LOOK_AT_DATABASE = (
    "Look at PostgreSQL first: is it running, reachable from here, and not out of connections? Nothing is lost"
    " meanwhile; the service goes on by itself when the database is back."
)


def _of_readiness(ready: Readiness) -> Sequence[Advice]:
    if ready.reason is None:
        return []
    if ready.database is None:
        do = _LOOK_AT_DATABASE
    elif not ready.is_migrated:
        do = "Run `clay-push migrate`."
    else:
        do = "Check CLAY_PUSH_HOST_SCHEMA and the grants on NexusLeads' tables: `clay-push doctor` names what is missing."
    return [Advice(Level.FAILING, ready.reason, do)]


def _of_vitals(vitals: Vitals) -> Sequence[Advice]:
    found = []
    if vitals.live_workers == 0 and vitals.due > 0:
        found.append(
            Advice(
                Level.FAILING,
                f"{vitals.due:,} leads are due and no worker is alive.",
                "Start a worker: `clay-push worker` (or `serve --with-worker`). If one should be running, read the end of"
                " its log; it ends itself when it loses the database.",
            )
        )
    elif vitals.live_workers == 0:
        found.append(
            Advice(
                Level.DEGRADED,
                "No worker is alive. Nothing is due now, but the next push will wait.",
                "Start a worker: `clay-push worker`.",
            )
        )
    elif vitals.idle_seconds is not None and vitals.idle_seconds > LATE_SECONDS:
        found.append(
            Advice(
                Level.DEGRADED,
                f"Leads have been due for {vitals.idle_seconds:.0f} s without a worker working on them.",
                "The workers are alive and behind: look at their CPU and log, then start another one.",
            )
        )
    if vitals.closed:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{_count(vitals.closed, 'destination is', 'destinations are')} closed, because Clay refuses the webhook.",
                "Nothing for you to repair: the organization must change its Clay settings (the reason is below).",
            )
        )
    if vitals.waiting:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{_count(vitals.waiting, 'destination waits', 'destinations wait')} out an outage of Clay.",
                "They are tried every 30 s and go on by themselves; look at Clay's status page. If all of them wait, check"
                " this machine's way to the Internet.",
            )
        )
    failed, finished = vitals.failed_last_hour, vitals.finished_last_hour
    if finished >= ENOUGH_TO_JUDGE and failed * 100 >= finished * MANY_FAILED_PERCENT:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{failed:,} of the last hour's {finished:,} leads failed.",
                "See the causes below; one cause in many organizations is Clay's or ours, in one organization it is theirs.",
            )
        )
    return found


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
