"""Starts a run of a routine for queued items: marks it `starting`, commits, and only then sends the request, once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.clay.routines_body import MAX_ITEMS, RunItem
from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.clay.routines_client import ApiKey
from clay_push_service.database.failures import on_fresh_plan
from clay_push_service.deliveries.suppression import read_excluded
from clay_push_service.enrichment.ledger.budget import Reservation, read_budget
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_queued_jobs, recount
from clay_push_service.enrichment.ledger.item_ends import ItemEnd, end_items, end_queued
from clay_push_service.enrichment.ledger.items import DueItem, next_queued, start_items, take_due
from clay_push_service.enrichment.ledger.run_rows import create_run
from clay_push_service.enrichment.ledger.states import ItemOutcome, ItemState
from clay_push_service.enrichment.runs.context import EnrichmentContext
from clay_push_service.enrichment.runs.record_start import record_start
from clay_push_service.enrichment.settings.credentials import credentials_of
from clay_push_service.enrichment.settings.kinds import Kind, price_of
from clay_push_service.enrichment.settings.maps import inputs_of, missing_values
from clay_push_service.enrichment.settings.table import (
    ApiKeyState,
    Routine,
    SettingsRow,
    lock_settings,
    read_routines,
)
from clay_push_service.enrichment.values.erased import read_erased
from clay_push_service.gate import read_gate
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables

BUDGET_POLL_SECONDS = 5.0
"""Seconds until the next try, while results can still lower what today's items have reserved."""
RETRY_SECONDS = 1.0
"""Seconds until the next try, after another worker has taken the items."""

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """A run in state `starting`, committed."""

    id: UUID
    org_id: UUID
    key: ApiKey
    key_number: int
    routine_id: str
    items: Sequence[RunItem]
    webhook_id: str | None

    def __repr__(self) -> str:
        return f"PreparedRun(id={self.id}, items={len(self.items)})"


@dataclass(frozen=True, slots=True)
class _StartInputs:
    """What a start needs: key and routine, checked in the transaction that prepares it."""

    key: ApiKey
    key_number: int
    routine: Routine


async def start_next(context: EnrichmentContext, org_id: UUID) -> float | None:
    """Starts one run. Returns the seconds until the next call; None: nothing is queued."""

    async def read_plan() -> tuple[Kind, float] | None:
        async with context.database.transaction() as connection:
            found = await next_queued(connection, org_id)
        return None if found is None else (Kind(found.kind), found.wait.total_seconds())

    queued = await on_fresh_plan(read_plan)
    if queued is None:
        return None
    kind, seconds = queued
    if seconds > 0:
        return seconds
    if (seconds_left := await context.reserve(org_id)) is not None:
        return seconds_left
    prepared = await on_fresh_plan(lambda: _prepare(context, org_id, kind))
    if not isinstance(prepared, PreparedRun):
        return prepared
    response = await context.client.start_run(prepared.key, prepared.routine_id, prepared.items, prepared.webhook_id)
    await record_start(context, prepared.org_id, prepared.id, prepared.key_number, response)
    return 0.0


async def _prepare(context: EnrichmentContext, org_id: UUID, kind: Kind) -> PreparedRun | float:
    """Creates a run and marks its items, in one transaction. Returns seconds to wait if no run is to be started."""
    async with context.database.transaction() as connection:
        row = await lock_settings(connection, org_id)
        tables = await context.host.tables(connection)
        job_ids = await lock_queued_jobs(connection, org_id, kind)
        opened = await _read_start_inputs(context, connection, tables, row, kind)
        if isinstance(opened, ItemCause):
            await end_queued(connection, org_id, job_ids, ItemOutcome.FAILED, opened)
            return 0.0
        routine = opened.routine
        reservation = Reservation.of(price_of(kind, routine.credits, routine.actions))
        budget = await read_budget(connection, row)
        fitting = budget.fits(reservation, MAX_ITEMS)
        if not fitting and budget.open_items:
            return BUDGET_POLL_SECONDS
        if not fitting:
            await end_queued(connection, org_id, job_ids, ItemOutcome.FAILED, ItemCause.BUDGET_EXHAUSTED)
            return 0.0
        due = await take_due(connection, org_id, kind, job_ids, fitting)
        items, ends = await _choose(connection, tables, org_id, kind, routine, due)
        await end_items(connection, org_id, ends, states=[ItemState.QUEUED])
        if not items:
            return 0.0 if due else RETRY_SECONDS
        run_id = uuid4()
        await create_run(
            connection, org_id, run_id, kind=kind, routine_id=routine.routine_id, outputs=routine.outputs, token=uuid4(),
            lease=context.lease,
        )  # fmt: skip
        await start_items(connection, org_id, run_id, [UUID(item.id) for item in items], reservation)
        await recount(connection, org_id, job_ids)
    metrics.ENRICHMENT_STARTED.inc(len(items))
    return PreparedRun(run_id, org_id, opened.key, opened.key_number, routine.routine_id, items, row.run_webhook_id)


async def _read_start_inputs(
    context: EnrichmentContext, connection: AsyncConnection, tables: HostTables, row: SettingsRow, kind: Kind
) -> _StartInputs | ItemCause:
    """Checks gate, key and routine. Returns the cause that ends the queued items if one of them is missing."""
    gate = await read_gate(connection, tables, row.org_id, billing_enabled=context.settings.billing_enabled)
    if not gate.available:
        return ItemCause.NOT_AVAILABLE
    credentials = await credentials_of(connection, tables, row, row.org_id, context.box, context.settings)
    if credentials.key is None:
        return ItemCause((credentials.cause or ApiCause.NOT_CONFIGURED).value)
    if credentials.key_number and row.key_state == ApiKeyState.REFUSED:
        return ItemCause.INVALID_CREDENTIALS
    routine = (await read_routines(connection, row.org_id)).get(kind)
    if routine is None:
        return ItemCause.ROUTINE_NOT_SET
    return _StartInputs(credentials.key, credentials.key_number, routine)


async def _choose(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, kind: Kind, routine: Routine, due: Sequence[DueItem]
) -> tuple[list[RunItem], list[ItemEnd]]:
    """Returns the items with their inputs, and those that end because the lead has changed since the request."""
    leads = await _read_leads(connection, tables, org_id, due)
    lead_ids = [each.lead_id for each in due]
    erased = await read_erased(connection, org_id, lead_ids)
    excluded = await read_excluded(connection, tables, org_id, lead_ids)
    items: list[RunItem] = []
    ends: list[ItemEnd] = []
    for each in due:
        lead = leads.get(each.lead_id)
        if each.lead_id in erased:
            ends.append(ItemEnd(each.id, ItemOutcome.SKIPPED, ItemCause.ERASED))
        elif each.lead_id in excluded:
            ends.append(ItemEnd(each.id, ItemOutcome.SKIPPED, ItemCause.EXCLUDED))
        elif lead is None:
            ends.append(ItemEnd(each.id, ItemOutcome.FAILED, ItemCause.LEAD_GONE))
        elif missing := missing_values(kind, routine.inputs, lead):
            ends.append(ItemEnd(each.id, ItemOutcome.FAILED, ItemCause.MISSING_INPUT, missing))
        else:
            items.append(RunItem(str(each.id), inputs_of(routine.inputs, lead)))
    return items, ends


async def _read_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, due: Sequence[DueItem]
) -> dict[UUID, LeadRow]:
    by_project: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for each in due:
        by_project[each.project_id].append(each.lead_id)
    found: dict[UUID, LeadRow] = {}
    for project_id, lead_ids in by_project.items():
        found |= await read_lead_rows(connection, tables, org_id, project_id, lead_ids)
    return found
