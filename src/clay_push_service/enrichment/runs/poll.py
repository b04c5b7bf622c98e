"""Polls a running run: reads its pages, each with a slot of the pace, and writes each page in one transaction."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from clay_push_service import logs, metrics
from clay_push_service.clay.routines_body import ResultsPage
from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.clay.routines_client import ApiKey
from clay_push_service.clay.routines_outcome import ApiFailure
from clay_push_service.database.failures import on_fresh_plan
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_jobs_of
from clay_push_service.enrichment.ledger.item_ends import ItemEnd, end_items
from clay_push_service.enrichment.ledger.items import items_of_run
from clay_push_service.enrichment.ledger.run_rows import Run, claim_due, end_run, next_poll, record_poll
from clay_push_service.enrichment.ledger.states import ItemOutcome, ItemState
from clay_push_service.enrichment.runs.context import EnrichmentContext
from clay_push_service.enrichment.runs.policy import (
    KEY_REFUSED_POLL_SECONDS,
    MISSING_AFTER_SECONDS,
    WITHOUT_RETRY_AFTER_SECONDS,
    poll_delay,
)
from clay_push_service.enrichment.runs.write_results import write_results
from clay_push_service.enrichment.settings.credentials import Credentials, credentials_of
from clay_push_service.enrichment.settings.pace import postpone_requests
from clay_push_service.enrichment.settings.table import ApiKeyState, read_settings, record_key_check

MAX_PAGES = 20
"""Most pages of one poll. A run has at most 100 items, so more pages mean that the cursor does not advance."""
RETRY_SECONDS = 1.0

log = logs.get(__name__)


@dataclass(slots=True)
class _Read:
    """What the pages of one poll contain."""

    is_complete: bool = False
    seen: set[str] = field(default_factory=set)
    failure: ApiFailure | None = None


async def poll_next(context: EnrichmentContext, org_id: UUID) -> float | None:
    """Polls the run that is due. Returns the seconds until the next call; None: no run is running."""

    async def read_plan() -> timedelta | None:
        async with context.database.transaction() as connection:
            return await next_poll(connection, org_id)

    wait = await on_fresh_plan(read_plan)
    if wait is None:
        return None
    if wait > timedelta():
        return wait.total_seconds()
    if (seconds := await context.reserve(org_id)) is not None:
        return seconds
    token = uuid4()
    async with context.database.transaction() as connection:
        run = await claim_due(connection, org_id, token, context.lease + context.lease)
        row = (await read_settings(connection, [org_id])).get(org_id)
        tables = await context.host.tables(connection)
        credentials = await credentials_of(connection, tables, row, org_id, context.box, context.settings)
    if run is None:
        return RETRY_SECONDS
    is_refused = row is not None and credentials.key_number and row.key_state == ApiKeyState.REFUSED
    if credentials.key is None or is_refused:
        await _note(context, run, token, KEY_REFUSED_POLL_SECONDS, _Read())
        return 0.0
    read = await _read_pages(context, run, credentials.key)
    await _finish(context, run, token, credentials, read)
    return 0.0


async def _read_pages(context: EnrichmentContext, run: Run, key: ApiKey) -> _Read:
    read = _Read()
    cursor: str | None = None
    for number in range(MAX_PAGES):
        while number and (seconds := await context.reserve(run.org_id)) is not None:
            await context.sleep(seconds)
        page = await context.client.read_results(key, run.clay_run_id or "", cursor)
        if isinstance(page, ApiFailure):
            read.failure = page
            break
        read.is_complete = page.is_complete
        read.seen |= {item.id for item in page.items}
        await _write(context, run, page)
        if page.cursor is None or page.cursor == cursor:
            break
        cursor = page.cursor
    metrics.ENRICHMENT_POLLS.labels(result="read" if read.failure is None else read.failure.cause.value).inc()
    return read


async def _write(context: EnrichmentContext, run: Run, page: ResultsPage) -> None:
    async def write() -> None:
        async with context.database.transaction() as connection:
            await write_results(connection, run, page.items, context.clock.now())

    await on_fresh_plan(write)


async def _finish(context: EnrichmentContext, run: Run, token: UUID, credentials: Credentials, read: _Read) -> None:
    match read.failure:
        case None:
            await _end_missing(context, run, read)
            is_complete = read.is_complete or run.complete_at is not None
            delay = poll_delay(run.polls, is_complete=is_complete, chance=context.chance())
        case ApiFailure(cause=ApiCause.NOT_FOUND):
            await _end_all(context, run, None, ItemCause.EXPIRED)
            return
        case ApiFailure(cause=ApiCause.RATE_LIMITED, retry_after_seconds=seconds):
            delay = WITHOUT_RETRY_AFTER_SECONDS if seconds is None else seconds
            async with context.database.transaction() as connection:
                await postpone_requests(connection, run.org_id, delay)
        case ApiFailure(cause=ApiCause.INVALID_CREDENTIALS):
            delay = KEY_REFUSED_POLL_SECONDS
            async with context.database.transaction() as connection:
                await record_key_check(connection, run.org_id, credentials.key_number, ApiKeyState.REFUSED)
        case _:  # a read is repeated; nothing is charged again
            delay = poll_delay(run.polls, is_complete=False, chance=context.chance())
    if read.failure is not None:
        log.warning("enrichment_run.not_read", run_id=str(run.id), cause=read.failure.cause.value)
    await _note(context, run, token, delay, read)


async def _end_missing(context: EnrichmentContext, run: Run, read: _Read) -> None:
    """Ends the items that are missing in a run that has been complete for some time."""
    if run.complete_at is None or not read.is_complete:
        return
    if (context.clock.now() - run.complete_at).total_seconds() >= MISSING_AFTER_SECONDS:
        await _end_all(context, run, read.seen, ItemCause.MISSING_RESULT)


async def _end_all(context: EnrichmentContext, run: Run, seen: Collection[str] | None, cause: ItemCause) -> None:
    """Ends the run's items that are not in `seen`; None: ends all of them, and the run."""
    async with context.database.transaction() as connection:
        items = [
            each for each in await items_of_run(connection, run.org_id, run.id) if str(each.id) not in (seen or ())
        ]
        await lock_jobs_of(connection, run.org_id, [each.id for each in items])
        ends = [ItemEnd(each.id, ItemOutcome.EXPIRED, cause) for each in items]
        if seen is None:
            await end_run(connection, run.org_id, run.id, cause.value)
        ended = await end_items(connection, run.org_id, ends, states=[ItemState.REQUESTED])
    if ended:
        log.warning("enrichment_run.results_missing", run_id=str(run.id), items=len(ended), cause=cause.value)


async def _note(context: EnrichmentContext, run: Run, token: UUID, seconds: float, read: _Read) -> None:
    async with context.database.transaction() as connection:
        await record_poll(
            connection, run.org_id, run.id, token, timedelta(seconds=seconds), is_complete=read.is_complete
        )
