"""Sends one sample row to the stored webhook and reports the outcome, without a response body, URL or exception text."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics, queue
from clay_push_service.audit import Detail, audit
from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import Outcome, Verdict, outcome_of
from clay_push_service.clay.response import Response
from clay_push_service.clay.webhook_client import ClayClient, Target
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.database.failures import on_fresh_plan
from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.connection_test.result import Finding, finding_of, texts_of
from clay_push_service.destination_settings.connection_test.stages import (
    ConnectionStage,
    Stage,
    failed_stage,
    stages_of,
)
from clay_push_service.destinations.guard import BlockedError, Policy, check_url
from clay_push_service.destinations.quota import add_submissions
from clay_push_service.destinations.slot_gate import Slot, SlotGate
from clay_push_service.destinations.slots import WorkspaceKey, reserve_slots, throttle
from clay_push_service.destinations.state import reopen_tested
from clay_push_service.destinations.stored_destination import StoredWebhook
from clay_push_service.errors import TooManyRequestsError
from clay_push_service.leads.mapping.sample import build_mapped_sample
from clay_push_service.leads.sample_payload import build_sample
from clay_push_service.mappings.versions import read_compiled_of_webhook

MAX_WAIT_SECONDS = 2.0
"""Longest wait for a slot of the pace, in seconds. A test waits for its turn among other submissions, and a user waits for the result."""

log = logs.get(__name__)


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
                reservation, now = await reserve_slots(connection, workspace, 1, is_first_slot=True)
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
    async with database.transaction() as connection:
        mapping = await read_compiled_of_webhook(connection, org_id, webhook.version_id)
    gate = await gate_of_slot(database, webhook.workspace, clock)
    delivery_id, now = uuid4(), clock.now()
    sample = build_sample(delivery_id, now) if mapping is None else build_mapped_sample(mapping, delivery_id, now)
    response = await client.post(target, sample.body, gate)
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
    duration_ms = None if response is None else response.duration_ms
    finding = finding_of(outcome, duration_ms, failed_stage(response, outcome.cause, is_page=outcome.is_page))
    details: dict[str, Detail] = {
        "success": finding.success,
        "cause": finding.cause,
        "status": outcome.status,
        "destination_id": str(webhook.destination_id),
        "version_id": str(webhook.version_id),
        "stage": finding.failed_stage,
    }

    async def write() -> None:
        async with database.transaction() as connection:
            await _record(connection, webhook, outcome, duration_ms)
            await audit(connection, org_id, actor, "config.tested", details)

    await on_fresh_plan(write)
    return finding


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


class _LastTest(NamedTuple):
    at: datetime
    actor: str
    success: bool
    cause: str | None
    status: int | None
    stage: str | None


LAST = Statement(
    """
SELECT at, actor, coalesce(details ->> 'success' = 'true', false) AS success, details ->> 'cause' AS cause,
       CAST(details ->> 'status' AS integer) AS status, details ->> 'stage' AS stage
FROM clay.audit_log
WHERE org_id = :org_id AND action = 'config.tested' AND details ->> 'version_id' = CAST(:version_id AS text)
ORDER BY id DESC LIMIT 1
""",
    _LastTest,
)


class LastTest(NamedTuple):
    """The newest test of a version of the webhook."""

    at: datetime
    actor: str
    success: bool
    status: int | None
    stages: Sequence[Stage]


async def read_last_test(connection: AsyncConnection, org_id: UUID, version_id: UUID) -> LastTest | None:
    """None: never tested, or tested by a release that recorded no stage of a failure."""
    row = await LAST.one_or_none(connection, {"org_id": org_id, "version_id": str(version_id)})
    if row is None or (row.stage is None and not row.success):
        return None
    stage = None if row.stage is None else ConnectionStage(row.stage)
    message, remedy = texts_of(row.cause, stage)
    return LastTest(row.at, row.actor, row.success, row.status, stages_of(stage, row.cause, message, remedy))
