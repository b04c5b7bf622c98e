"""Builds the API's views of enrichment jobs and items from their rows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from clay_push_service.enrichment.jobs.schemas import (
    EnrichmentCauseView,
    EnrichmentItemView,
    EnrichmentJobView,
    SpentView,
)
from clay_push_service.enrichment.ledger.causes import ITEM_EXPLANATIONS, ItemCause
from clay_push_service.enrichment.ledger.states import (
    CostSource,
    EnrichmentJobStatus,
    EnrichmentMode,
    ItemOutcome,
    ItemState,
    LegalBasis,
    RequestWay,
)
from clay_push_service.enrichment.settings.kinds import Amount, Kind
from clay_push_service.enrichment.settings.views import AmountView

WORKER_GONE: Final = timedelta(seconds=30)
NOTICEABLE: Final = timedelta(seconds=5)
"""A shorter wait for the pace is normal."""
NO_WORKER: Final = "No worker is running, so nothing is requested from Clay. The leads stay queued; ask the NexusLeads operator to start one."
PACED: Final = "The pace of requests to Clay's API, or a pause that Clay required."
IN_CLAY: Final = "Clay works on the leads."


class JobRow(NamedTuple):
    id: UUID
    kind: str
    way: str
    mode: str
    legal_basis: str
    again: bool
    project_id: UUID | None
    status: str
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    lead_count: int
    found_count: int
    partial_count: int
    nothing_count: int
    failed_count: int
    expired_count: int
    skipped_count: int
    cancelled_count: int
    credits_low: Decimal
    credits_high: Decimal | None
    actions_low: Decimal
    actions_high: Decimal | None
    credits: Decimal
    actions: Decimal
    now: datetime
    worker_seen_at: datetime | None
    due_at: datetime | None
    next_request_at: datetime | None
    held: int


class ItemRow(NamedTuple):
    id: UUID
    seq: int
    lead_id: UUID
    project_id: UUID
    state: str
    outcome: str | None
    cause: str | None
    missing: Sequence[str]
    found: Sequence[str]
    not_found: Sequence[str]
    credits: Decimal
    actions: Decimal
    cost_basis: str
    delivery_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    deadline_at: datetime | None
    finished_at: datetime | None


def view_job(row: JobRow, causes: list[EnrichmentCauseView]) -> EnrichmentJobView:
    ended = (
        row.found_count + row.partial_count + row.nothing_count + row.failed_count + row.expired_count
        + row.skipped_count + row.cancelled_count
    )  # fmt: skip
    return EnrichmentJobView(
        id=row.id,
        kind=Kind(row.kind),
        way=RequestWay(row.way),
        mode=EnrichmentMode(row.mode),
        basis=LegalBasis(row.legal_basis),
        again=row.again,
        project_id=row.project_id,
        status=EnrichmentJobStatus(row.status),
        created_by=row.created_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        lead_count=row.lead_count,
        found_count=row.found_count,
        partial_count=row.partial_count,
        nothing_count=row.nothing_count,
        failed_count=row.failed_count,
        expired_count=row.expired_count,
        skipped_count=row.skipped_count,
        cancelled_count=row.cancelled_count,
        pending_count=row.lead_count - ended,
        progress_percent=100 * ended // row.lead_count if row.lead_count else 100,
        estimate_credits=AmountView.of_amount(Amount(row.credits_low, row.credits_high)),
        estimate_actions=AmountView.of_amount(Amount(row.actions_low, row.actions_high)),
        spent=SpentView(credits=float(row.credits), actions=float(row.actions)),
        causes=causes,
        waiting=None if row.finished_at is not None else _waiting(row),
    )


def _waiting(row: JobRow) -> str | None:
    if row.due_at is not None:
        if row.worker_seen_at is None or row.now - row.worker_seen_at > WORKER_GONE:
            return NO_WORKER
        is_paced = row.next_request_at is not None and row.next_request_at - row.now > NOTICEABLE
        return PACED if is_paced or row.due_at - row.now > NOTICEABLE else None
    if row.held:
        return (
            f"Clay gave no clear response to the start of {row.held} {'lead' if row.held == 1 else 'leads'}. They are not requested"
            " again; a result is taken over if Clay reports one within a day."
        )
    return IN_CLAY


def view_item(row: ItemRow) -> EnrichmentItemView:
    cause = None if row.cause is None else ItemCause(row.cause)
    explanation = None if cause is None else ITEM_EXPLANATIONS[cause]
    return EnrichmentItemView(
        item_id=row.id,
        lead_id=row.lead_id,
        project_id=row.project_id,
        state=ItemState(row.state),
        outcome=None if row.outcome is None else ItemOutcome(row.outcome),
        cause=cause,
        message=explanation and explanation.message,
        remedy=explanation and explanation.remedy,
        who=explanation and explanation.who,
        missing=list(row.missing),
        found=list(row.found),
        not_found=list(row.not_found),
        credits=float(row.credits),
        actions=float(row.actions),
        cost_basis=CostSource(row.cost_basis),
        delivery_id=row.delivery_id,
        created_at=row.created_at,
        started_at=row.started_at,
        deadline_at=row.deadline_at,
        finished_at=row.finished_at,
    )
