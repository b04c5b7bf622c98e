"""Sends one delivery that is marked `sending`, and passes its result to the result writer."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from clay_push_service import logs, metrics
from clay_push_service.clay.outcome import Outcome, Streak, Verdict, backoff_seconds, outcome_of
from clay_push_service.clay.response import NoResponse, NoResponseKind, Responded, Response
from clay_push_service.clay.webhook_client import Attempt, Target
from clay_push_service.database.failed_statement import failure
from clay_push_service.deliveries.results import Result
from clay_push_service.destinations.slot_gate import SlotGate
from clay_push_service.destinations.slots import WorkspaceKey, throttle
from clay_push_service.sending.build_payloads import Ready, Unsendable
from clay_push_service.sending.context import SendingContext

log = logs.get(__name__)


class SentJob(Protocol):
    """The values of a push job that an attempt needs. `probe`: the response shows whether an outage is over."""

    @property
    def id(self) -> UUID: ...
    @property
    def version_id(self) -> UUID: ...
    @property
    def workspace(self) -> WorkspaceKey: ...
    @property
    def target(self) -> Target: ...
    @property
    def probe(self) -> bool: ...


async def attempt(
    context: SendingContext, job: SentJob, ready: Ready, react: Callable[[Outcome], None], gate: SlotGate | None = None
) -> None:
    """Send the delivery once. `react` is called with the outcome, also when this is cancelled. A 429 throttles the workspace."""
    context.posts_in_flight += 1
    made = Attempt()
    try:
        await context.client.post(job.target, ready.payload.body, gate, made)
    except Exception as error:
        # The client returns failures as values, so an exception is a bug. A status that was read counts; without
        # one the delivery ends as `unknown`: retries would meet the same bug and the push job would never end.
        log.exception("delivery.unexpected_error", delivery_id=str(ready.claimed.delivery_id), **failure(error))
        if not isinstance(made.response, Responded):
            made.response = NoResponse(NoResponseKind.TIMEOUT)
    finally:
        context.posts_in_flight -= 1
        react(_record(context, job, ready, made.response, gate))


def _record(context: SendingContext, job: SentJob, ready: Ready, response: Response, gate: SlotGate | None) -> Outcome:
    outcome = outcome_of(response, ready.claimed.attempts + 1, context.clock.now())
    if job.probe and outcome.counts_toward is Streak.OUTAGE:
        outcome = replace(outcome, verdict=Verdict.WAIT, retry_after_seconds=None, uses_attempt=False)
    delay = 0.0
    if outcome.verdict is Verdict.RETRY:
        delay = backoff_seconds(ready.claimed.attempts + 1, context.config.retry_delays, context.random.random())
    context.result_writer.add(
        Result(
            ready.claimed.delivery_id, job.id, job.version_id, ready.claimed.token, outcome, delay,
            attempts=ready.claimed.attempts, duration_ms=response.duration_ms, payload_hash=ready.payload.hash,
            late_seconds=None if gate is None else gate.late_seconds,
        )
    )  # fmt: skip
    if outcome.verdict is Verdict.WAIT and outcome.status is not None and outcome.retry_after_seconds is not None:
        metrics.THROTTLED.inc()
        context.track(
            asyncio.create_task(_throttle(context, job.workspace, outcome.retry_after_seconds, response.duration_ms))
        )
    return outcome


def record_unsendable(context: SendingContext, job_id: UUID, version_id: UUID, unsendable: Unsendable) -> None:
    """Record a delivery that fails before any POST."""
    outcome = Outcome(Verdict.FAILED, unsendable.cause, uses_attempt=False)
    context.result_writer.add(
        Result(
            unsendable.claimed.delivery_id, job_id, version_id, unsendable.claimed.token, outcome,
            attempts=unsendable.claimed.attempts, detail=unsendable.detail, sent=False,
        )
    )  # fmt: skip


async def _throttle(
    context: SendingContext, workspace: WorkspaceKey, retry_after_seconds: float, answered_in_ms: int
) -> None:
    try:
        async with context.database.transaction() as connection:
            await throttle(connection, workspace, retry_after_seconds, answered_in_ms)
    except Exception as error:  # noqa: BLE001 - the next 429 throttles
        log.warning("pace.not_throttled", org_id=str(workspace.org_id), **failure(error))
