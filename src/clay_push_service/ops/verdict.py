"""Turns the facts of readiness, health, keys and clocks into a level and advice for `/status`. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clay_push_service.clay.cause import EXPLANATIONS, Cause, Who
from clay_push_service.ops.advice import Advice, Level, counted
from clay_push_service.ops.clocks import clock_advice
from clay_push_service.ops.enrichment_load import enrichment_advice
from clay_push_service.ops.health import StateCount, Vitals
from clay_push_service.ops.quota import quota_advice
from clay_push_service.ops.readiness import Readiness
from clay_push_service.ops.ring import RingCheck, ring_advice
from clay_push_service.ops.routing_load import routing_advice
from clay_push_service.states import DestinationState

LATE_SECONDS = 120
"""How long sendable leads may be due without a slice; the sweep wakes them after 10 to 20 s."""
MANY_FAILED_PERCENT = 20
LEAST_FINISHED = 20
"""Least number of finished deliveries in the hour for advice about the failure rate."""


@dataclass(frozen=True, slots=True)
class Verdict:
    level: Level
    advice: Sequence[Advice]

    @property
    def works(self) -> bool:
        return self.level is not Level.FAILING


def assess(
    ready: Readiness,
    vitals: Vitals | None,
    insecure: Sequence[str],
    *,
    has_keys: bool,
    ring: RingCheck | None = None,
    web_offset_seconds: float | None = None,
) -> Verdict:
    """Advice is sorted, the most urgent first. `ring` and `web_offset_seconds` (this process's clock) None: not checked."""
    advice = [*readiness_advice(ready), *work_advice(ready, vitals)]
    if ready.is_ready and vitals is None:
        advice.append(Advice(Level.FAILING, "The database stopped responding during the check.", _CHECK_DATABASE))
    if not has_keys:
        advice.append(
            Advice(
                Level.DEGRADED,
                "No encryption key is set, so webhooks cannot be saved or used. This process cannot check"
                " which keys the stored webhooks need.",
                "Generate a key with `clay-push secrets new`, set CLAY_PUSH_ENCRYPTION_KEYS and restart the service.",
            )
        )
    advice += clock_advice("this web process", web_offset_seconds)
    if ring is not None:
        advice += ring_advice(ring)
    advice += [
        Advice(Level.DEGRADED, f"Insecure setting: {each}.", "Unset it, unless this is a demo or a test.")
        for each in insecure
    ]
    advice = most_urgent_first(advice)
    return Verdict(advice[0].level if advice else Level.OK, advice)


def work_advice(ready: Readiness, vitals: Vitals | None) -> list[Advice]:
    """Returns advice that `readiness_advice` does not cover: rights, workers, destinations, quota and clocks. `vitals` None: not read."""
    return [*_rights_advice(ready), *([] if vitals is None else _vitals_advice(vitals))]


def most_urgent_first(advice: Iterable[Advice]) -> list[Advice]:
    order = [Level.FAILING, Level.DEGRADED, Level.OK]
    return sorted(advice, key=lambda each: order.index(each.level))


GRANT_RIGHTS = (
    "Run `clay-push attach` with CLAY_PUSH_ADMIN_DATABASE_URL and your attachment level: it grants exactly the missing"
    " columns, and `--dry-run` prints the statements. `clay-push doctor` lists the columns, too."
)

_CHECK_DATABASE = (
    "Check that PostgreSQL runs, is reachable from this machine and has free connections. Queued leads are kept; the service"
    " continues without a restart when the database is back."
)


def readiness_advice(ready: Readiness) -> Sequence[Advice]:
    """Returns cause and remedy when the instance is not ready; else an empty list."""
    if ready.reason is None:
        return []
    if not ready.reachable:
        do = _CHECK_DATABASE
    elif not ready.writable:
        do = (
            "Set CLAY_PUSH_DATABASE_URL to the primary. A list of hosts with `target_session_attrs=read-write` follows a failover."
            " Queued leads are kept."
        )
    elif not ready.may_read:
        do = (
            "Run `clay-push migrate` with CLAY_PUSH_ADMIN_DATABASE_URL: it grants the role of CLAY_PUSH_DATABASE_URL the rights that"
            " it needs. The database itself responds."
        )
    elif not ready.is_migrated:
        do = "Run `clay-push migrate`, then restart the service."
    elif not ready.may_read_host:
        do = GRANT_RIGHTS
    else:
        do = "Check CLAY_PUSH_HOST_SCHEMA and the grants on NexusLeads' tables: `clay-push doctor` lists what is missing."
    return [Advice(Level.FAILING, ready.reason, do)]


def _rights_advice(ready: Readiness) -> Sequence[Advice]:
    """Missing write rights on NexusLeads' tables; requests succeed without them."""
    if not ready.lacking or not ready.is_ready:
        return []
    more = f" (and {len(ready.lacking) - 1} more)" if len(ready.lacking) > 1 else ""
    sentence = ready.lacking[0]
    return [Advice(Level.DEGRADED, f"{sentence[0].upper()}{sentence[1:]}{more}.", GRANT_RIGHTS)]


def _vitals_advice(vitals: Vitals) -> Sequence[Advice]:
    found = []
    if vitals.live_workers == 0 and vitals.due > 0:
        found.append(
            Advice(
                Level.FAILING,
                f"{vitals.due:,} leads are due and no worker is running.",
                "Start a worker: `clay-push worker` (or `serve --with-worker`). If one should be running, read the end of"
                " its log: a worker exits when it loses the database.",
            )
        )
    elif vitals.live_workers == 0 and vitals.live_jobs > 0:
        found.append(
            Advice(
                Level.FAILING,
                f"{counted(vitals.live_jobs, 'push job has', 'push jobs have')} not finished and no worker is running.",
                "No lead is due now, but leads that become due will not be sent. Start a worker: `clay-push worker`.",
            )
        )
    elif vitals.live_workers == 0:
        found.append(
            Advice(
                Level.DEGRADED,
                "No worker is running. No lead is due now, but the next push will not be sent.",
                "Start a worker: `clay-push worker`.",
            )
        )
    elif vitals.idle_seconds is not None and vitals.idle_seconds > LATE_SECONDS:
        found.append(
            Advice(
                Level.DEGRADED,
                f"Leads have been due for {vitals.idle_seconds:.0f} s and no worker sends them.",
                "Workers are running but do not keep up. Check their CPU and log, then start another worker.",
            )
        )
    found += [_closed_advice(each) for each in vitals.states if each.state == "closed"]
    untrusted = vitals.waiting_because(Cause.CERTIFICATE_ERROR)
    if untrusted:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{counted(untrusted, 'destination waits', 'destinations wait')} because a server certificate is not"
                " trusted.",
                "The certificate has expired, is for another name, or comes from a proxy with its own authority. Name that authority in"
                " CLAY_PUSH_CA_FILE and restart. Check this machine's clock, too.",
            )
        )
    if vitals.waiting > untrusted:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{counted(vitals.waiting - untrusted, 'destination waits', 'destinations wait')} until an outage of Clay ends.",
                "The service tries each every 30 s and continues when Clay responds. Check Clay's status page. If all destinations wait,"
                " check this machine's Internet connection.",
            )
        )
    found += quota_advice(vitals.quotas, vitals.names)
    found += [*enrichment_advice(vitals.enrichment, vitals.suspect), *routing_advice(vitals.routing)]
    failed, finished = vitals.failed_last_hour, vitals.finished_last_hour
    if finished >= LEAST_FINISHED and failed * 100 >= finished * MANY_FAILED_PERCENT:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{failed:,} of the last hour's {finished:,} leads failed.",
                "Check the causes below. One cause in many organizations points to Clay or this service; one cause in a single organization"
                " points to its data or its Clay table.",
            )
        )
    for worker in vitals.workers:
        if worker.is_live:
            found += clock_advice(f"worker {worker.hostname}:{worker.pid}", worker.clock_offset_seconds)
    return found


def _closed_advice(closed: StateCount) -> Advice:
    """Returns advice by reason: Clay refuses, our guard refuses, or a key is missing."""
    destinations = f"{counted(closed.count, 'destination is', 'destinations are')} closed"
    if closed.reason == Cause.SECRET_UNREADABLE:
        return Advice(
            Level.FAILING,
            f"{destinations}, because the stored webhook cannot be decrypted.",
            "A key is missing from CLAY_PUSH_ENCRYPTION_KEYS, or the row was altered. Put the key back and restart;"
            " `clay-push doctor` lists the values that still cannot be decrypted. The organization cannot repair this.",
        )
    if closed.reason == Cause.BLOCKED:
        return Advice(
            Level.DEGRADED,
            f"{destinations}, because this service refuses the webhook's address.",
            "The organization must save a webhook URL from Clay. If the URL worked before, check CLAY_PUSH_ALLOWED_WEBHOOK_HOSTS"
            " and this machine's DNS: a name that resolves to an internal address is refused.",
        )
    because = (closed.reason or "no reason recorded").replace("_", " ")
    return Advice(
        Level.DEGRADED,
        f"{destinations}, because Clay refuses the webhook ({because}).",
        "The organization's Clay admin must repair the webhook; the organization's settings page shows the remedy. The operator has"
        " nothing to do.",
    )


def explain_state(state: str, reason: str | None) -> tuple[str | None, str | None]:
    """A destination's state in a sentence, and who must act, for the operator. `Who.YOU` is the organization."""
    if state == DestinationState.WAITING and reason != Cause.CERTIFICATE_ERROR:
        return "Clay is unreachable or returns errors; the service tries one lead every 30 s.", "none"
    if reason not in set(Cause):
        return None, None
    explained = EXPLANATIONS[Cause(reason)]
    actor = {Who.YOU: "the organization", Who.CLAY_ADMIN: "the organization's Clay admin", Who.OPERATOR: "you"}
    return explained.message, actor.get(explained.who, "none")
