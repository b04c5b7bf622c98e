"""Writes results of a run: values, outcomes, costs and counters in one transaction, keyed by the item's id.

An item takes one result, even if the result is read several times: the item is `requested` or `held` before, and `done` after.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.routines_body import ItemResult, ItemStatus
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_jobs
from clay_push_service.enrichment.ledger.item_ends import ItemEnd, end_items
from clay_push_service.enrichment.ledger.items import RunItemRow, items_of_run
from clay_push_service.enrichment.ledger.run_rows import Run
from clay_push_service.enrichment.ledger.states import CostSource, ItemOutcome, ItemState
from clay_push_service.enrichment.runs.routine_result import RoutineResult, read_routine_result
from clay_push_service.enrichment.values import store
from clay_push_service.enrichment.values.choice import ValueSource
from clay_push_service.enrichment.values.store import NewValue


async def write_results(connection: AsyncConnection, run: Run, results: Sequence[ItemResult], now: datetime) -> int:
    """Write the results that are final. Returns the number of items that ended."""
    final = {result.id: result for result in results if result.status is not ItemStatus.PENDING}
    if not final:
        return 0
    await store.lock(connection, run.org_id)
    rows = [each for each in await items_of_run(connection, run.org_id, run.id) if str(each.id) in final]
    await lock_jobs(connection, run.org_id, {each.job_id for each in rows})
    read = {
        each.id: read_routine_result(run.outputs, final[str(each.id)].result, now)
        for each in rows
        if final[str(each.id)].status is ItemStatus.COMPLETE
    }
    ends = [_end(each, read.get(each.id)) for each in rows]
    ended = {
        each.id for each in await end_items(connection, run.org_id, ends, states=[ItemState.REQUESTED, ItemState.HELD])
    }
    values = [
        value for each in rows if each.id in ended and each.id in read for value in _values(each, read[each.id], now)
    ]
    await store.add_values(connection, run.org_id, values)
    await store.choose_values(connection, run.org_id, {each.lead_id for each in values})
    return len(ended)


def _end(item: RunItemRow, result: RoutineResult | None) -> ItemEnd:
    """Returns the end of an item. Without a reported cost, the upper estimate stays: Clay may charge a search that finds nothing."""
    if result is None:
        return ItemEnd(item.id, ItemOutcome.FAILED, ItemCause.ITEM_FAILED, cost_basis=CostSource.ESTIMATED)
    return ItemEnd(
        item.id,
        result.outcome,
        ItemCause.NO_DATA if result.outcome is ItemOutcome.NOTHING else None,
        found=result.found,
        not_found=result.not_found,
        credits=result.credits,
        cost_basis=CostSource.ESTIMATED if result.credits is None else CostSource.REPORTED,
    )


def _values(item: RunItemRow, result: RoutineResult, now: datetime) -> list[NewValue]:
    return [
        NewValue(
            item.lead_id, each.field, each.found, ValueSource.ROUTINE, result.observed_at or now, now, each.confidence,
            each.status, each.provider, item.id,
        )
        for each in result.values
    ]  # fmt: skip
