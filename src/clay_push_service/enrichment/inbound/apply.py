"""Applies stored results: matches each to a lead, appends its values, and confirms its delivery. One transaction for a batch.

The worker applies results at most a second after the request. The request only stores, so a burst of callbacks costs one INSERT each,
and a result that is stored is applied even if a process dies in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.deliveries import confirm
from clay_push_service.deliveries.confirm import NamedDelivery
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.enrichment.inbound import results
from clay_push_service.enrichment.inbound.body import parse_body
from clay_push_service.enrichment.inbound.read_result import ReadResult, UnusableResult, read_result
from clay_push_service.enrichment.inbound.results import Finished, ResultCause, ResultState, WaitingResult
from clay_push_service.enrichment.ledger.counters import lock_jobs
from clay_push_service.enrichment.ledger.settle import TableResult, find_items, settle_items
from clay_push_service.enrichment.values import store
from clay_push_service.enrichment.values.choice import ValueSource
from clay_push_service.enrichment.values.custom_fields import read_custom_fields
from clay_push_service.enrichment.values.erased import read_erased
from clay_push_service.enrichment.values.fields import FieldNames
from clay_push_service.enrichment.values.store import NewValue
from clay_push_service.host.leads import best_projects
from clay_push_service.host.tables import HostTables

_CAUSES: Mapping[UnusableResult, ResultCause] = {
    UnusableResult.NO_ID: ResultCause.NO_ID,
    UnusableResult.COLUMN_NOT_PICKED: ResultCause.COLUMN_NOT_PICKED,
    UnusableResult.NOT_AN_OBJECT: ResultCause.NOT_AN_OBJECT,
}
_FINAL = frozenset({UnusableResult.NOT_AN_OBJECT, UnusableResult.COLUMN_NOT_PICKED})


@dataclass(frozen=True, slots=True)
class _OpenedResult:
    """A result with its content."""

    id: UUID
    received_at: datetime
    content: ReadResult


@dataclass(frozen=True, slots=True)
class _MatchedResult:
    read: _OpenedResult
    lead_id: UUID
    delivery: NamedDelivery | None


async def apply_results(
    connection: AsyncConnection, tables: HostTables, box: SecretBox, org_id: UUID, waiting: Sequence[WaitingResult]
) -> list[Finished]:
    """Applies results that the caller has locked, after `store.lock`. Returns the new state of each."""
    names = FieldNames(await read_custom_fields(connection, org_id))
    opened = [_open(box, org_id, each, names) for each in waiting]
    finished = [each for each in opened if isinstance(each, Finished)]
    read = [each for each in opened if isinstance(each, _OpenedResult)]
    matched, erased = await _match(connection, tables, org_id, read)
    kept = [each for each in matched if each.lead_id not in erased]
    items = await find_items(
        connection, org_id, [each.delivery.id for each in matched if each.delivery is not None],
        [each.read.content.item_id for each in matched if each.read.content.item_id is not None],
    )  # fmt: skip
    await lock_jobs(connection, org_id, {each.job_id for each in items})  # before the push jobs, as a cancellation does
    named = {each.read.id for each in matched}
    finished += [
        Finished(each.id, ResultState.UNMATCHED, ResultCause.UNKNOWN_ID) for each in read if each.id not in named
    ]
    finished += [
        Finished(each.read.id, ResultState.REFUSED, ResultCause.ERASED) for each in matched if each.lead_id in erased
    ]
    confirmed = await _confirm(connection, org_id, matched)
    added = await store.add_values(connection, org_id, [value for each in kept for value in _values(each)])
    await settle_items(connection, org_id, items, [_answer(each) for each in kept])
    with_news = {each.result_id for each in added}
    await store.choose_values(connection, org_id, {each.lead_id for each in kept})
    for each in kept:
        delivery_id = each.delivery.id if each.delivery is not None else None
        is_new = each.read.id in with_news or delivery_id in confirmed
        state = ResultState.APPLIED if is_new else ResultState.NOTHING_NEW
        finished.append(Finished(each.read.id, state, None, delivery_id, each.lead_id))
    await results.finish(connection, org_id, finished)
    await confirm.settle(connection, org_id)
    return finished


def _open(box: SecretBox, org_id: UUID, waiting: WaitingResult, names: FieldNames) -> _OpenedResult | Finished:
    try:
        body = box.open(waiting.sealed_body, org_id, waiting.id)
    except SecretError:
        return Finished(waiting.id, ResultState.UNMATCHED, ResultCause.SECRET_UNREADABLE)
    content = read_result(parse_body(body.encode()), names, waiting.received_at)
    if content.problem is not None:
        state = ResultState.REFUSED if content.problem in _FINAL else ResultState.UNMATCHED
        return Finished(waiting.id, state, _CAUSES[content.problem])
    return _OpenedResult(waiting.id, waiting.received_at, content)


async def _match(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, read: Sequence[_OpenedResult]
) -> tuple[list[_MatchedResult], set[UUID]]:
    """Returns the results that name a delivery or a lead of the organization, and those of their leads that are erased.

    A delivery has priority, then an enrichment item, then the id of a lead.
    """
    item_leads = {
        each.id: each.lead_id
        for each in await find_items(
            connection, org_id, [], [each.content.item_id for each in read if each.content.item_id]
        )
    }
    delivery_ids = {each.content.delivery_id for each in read if each.content.delivery_id is not None}
    deliveries = await confirm.find(connection, org_id, delivery_ids)
    named = {each.content.lead_id for each in read if each.content.lead_id is not None}
    leads = await best_projects(connection, tables, org_id, sorted(named)) if named else {}
    erased = await read_erased(
        connection, org_id, named | set(item_leads.values()) | {each.contributor_id for each in deliveries.values()}
    )
    matched: list[_MatchedResult] = []
    for each in read:
        content = each.content
        delivery = deliveries.get(content.delivery_id) if content.delivery_id is not None else None
        if delivery is not None:
            matched.append(_MatchedResult(each, delivery.contributor_id, delivery))
        elif content.item_id in item_leads:
            matched.append(_MatchedResult(each, item_leads[content.item_id], None))
        elif content.lead_id is not None and (content.lead_id in leads or content.lead_id in erased):
            matched.append(_MatchedResult(each, content.lead_id, None))
    return matched, erased


async def _confirm(connection: AsyncConnection, org_id: UUID, matched: Sequence[_MatchedResult]) -> set[UUID]:
    """Confirm the deliveries at the time of their first result. Returns those that were not confirmed before."""
    named: dict[UUID, NamedDelivery] = {}
    times: dict[UUID, datetime] = {}
    for each in matched:
        if each.delivery is not None:
            at = each.read.received_at
            named[each.delivery.id] = each.delivery
            times[each.delivery.id] = min(times.get(each.delivery.id, at), at)
    return await confirm.mark(connection, org_id, list(named.values()), times)


def _answer(matched: _MatchedResult) -> TableResult:
    content = matched.read.content
    delivery_id = None if matched.delivery is None else matched.delivery.id
    return TableResult(delivery_id, content.item_id, matched.lead_id, content.found, content.not_found)


def _values(matched: _MatchedResult) -> list[NewValue]:
    read = matched.read
    return [
        NewValue(
            matched.lead_id, each.field, each.found, ValueSource.TABLE, read.content.observed_at or read.received_at,
            read.received_at, each.confidence, each.status, each.provider, read.id,
        )
        for each in read.content.values
    ]  # fmt: skip
