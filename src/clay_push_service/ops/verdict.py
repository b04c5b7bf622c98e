"""What the facts mean at 3 a.m.: can it do its work, and a sentence for each thing to be done. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from clay_push_service.clay.cause import EXPLANATIONS, Cause, Who
from clay_push_service.ops.advice import Advice, Level, counted
from clay_push_service.ops.clocks import clock_advice
from clay_push_service.ops.health import StateCount, Vitals
from clay_push_service.ops.quota import quota_advice
from clay_push_service.ops.readiness import Readiness
from clay_push_service.ops.ring import RingCheck, ring_advice
from clay_push_service.states import DestinationState

LATE_SECONDS = 120
"""Sendable leads that nobody has worked on for so long; the sweep wakes them after 10 to 20 s."""
MANY_FAILED_PERCENT = 20
ENOUGH_TO_JUDGE = 20
"""Finished deliveries in the hour; of five, one is not a trend."""


@dataclass(frozen=True, slots=True)
class Verdict:
    level: Level
    advice: Sequence[Advice]

    @property
    def works(self) -> bool:
        return self.level is not Level.FAILING


def judge(
    ready: Readiness,
    vitals: Vitals | None,
    loosened: Sequence[str],
    *,
    has_keys: bool,
    ring: RingCheck | None = None,
    web_offset_seconds: float | None = None,
) -> Verdict:
    """The worst first. `ring` and `web_offset_seconds` (this process's clock) None: they were not looked at."""
    advice = [*_of_readiness(ready), *_of_rights(ready), *([] if vitals is None else _of_vitals(vitals))]
    if ready.is_ready and vitals is None:
        advice.append(
            Advice(Level.FAILING, "The database stopped answering in the middle of the check.", _LOOK_AT_DATABASE)
        )
    if not has_keys:
        advice.append(
            Advice(
                Level.DEGRADED,
                "No encryption key is set, so webhooks can be neither saved nor used. This process cannot check"
                " which keys the stored webhooks need.",
                "Make one with `clay-push secrets new`, set CLAY_PUSH_ENCRYPTION_KEYS and start the service again.",
            )
        )
    advice += clock_advice(web_offset_seconds, vitals.workers if vitals else ())
    if ring is not None:
        advice += ring_advice(ring)
    advice += [
        Advice(Level.DEGRADED, f"Loosened: {said}.", "Unset it, unless this is a demo or a test.") for said in loosened
    ]
    order = [Level.FAILING, Level.DEGRADED, Level.OK]
    advice.sort(key=lambda each: order.index(each.level))
    return Verdict(advice[0].level if advice else Level.OK, advice)


GRANT_RIGHTS = (
    "Run `clay-push attach` with CLAY_PUSH_ADMIN_DATABASE_URL and the level that you use: it grants exactly the columns"
    " that are lacking, and `--dry-run` prints them. `clay-push doctor` names them, too."
)

_LOOK_AT_DATABASE = (
    "Look at PostgreSQL first: is it running, reachable from here, and not out of connections? Nothing is lost"
    " meanwhile; the service goes on by itself when the database is back."
)


def _of_readiness(ready: Readiness) -> Sequence[Advice]:
    if ready.reason is None:
        return []
    if not ready.reachable:
        do = _LOOK_AT_DATABASE
    elif not ready.writable:
        do = (
            "Let CLAY_PUSH_DATABASE_URL name the primary. A list of hosts with `target_session_attrs=read-write` finds it"
            " after a failover, too. Nothing is lost meanwhile."
        )
    elif not ready.may_read:
        do = (
            "Run `clay-push migrate` as the admin role (CLAY_PUSH_ADMIN_DATABASE_URL): it grants the role of"
            " CLAY_PUSH_DATABASE_URL what it needs. PostgreSQL itself is well."
        )
    elif not ready.is_migrated:
        do = "Run `clay-push migrate`."
    elif not ready.may_read_host:
        do = GRANT_RIGHTS
    else:
        do = "Check CLAY_PUSH_HOST_SCHEMA and the grants on NexusLeads' tables: `clay-push doctor` names what is missing."
    return [Advice(Level.FAILING, ready.reason, do)]


def _of_rights(ready: Readiness) -> Sequence[Advice]:
    """Rights to write there: requests are answered without them."""
    if not ready.lacking or not ready.is_ready:
        return []
    more = f" (and {len(ready.lacking) - 1} more)" if len(ready.lacking) > 1 else ""
    sentence = ready.lacking[0]
    return [Advice(Level.DEGRADED, f"{sentence[0].upper()}{sentence[1:]}{more}.", GRANT_RIGHTS)]


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
    elif vitals.live_workers == 0 and vitals.live_jobs > 0:
        found.append(
            Advice(
                Level.FAILING,
                f"{counted(vitals.live_jobs, 'push job has', 'push jobs have')} not ended and no worker is alive.",
                "Nothing is due this second, but nothing will be sent either. Start a worker: `clay-push worker`.",
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
    found += [_of_closed(each) for each in vitals.states if each.state == "closed"]
    untrusted = vitals.waiting_because(Cause.CERTIFICATE_ERROR)
    if untrusted:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{counted(untrusted, 'destination waits', 'destinations wait')} because a server's certificate is not"
                " trusted.",
                "It has expired, is for another name, or a proxy on the way has an authority of its own: give it in"
                " CLAY_PUSH_CA_FILE and restart. Check this machine's time, too.",
            )
        )
    if vitals.waiting > untrusted:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{counted(vitals.waiting - untrusted, 'destination waits', 'destinations wait')} out an outage of Clay.",
                "They are tried every 30 s and go on by themselves; look at Clay's status page. If all of them wait, check"
                " this machine's way to the Internet.",
            )
        )
    found += quota_advice(vitals.quotas, vitals.names)
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


def _of_closed(closed: StateCount) -> Advice:
    """By reason: only some of them are Clay's doing, and for one the operator must act."""
    said = f"{counted(closed.count, 'destination is', 'destinations are')} closed"
    if closed.reason == Cause.SECRET_UNREADABLE:
        return Advice(
            Level.FAILING,
            f"{said}, because the stored webhook cannot be decrypted.",
            "You must act: a key is missing from CLAY_PUSH_ENCRYPTION_KEYS, or the row was altered. Put the key back and"
            " restart; `clay-push doctor` names what still cannot be opened.",
        )
    if closed.reason == Cause.BLOCKED:
        return Advice(
            Level.DEGRADED,
            f"{said}, because our own guard refuses the webhook's address.",
            "The organization must save a webhook URL of Clay's. If it was good before, look at"
            " CLAY_PUSH_ALLOWED_WEBHOOK_HOSTS and at this machine's DNS: a name that resolves to an internal address is"
            " refused.",
        )
    because = (closed.reason or "no reason noted").replace("_", " ")
    return Advice(
        Level.DEGRADED,
        f"{said}, because Clay refuses the webhook ({because}).",
        "Nothing for you to repair: the organization's Clay admin must act, and sees the remedy on its own page.",
    )


def whose(state: str, reason: str | None) -> tuple[str | None, str | None]:
    """What a destination's state means in a sentence, and who acts, told to the operator: `you` is the organization."""
    if state == DestinationState.WAITING and reason != Cause.CERTIFICATE_ERROR:
        return "Clay is out of reach or has a problem of its own; one lead tries it every 30 s.", "none"
    if reason not in set(Cause):
        return None, None
    explained = EXPLANATIONS[Cause(reason)]
    actor = {Who.YOU: "the organization", Who.CLAY_ADMIN: "the organization's Clay admin", Who.OPERATOR: "you"}
    return explained.message, actor.get(explained.who, "none")
