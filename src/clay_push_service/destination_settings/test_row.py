"""Sends one sample row to the stored webhook and reports the outcome, without a response body, URL or exception text."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics, queue
from clay_push_service.audit import Detail, audit
from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.clay.outcome import Outcome, Verdict, outcome_of
from clay_push_service.clay.response import Response
from clay_push_service.clay.webhook_client import ClayClient, Target
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.database.failures import on_fresh_plan
from clay_push_service.destinations.guard import BlockedError, Policy, check_url
from clay_push_service.destinations.quota import add_submissions
from clay_push_service.destinations.slot_gate import Slot, SlotGate
from clay_push_service.destinations.slots import WorkspaceKey, reserve_slots, throttle
from clay_push_service.destinations.state import reopen_tested
from clay_push_service.destinations.unsealed import StoredWebhook
from clay_push_service.errors import TooManyRequestsError
from clay_push_service.leads.sample_payload import build_sample

MAX_WAIT_SECONDS = 2.0
"""Longest wait for a slot of the pace: a test takes its turn among other submissions, and a person waits for its result."""

THROTTLED = "throttled"
"""Used by tests only: a push waits after a 429, so no delivery has this cause."""
NOT_A_WEBHOOK = "not_a_webhook"
"""Used by tests only: in a push such a response counts as a success, because Clay's response body is undocumented."""

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a test. `cause` is None if Clay accepted the row; `duration_ms` is None if nothing was sent."""

    success: bool
    message: str
    status: int | None = None
    cause: str | None = None
    remedy: str | None = None
    duration_ms: int | None = None


AGAIN = "Test again in a minute."
FAILURE_TEXTS: Mapping[Cause, tuple[str, str]] = MappingProxyType(
    {
        Cause.REJECTED: (
            "Clay refused the test row.",
            "Look at Clay's status code, and at the webhook source in Clay.",
        ),
        Cause.SERVER_ERROR: ("Clay returned a server error.", AGAIN),
        Cause.NETWORK_ERROR: ("Clay could not be reached.", AGAIN),
        Cause.CERTIFICATE_ERROR: (
            "The certificate of the webhook's server is not trusted, so nothing was sent.",
            "Check the webhook URL. If it is right, ask the NexusLeads operator: a proxy's authority belongs in CLAY_PUSH_CA_FILE.",
        ),
        Cause.UNKNOWN: (
            "Clay gave no clear response, so the test row may or may not be in your table.",
            "Look for it in your Clay table; it counts as a submission.",
        ),
        Cause.BLOCKED: (
            "NexusLeads is not allowed to send to the address of this webhook.",
            "Save a webhook URL that Clay gave you in Settings → Integrations.",
        ),
        Cause.UNAUTHORIZED: (
            "Clay rejected the auth token of the webhook.",
            "Copy the webhook source's token from Clay into Settings → Integrations; a new one may take Clay a minute.",
        ),
        Cause.QUOTA_EXHAUSTED: (
            "This webhook has used up its 50,000 lifetime submissions.",
            "Create a new webhook source in Clay (for the same table, if you like) and save its URL in Settings.",
        ),
        Cause.WEBHOOK_GONE: (
            "This webhook does not exist in Clay.",
            "Copy the webhook URL from your Clay table into Settings → Integrations.",
        ),
        Cause.SECRET_UNREADABLE: (
            "The stored webhook URL could not be decrypted.",
            "Save the webhook URL again in Settings → Integrations, or ask the NexusLeads operator.",
        ),
    }
)
"""Message and remedy of a failed test, where those of a delivery are about leads and retries."""


async def gate_of_slot(database: Database, workspace: WorkspaceKey, clock: DatabaseClock) -> SlotGate:
    """Reserve a slot of the pace for one POST. Without a pace the slot is now. Holds no connection to PostgreSQL.

    Raises 429 when no slot is free within two seconds.
    """
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    wait_seconds = 1.0

    async def reserve() -> Slot | None:
        nonlocal wait_seconds
        while True:
            requested_at = time.monotonic()
            async with database.transaction() as connection:
                reservation, now = await reserve_slots(connection, workspace, 1, newcomer=True)
            clock.learn(now, requested_at, time.monotonic())
            if reservation.slots or reservation.unpaced:
                return Slot(reservation.slots[0] if reservation.slots else now, reservation.interval)
            wait_seconds = max(reservation.wait.total_seconds(), 0.05)
            if time.monotonic() + wait_seconds > deadline:
                return None
            await asyncio.sleep(wait_seconds)

    slot = await reserve()
    if slot is None:
        raise _busy(wait_seconds)
    return SlotGate(slot, clock, defaultdict(lambda: float("-inf")), workspace.id, reserve)


def _busy(seconds: float) -> TooManyRequestsError:
    return TooManyRequestsError(
        "Other leads are being sent to this webhook, or Clay requested a pause. Test again in a few seconds.",
        code="pace_busy",
        headers={"Retry-After": str(int(seconds) + 1)},
    )


async def try_webhook(
    database: Database,
    client: ClayClient,
    policy: Policy,
    org_id: UUID,
    actor: str,
    webhook: StoredWebhook,
    clock: DatabaseClock,
) -> Finding:
    """Send one POST, which is one submission. Success opens a closed or waiting destination; a failure closes nothing."""
    if webhook.url is None:
        # The same alarm as in a push: a test may be the first to need a missing key.
        log.error("destination.secret_unreadable", version_id=str(webhook.version_id), org_id=str(org_id))
        metrics.SECRETS_UNREADABLE.inc()
        return await _recorded(database, org_id, actor, webhook, Outcome(Verdict.FAILED, Cause.SECRET_UNREADABLE))
    try:
        target = Target(check_url(webhook.url, policy), webhook.token)
    except BlockedError:
        return await _recorded(database, org_id, actor, webhook, Outcome(Verdict.FAILED, Cause.BLOCKED))
    gate = await gate_of_slot(database, webhook.workspace, clock)
    response = await client.post(target, build_sample(uuid4(), clock.now()).body, gate)
    if gate.lost:
        raise _busy(1.0)
    outcome = outcome_of(response, attempts=1, now=clock.now(), max_attempts=1)
    return await _recorded(database, org_id, actor, webhook, outcome, response)


async def _recorded(
    database: Database,
    org_id: UUID,
    actor: str,
    webhook: StoredWebhook,
    outcome: Outcome,
    response: Response | None = None,
) -> Finding:
    details: dict[str, Detail] = {
        "success": _is_accepted(outcome),
        "cause": NOT_A_WEBHOOK if outcome.is_page else outcome.cause,
        "status": outcome.status,
        "version_id": str(webhook.version_id),
    }

    duration_ms = None if response is None else response.duration_ms

    async def write() -> None:
        async with database.transaction() as connection:
            await _record(connection, webhook, outcome, duration_ms)
            await audit(connection, org_id, actor, "config.tested", details)

    await on_fresh_plan(write)
    return finding_of(outcome, duration_ms)


async def _record(
    connection: AsyncConnection, webhook: StoredWebhook, outcome: Outcome, duration_ms: int | None
) -> None:
    if _is_accepted(outcome):
        await reopen_tested(connection, webhook.workspace.org_id, webhook.version_id)
        await queue.wake_live(connection, webhook.workspace.org_id)
    await add_submissions(connection, {webhook.version_id: outcome.submissions})
    if outcome.status == 429 and outcome.retry_after_seconds is not None:  # noqa: PLR2004 - Clay's "too many requests"
        await throttle(connection, webhook.workspace, outcome.retry_after_seconds, duration_ms or 0)


def _is_accepted(outcome: Outcome) -> bool:
    return outcome.verdict is Verdict.SUCCESS and not outcome.is_page


def finding_of(outcome: Outcome, duration_ms: int | None) -> Finding:
    """The outcome of a test as a message and a remedy."""
    match outcome.verdict:
        case Verdict.SUCCESS if outcome.is_page:
            return Finding(
                success=False,
                message="A web page responded, so this is not a webhook.",
                status=outcome.status,
                cause=NOT_A_WEBHOOK,
                remedy="Copy the webhook URL from the table's webhook source in Clay, and save it in Settings.",
                duration_ms=duration_ms,
            )
        case Verdict.SUCCESS:
            message = "Clay accepted a test row. Delete it from your table after checking it."
            return Finding(success=True, message=message, status=outcome.status, duration_ms=duration_ms)
        case Verdict.WAIT:
            seconds = round(outcome.retry_after_seconds or 1)
            message = "Clay receives too many requests now and did not accept the test row."
            remedy = f"Test again in {seconds} s."
            return Finding(
                success=False,
                message=message,
                status=outcome.status,
                cause=THROTTLED,
                remedy=remedy,
                duration_ms=duration_ms,
            )
        case Verdict.FAILED | Verdict.RETRY:
            cause = outcome.cause or Cause.UNKNOWN
            explanation = EXPLANATIONS[cause]
            message, remedy = FAILURE_TEXTS.get(cause, (explanation.message, explanation.remedy))
            return Finding(
                success=False,
                message=message,
                status=outcome.status,
                cause=cause,
                remedy=remedy,
                duration_ms=duration_ms,
            )
