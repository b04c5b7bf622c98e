"""Records the response to the start of a run: the run with its items, the key, the pace and the rules, in one transaction."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.clay.routines_client import RunStarted
from clay_push_service.clay.routines_outcome import ApiFailure
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE, is_about_the_data
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_jobs, read_cancelled_jobs, read_queued_jobs, recount
from clay_push_service.enrichment.ledger.item_ends import FREE, ItemEnd, end_items, end_queued
from clay_push_service.enrichment.ledger.items import RunItemRow, hold_items, items_of_run, request_items, return_items
from clay_push_service.enrichment.ledger.run_rows import (
    end_run,
    end_runs_without_items,
    hold_run,
    lock_run,
    set_running,
)
from clay_push_service.enrichment.ledger.states import ItemOutcome, ItemState, RunState
from clay_push_service.enrichment.runs.context import EnrichmentContext
from clay_push_service.enrichment.runs.policy import (
    POLL_SECONDS,
    RATE_LIMIT_PATIENCE_SECONDS,
    StartAction,
    StartDecision,
    after_start,
)
from clay_push_service.enrichment.settings.pace import pause_rules, postpone_requests
from clay_push_service.enrichment.settings.table import ApiKeyState, record_key_check

RETRY_SECONDS = 1.0
RETRIES = 20
"""Seconds to write the response. A response that is not written in this time is lost: then the run is held, and a result can still adopt it."""

log = logs.get(__name__)


async def record_start(
    context: EnrichmentContext, org_id: UUID, run_id: UUID, key_number: int, response: RunStarted | ApiFailure
) -> None:
    """Writes the response. Repeats the write while the database is unavailable, because the request must not be repeated."""
    for attempt in range(RETRIES + 1):
        try:
            async with context.database.transaction() as connection:
                result = await _record(context, connection, org_id, run_id, key_number, response)
        except UNAVAILABLE as error:
            if attempt == RETRIES or is_about_the_data(error):
                raise
            log.warning("enrichment_run.not_recorded", run_id=str(run_id), **failure(error))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            log.info("enrichment_run.start", run_id=str(run_id), org_id=str(org_id), result=result)
            metrics.ENRICHMENT_STARTS.labels(result=result).inc()
            return


async def _record(
    context: EnrichmentContext,
    connection: AsyncConnection,
    org_id: UUID,
    run_id: UUID,
    key_number: int,
    response: RunStarted | ApiFailure,
) -> str:
    """Returns the label for the metric: `started`, or the cause."""
    items = await items_of_run(connection, org_id, run_id)
    decision = None if isinstance(response, RunStarted) else after_start(response, _attempts(items))
    others = await _note_account(connection, org_id, key_number, decision)
    job_ids = sorted({each.job_id for each in items} | set(others))
    await lock_jobs(connection, org_id, job_ids)
    run = await lock_run(connection, org_id, run_id)
    if run is None or run.state not in {RunState.STARTING, RunState.HELD}:
        return "late"
    if isinstance(response, RunStarted):
        delay = timedelta(seconds=POLL_SECONDS[0])
        if await set_running(connection, org_id, run_id, response.run_id, delay):
            await request_items(connection, org_id, run_id, run.expires_at)
            await end_runs_without_items(connection, org_id, [run_id])
    elif decision is not None and run.state == RunState.STARTING:
        if decision.then is StartAction.HOLD:
            await hold_run(connection, org_id, run_id)
            await hold_items(connection, org_id, run_id, run.expires_at)
        else:
            await _not_started(context, connection, org_id, run_id, decision, job_ids)
    await recount(connection, org_id, job_ids)
    return "started" if decision is None else decision.cause.value


async def _note_account(
    connection: AsyncConnection, org_id: UUID, key_number: int, decision: StartDecision | None
) -> Sequence[UUID]:
    """Writes what the response shows about key, pace and credits. Returns further jobs that end."""
    match decision:
        case StartDecision(then=StartAction.CLOSE_KEY):
            await record_key_check(connection, org_id, key_number, ApiKeyState.REFUSED)
            return await read_queued_jobs(connection, org_id)
        case StartDecision(then=StartAction.PAUSE_RULES, cause=cause):
            if await pause_rules(connection, org_id, cause):
                log.warning("enrichment.rules_paused", org_id=str(org_id), cause=cause.value)
        case StartDecision(then=StartAction.RETURN, wait_seconds=seconds):
            await postpone_requests(connection, org_id, seconds)
        case None:
            await record_key_check(connection, org_id, key_number, ApiKeyState.ACCEPTED)
    return ()


async def _not_started(
    context: EnrichmentContext,
    connection: AsyncConnection,
    org_id: UUID,
    run_id: UUID,
    decision: StartDecision,
    job_ids: Sequence[UUID],
) -> None:
    """Handles a run that Clay did not start: its items end, or are queued for another run."""
    cause = ItemCause(decision.cause.value)
    items = await items_of_run(connection, org_id, run_id)
    if decision.then is StartAction.RETURN:
        patience = timedelta(seconds=RATE_LIMIT_PATIENCE_SECONDS)
        now = context.clock.now()
        failed = [each for each in items if each.throttled_at is not None and now - each.throttled_at > patience]
    else:
        failed = [] if decision.then is StartAction.RETRY else list(items)
    await end_items(
        connection, org_id, [_failed(each, cause) for each in failed], states=[ItemState.STARTING]
    )  # fmt: skip
    await return_items(
        connection, org_id, run_id, delay=timedelta(seconds=decision.wait_seconds), uses_attempt=decision.uses_attempt,
        is_throttled=decision.then is StartAction.RETURN,
    )  # fmt: skip
    await end_run(connection, org_id, run_id, decision.cause.value)
    # A cancellation while the start was in flight found these items as requested.
    cancelled = await read_cancelled_jobs(connection, org_id, job_ids)
    await end_queued(connection, org_id, cancelled, ItemOutcome.CANCELLED, ItemCause.CANCELLED)
    if decision.then in {StartAction.FAIL_JOBS, StartAction.PAUSE_RULES, StartAction.CLOSE_KEY}:
        await end_queued(connection, org_id, job_ids, ItemOutcome.FAILED, cause)


def _failed(item: RunItemRow, cause: ItemCause) -> ItemEnd:
    none_credits, none_actions, basis = FREE
    return ItemEnd(item.id, ItemOutcome.FAILED, cause, credits=none_credits, actions=none_actions, cost_basis=basis)


def _attempts(items: Sequence[RunItemRow]) -> int:
    return max((each.attempts for each in items), default=0)
