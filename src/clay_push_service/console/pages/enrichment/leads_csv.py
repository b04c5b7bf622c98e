"""The leads of an enrichment job as CSV, without executable spreadsheet formulas."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from clay_push_service.enrichment.jobs.schemas import EnrichmentItemView
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.push_jobs.queries.deliveries import BOM, csv_text

COLUMNS: Final = (
    "item_id", "lead_id", "username", "full_name", "state", "outcome", "cause", "message", "missing", "found", "not_found",
    "credits", "actions", "cost_basis", "started_at", "finished_at",
)  # fmt: skip


def leads_csv(items: Sequence[EnrichmentItemView], leads: Mapping[UUID, LeadRow]) -> str:
    return BOM + csv_text([COLUMNS, *(_row(item, leads.get(item.lead_id)) for item in items)])


def _row(item: EnrichmentItemView, lead: LeadRow | None) -> Sequence[object]:
    return list(_cells(item, lead))


def _cells(item: EnrichmentItemView, lead: LeadRow | None) -> Iterator[object]:
    yield from (item.item_id, item.lead_id, lead.username if lead else None, lead.full_name if lead else None)
    yield from (item.state, item.outcome, item.cause, item.message)
    yield from (", ".join(names) for names in (item.missing, item.found, item.not_found))
    yield from (item.credits, item.actions, item.cost_basis)
    yield from (each.isoformat() if each else None for each in (item.started_at, item.finished_at))
