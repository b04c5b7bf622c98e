"""Reads one delivery in detail: its times, Clay's answer, the payload as it would be built now, and whether the lead has changed since.

Payloads are not stored, so "what was sent" is the payload of the lead as it is now; a stored hash shows whether it is still the same.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.database.statement import Statement
from clay_push_service.errors import NotFoundError
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.payload_fields import PayloadError
from clay_push_service.leads.revision import Revision, add_revision
from clay_push_service.mappings.renderers import MappedLead, read_renderers_once
from clay_push_service.push_jobs.detail_views import DeliveryDetail, LeadDelivery, PayloadComparison
from clay_push_service.push_jobs.views import DestinationRef, LeadRef, ProjectRef
from clay_push_service.states import DeliveryStatus

MOST_DELIVERIES_OF_A_LEAD = 50


class _DeliveryRow(NamedTuple):
    id: UUID
    job_id: UUID
    contributor_id: UUID
    project_id: UUID
    project_name: str | None
    destination_id: UUID
    destination_name: str
    table_name: str | None
    username: str | None
    full_name: str | None
    status: str
    cause: str | None
    error_message: str | None
    clay_response_status: int | None
    attempts: int
    uncertain_attempts: int
    duration_ms: int | None
    payload_hash: bytes | None
    revision: int | None
    supersedes: UUID | None
    mapping_version_id: UUID | None
    created_at: datetime
    due_at: datetime
    pushed_at: datetime | None
    finished_at: datetime | None
    confirmed_at: datetime | None
    now: datetime


SELECT = """
SELECT delivery.id, delivery.job_id, delivery.contributor_id, delivery.project_id, job.project_name, delivery.destination_id,
       destination.name AS destination_name, job.table_name, delivery.username,
       delivery.full_name, delivery.status, delivery.cause, delivery.error_message, delivery.clay_response_status, delivery.attempts,
       delivery.uncertain_attempts, delivery.duration_ms, delivery.payload_hash, delivery.revision, delivery.supersedes,
       job.mapping_version_id, delivery.created_at, delivery.due_at,
       delivery.pushed_at, delivery.finished_at, delivery.confirmed_at, now() AS now
FROM clay.clay_push_log AS delivery
JOIN clay.push_jobs AS job ON job.org_id = delivery.org_id AND job.id = delivery.job_id
JOIN clay.destinations AS destination ON destination.org_id = delivery.org_id AND destination.id = delivery.destination_id
WHERE delivery.org_id = :org_id
"""
READ = Statement(f"{SELECT} AND delivery.job_id = :job_id AND delivery.id = :delivery_id", _DeliveryRow)
OF_LEAD = Statement(
    f"{SELECT} AND delivery.contributor_id = :lead_id ORDER BY delivery.seq DESC LIMIT :limit", _DeliveryRow
)


@dataclass(frozen=True, slots=True)
class _Content:
    state: PayloadComparison
    payload: dict[str, object] | None = None


async def read_delivery(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, job_id: UUID, delivery_id: UUID
) -> DeliveryDetail:
    """Raises 404 `delivery_not_found`, also for a delivery of another organization."""
    values = {"org_id": org_id, "job_id": job_id, "delivery_id": delivery_id}
    row = await READ.one_or_none(connection, values)
    if row is None:
        raise NotFoundError(
            "This push job of your organization has no delivery with this id.", code="delivery_not_found"
        )
    content = await _content(connection, tables, org_id, row)
    cause = None if row.cause is None else Cause(row.cause)
    return DeliveryDetail(
        **dict(_of_lead(row)),
        lead=LeadRef(id=row.contributor_id, username=row.username, full_name=row.full_name),
        project=ProjectRef(id=row.project_id, name=row.project_name),
        remedy=None if cause is None else EXPLANATIONS[cause].remedy,
        duration_ms=row.duration_ms,
        next_attempt_at=row.due_at if row.status == DeliveryStatus.PENDING and row.due_at > row.now else None,
        payload_state=content.state,
        payload=content.payload,
    )


async def read_deliveries_of_lead(connection: AsyncConnection, org_id: UUID, lead_id: UUID) -> list[LeadDelivery]:
    """The newest deliveries of a lead, newest first; empty for a lead that was never pushed."""
    rows = await OF_LEAD.rows(connection, {"org_id": org_id, "lead_id": lead_id, "limit": MOST_DELIVERIES_OF_A_LEAD})
    return [_of_lead(row) for row in rows]


def _of_lead(row: _DeliveryRow) -> LeadDelivery:
    return LeadDelivery(
        delivery_id=row.id,
        job_id=row.job_id,
        destination=DestinationRef(id=row.destination_id, name=row.destination_name),
        table_name=row.table_name,
        status=DeliveryStatus(row.status),
        cause=None if row.cause is None else Cause(row.cause),
        error_message=row.error_message,
        clay_response_status=row.clay_response_status,
        attempts=row.attempts,
        uncertain_attempts=row.uncertain_attempts,
        queued_at=row.created_at,
        pushed_at=row.pushed_at,
        finished_at=row.finished_at,
        confirmed_at=row.confirmed_at,
    )


async def _content(connection: AsyncConnection, tables: HostTables, org_id: UUID, row: _DeliveryRow) -> _Content:
    lead = (await read_lead_rows(connection, tables, org_id, row.project_id, [row.contributor_id])).get(
        row.contributor_id
    )
    if lead is None:
        return _Content(PayloadComparison.LEAD_GONE)
    mapped = MappedLead(org_id, row.contributor_id, row.mapping_version_id)
    renderers = await read_renderers_once(connection, [mapped])
    try:
        payload = renderers.build(mapped, lead, row.id, row.pushed_at or row.now)
        payload = add_revision(payload, row.id, Revision.of(row.revision, row.supersedes))
    except PayloadError:
        return _Content(PayloadComparison.NOT_BUILDABLE)
    written = cast("dict[str, object]", orjson.loads(payload.body))
    if row.payload_hash is None or not renderers.is_comparable(mapped, row.payload_hash):
        return _Content(PayloadComparison.NOT_COMPARABLE, written)
    same = row.payload_hash == payload.hash
    return _Content(PayloadComparison.SAME if same else PayloadComparison.CHANGED, written)
