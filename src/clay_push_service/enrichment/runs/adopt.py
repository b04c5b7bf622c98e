"""Adopts held runs: reads each run that Clay's webhook reported, and assigns it to the held run whose items its results name."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.clay.routines_body import ItemResult
from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.clay.routines_outcome import ApiFailure
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.counters import lock_jobs, recount
from clay_push_service.enrichment.ledger.items import items_of_run, request_items
from clay_push_service.enrichment.ledger.run_rows import end_runs_without_items, lock_run, set_running
from clay_push_service.enrichment.ledger.states import RunState
from clay_push_service.enrichment.runs.context import EnrichmentContext
from clay_push_service.enrichment.runs.reports import Report, ReportState, finish_report, has_report, next_report
from clay_push_service.enrichment.runs.write_results import write_results
from clay_push_service.enrichment.settings.credentials import Credentials, credentials_of
from clay_push_service.enrichment.settings.pace import postpone_requests
from clay_push_service.enrichment.settings.table import ApiKeyState, read_settings

PAUSE = timedelta(seconds=60)
"""Time between two reads of a report without a decision: a failed read, or a start that is still in flight."""
MAX_REPORTS = 20
"""Reports per call, so that other organizations get their turn."""

log = logs.get(__name__)


class _HeldItem(NamedTuple):
    """A held item that a result names."""

    id: UUID
    run_id: UUID


NAMED = Statement(
    """
SELECT id, run_id FROM clay.enrichment_items
WHERE org_id = :org_id AND id = ANY(CAST(:ids AS uuid[])) AND state IN ('starting', 'held')
""",
    _HeldItem,
)


async def adopt_reported(context: EnrichmentContext, org_id: UUID) -> int:
    """Read reported runs of an organization. Returns the number of adopted runs."""
    adopted = 0
    for _ in range(MAX_REPORTS):
        async with context.database.transaction() as connection:
            is_due = await has_report(connection, org_id)
        if not is_due or context.stopping.is_set() or await context.reserve(org_id) is not None:
            break
        async with context.database.transaction() as connection:
            report = await next_report(connection, org_id, PAUSE)
            row = (await read_settings(connection, [org_id])).get(org_id)
            tables = await context.host.tables(connection)
            credentials = await credentials_of(connection, tables, row, org_id, context.box, context.settings)
        is_refused = row is not None and credentials.key_number and row.key_state == ApiKeyState.REFUSED
        if report is None or is_refused:
            break
        adopted += await _read(context, org_id, report, credentials)
    return adopted


async def _read(context: EnrichmentContext, org_id: UUID, report: Report, credentials: Credentials) -> bool:
    if credentials.key is None:
        return False
    page = await context.client.read_results(credentials.key, report.clay_run_id)
    if isinstance(page, ApiFailure):
        async with context.database.transaction() as connection:
            if page.cause is ApiCause.NOT_FOUND:
                await finish_report(connection, org_id, report.id, ReportState.UNRELATED)
            elif page.cause is ApiCause.RATE_LIMITED and page.retry_after_seconds is not None:
                await postpone_requests(connection, org_id, page.retry_after_seconds)
        return False
    async with context.database.transaction() as connection:
        run_id = await _adopt(connection, org_id, report, page.items)
        if run_id is None and page.is_complete:
            await finish_report(connection, org_id, report.id, ReportState.UNRELATED)
    if run_id is None:
        return False
    log.info("enrichment_run.adopted", run_id=str(run_id), org_id=str(org_id))
    metrics.ENRICHMENT_STARTS.labels(result="adopted").inc()
    async with context.database.transaction() as connection:
        run = await lock_run(connection, org_id, run_id)
    if run is not None:
        async with context.database.transaction() as connection:
            await write_results(connection, run, page.items, context.clock.now())
    return True


async def _adopt(
    connection: AsyncConnection, org_id: UUID, report: Report, results: Sequence[ItemResult]
) -> UUID | None:
    """Stores Clay's id of the reported run in the held run whose items the results name. Returns the held run's id."""
    ids = [item_id for each in results if (item_id := _item_id(each.id)) is not None]
    named = await NAMED.rows(connection, {"org_id": org_id, "ids": ids})
    if not named:
        return None
    run_id = next(each.run_id for each in named)
    job_ids = {each.job_id for each in await items_of_run(connection, org_id, run_id)}
    await lock_jobs(connection, org_id, job_ids)
    run = await lock_run(connection, org_id, run_id)
    if run is None or run.state not in {RunState.STARTING, RunState.HELD}:
        return None
    await set_running(connection, org_id, run_id, report.clay_run_id, timedelta())
    await request_items(connection, org_id, run_id, run.expires_at)
    await end_runs_without_items(connection, org_id, [run_id])
    await recount(connection, org_id, job_ids)
    await finish_report(connection, org_id, report.id, ReportState.ADOPTED)
    return run_id


def _item_id(written: str) -> UUID | None:
    try:
        return UUID(written)
    except ValueError:
        return None
