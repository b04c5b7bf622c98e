"""Repairs enrichment: starts of killed workers become held, overdue items end, and lost wake-ups are queued again."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics, queue
from clay_push_service.database.database import Database
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_jobs, lock_jobs_of, recount
from clay_push_service.enrichment.ledger.item_ends import (
    ItemEnd,
    OverdueItem,
    end_items,
    organizations_overdue,
    overdue_items,
)
from clay_push_service.enrichment.ledger.items import hold_items, items_of_run
from clay_push_service.enrichment.ledger.run_rows import hold_run, lock_run
from clay_push_service.enrichment.ledger.settle import end_unsent_items, organizations_unsent
from clay_push_service.enrichment.ledger.states import ItemOutcome, ItemState, RequestWay, RunState
from clay_push_service.enrichment.runs.reports import expire_reports, organizations_with_reports

BATCH = 500

log = logs.get(__name__)


class _RunKey(NamedTuple):
    id: UUID
    org_id: UUID


LOST_STARTS = Statement(
    "SELECT id, org_id FROM clay.enrichment_runs WHERE state = 'starting' AND lease_until < now() ORDER BY id LIMIT 100",
    _RunKey,
)
IDLE_ORGANIZATIONS = Statement(
    f"""
SELECT due.org_id FROM (
    SELECT DISTINCT org_id FROM clay.enrichment_items
    WHERE state = 'queued' AND way = 'routine' AND due_at <= now()
    UNION
    SELECT DISTINCT org_id FROM clay.enrichment_runs
    WHERE state = 'running' AND next_poll_at <= now() AND (lease_until IS NULL OR lease_until < now())) AS due
WHERE NOT EXISTS (
    SELECT 1 FROM clay.procrastinate_jobs
    WHERE status = 'todo' AND task_name = '{queue.ENRICH}' AND args ->> 'org_id' = CAST(due.org_id AS text))
""",
    UUID,
)


async def sweep(database: Database) -> None:
    """Runs one pass, in short transactions."""
    async with database.transaction() as connection:
        lost_starts = await LOST_STARTS.rows(connection)
        overdue = await organizations_overdue(connection)
        unsent = await organizations_unsent(connection)
    for each in lost_starts:
        async with database.transaction() as connection:
            await _hold(connection, each)
    for org_id in unsent:
        async with database.transaction() as connection:
            await end_unsent_items(connection, org_id)
    for org_id in overdue:
        async with database.transaction() as connection:
            await _end_overdue(connection, org_id)
    async with database.transaction() as connection:
        await expire_reports(connection)
        reported = await organizations_with_reports(connection)
        for org_id in {*await IDLE_ORGANIZATIONS.rows(connection), *reported}:
            await queue.wake_enrichment(connection, org_id)


async def _hold(connection: AsyncConnection, run_key: _RunKey) -> None:
    """Holds a run whose worker died between the commit and the recorded response: Clay may be running it."""
    items = await items_of_run(connection, run_key.org_id, run_key.id)
    job_ids = {each.job_id for each in items}
    await lock_jobs(connection, run_key.org_id, job_ids)
    run = await lock_run(connection, run_key.org_id, run_key.id)
    if run is None or run.state != RunState.STARTING:
        return
    await hold_run(connection, run_key.org_id, run_key.id)
    await hold_items(connection, run_key.org_id, run_key.id, run.expires_at)
    await recount(connection, run_key.org_id, job_ids)
    metrics.ENRICHMENT_STARTS.labels(result="held").inc()
    log.warning("enrichment_run.held", run_id=str(run_key.id), items=len(items))


async def _end_overdue(connection: AsyncConnection, org_id: UUID) -> None:
    overdue = await overdue_items(connection, org_id, BATCH)
    await lock_jobs_of(connection, org_id, [each.id for each in overdue])
    ends = [_end(each) for each in overdue]
    ended = await end_items(connection, org_id, ends, states=[ItemState.HELD, ItemState.REQUESTED])
    log.warning("enrichment.items_overdue", org_id=str(org_id), items=len(ended))


def _end(overdue: OverdueItem) -> ItemEnd:
    if overdue.way == RequestWay.TABLE:
        return ItemEnd(overdue.id, ItemOutcome.EXPIRED, ItemCause.NO_ANSWER)
    if overdue.state == ItemState.HELD:
        return ItemEnd(overdue.id, ItemOutcome.EXPIRED, ItemCause.HELD)
    return ItemEnd(overdue.id, ItemOutcome.EXPIRED, ItemCause.STILL_RUNNING)
