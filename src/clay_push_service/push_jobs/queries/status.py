"""Reads the state of an organization's Clay integration: availability, configuration, connection and totals."""

from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.suspicion import read_suspect_since
from clay_push_service.destination_settings.pending_webhook import read_pending
from clay_push_service.destination_settings.schemas import PendingChange
from clay_push_service.destinations.read import DestinationView, WebhookView, destination_view
from clay_push_service.gate import Gate
from clay_push_service.push_jobs.queries.table_status import (
    QuotaView,
    TableStatus,
    read_counts,
    read_table_statuses,
    sum_of,
)
from clay_push_service.push_jobs.views import GateView, LastPush, Totals
from clay_push_service.states import DestinationState, JobStatus


class _LastJob(NamedTuple):
    id: UUID
    status: str
    created_at: datetime
    finished_at: datetime | None
    success_count: int
    failed_count: int
    skipped_count: int


LAST = Statement(
    """
SELECT id, status, created_at, finished_at, success_count, failed_count, skipped_count
FROM clay.push_jobs WHERE org_id = :org_id ORDER BY created_at DESC, id LIMIT 1
""",
    _LastJob,
)
CONNECTED = Statement(
    """
SELECT EXISTS (SELECT 1 FROM clay.push_jobs
               WHERE org_id = :org_id AND destination_version_id = :version_id AND success_count > 0)
    OR EXISTS (SELECT 1 FROM clay.audit_log WHERE org_id = :org_id AND action = 'config.tested'
               AND details ->> 'success' = 'true' AND details ->> 'version_id' = CAST(:version_id AS text))
""",
    bool,
)


class DestinationStatus(BaseModel):
    state: Literal["open", "waiting", "closed"] = Field(
        description="`open` accepts leads, `waiting` accepts them later, `closed` refuses pushes.", examples=["open"]
    )
    reason: Cause | None = Field(description="A cause, while it waits or is closed.", examples=["unauthorized"])
    until: datetime | None = Field(description="When a waiting destination is tried again.")
    results_missing_since: datetime | None = Field(
        description="Since when results from Clay have stopped, and auto-export is held; null: they have not. See `missing-results`."
    )


class PaceView(BaseModel):
    rate_limit_ms: int = Field(description="The configured delay between two leads.", examples=[200])
    current_ms: float = Field(
        description="The delay in force; longer for a while after a 429 from Clay.", examples=[200]
    )
    leads_per_second: float | None = Field(description="null: no pace is set.", examples=[5.0])


class StatusView(BaseModel):
    available: bool = Field(description="Whether this organization may use Clay.")
    configured: bool = Field(description="Whether a webhook is stored.")
    connected: bool = Field(description="Whether the current webhook has accepted a lead or a test row.")
    gate: GateView = Field(description="Why the organization may not use Clay.")
    table_name: str | None = Field(description="Name of the Clay table in the settings.")
    webhook_url: str | None = Field(description="Masked.", examples=["https://api.clay.com/v3/…/••••abcd"])
    source: Literal["api", "host"] | None = Field(
        description="Where the webhook URL was set: here, or on NexusLeads' own settings page."
    )
    problem: str | None = Field(
        description="What on NexusLeads' own settings page is not in use, or not yet, in one or two sentences.",
        examples=[None],
    )
    pending: PendingChange | None = Field(
        description="A change of the webhook on that page that an owner or admin must confirm."
    )
    offers_new_table: bool = Field(description="Whether the current URL replaced another one and may feed a new table.")
    destination: DestinationStatus | None = Field(description="State of the destination; null without a webhook.")
    last_push: LastPush | None = Field(description="The newest push job; null: none yet.")
    totals: Totals = Field(description="Totals of all push jobs.")
    quota: QuotaView | None = Field(description="Quota of the webhook; null without a webhook.")
    pace: PaceView | None = Field(description="Pace of the destination; null: never configured.")
    active_jobs: int = Field(description="Push jobs that have not finished.")
    destinations: list[TableStatus] = Field(
        description="Each Clay table that is not archived, the default one first. The fields above describe the default one;"
        " `last_push`, `totals` and `active_jobs` count all tables."
    )


async def read_status(
    connection: AsyncConnection, org_id: UUID, gate: Gate, upgrade_url: str | None, problem: str | None = None
) -> StatusView:
    """`problem`: what on NexusLeads' settings page is not in use, or not yet."""
    view = await destination_view(connection, org_id)
    webhook = view.webhook if view else None
    suspect_since = await read_suspect_since(connection, org_id, view.clay_table.destination_id) if view else None
    counts = await read_counts(connection, org_id)
    every = sum_of(list(counts.values()))
    last = await LAST.one_or_none(connection, {"org_id": org_id})
    connected = await _is_connected(connection, org_id, webhook)
    return StatusView(
        available=gate.available,
        configured=webhook is not None,
        connected=connected,
        gate=GateView(code=gate.code, message=gate.message, upgrade_url=None if gate.available else upgrade_url),
        table_name=view.table_name if view else None,
        webhook_url=webhook.url_mask if webhook else None,
        source=webhook.source if webhook else None,
        problem=problem,
        pending=PendingChange.of(await read_pending(connection, org_id)),
        offers_new_table=view.offers_new_table if view else False,
        destination=_destination_status(webhook, suspect_since) if webhook else None,
        last_push=_last_push(last) if last else None,
        totals=every.totals,
        quota=QuotaView.of(webhook.quota) if webhook else None,
        pace=_pace(view),
        active_jobs=every.active,
        destinations=await read_table_statuses(connection, org_id, counts),
    )


async def _is_connected(connection: AsyncConnection, org_id: UUID, webhook: WebhookView | None) -> bool:
    if webhook is None or webhook.state is not DestinationState.OPEN:
        return False
    return await CONNECTED.one(connection, {"org_id": org_id, "version_id": webhook.version_id})


def _destination_status(webhook: WebhookView, suspect_since: datetime | None) -> DestinationStatus:
    return DestinationStatus(
        state=webhook.state.value,
        reason=Cause(webhook.reason) if webhook.reason else None,
        until=webhook.until,
        results_missing_since=suspect_since,
    )


def _last_push(last: _LastJob) -> LastPush:
    return LastPush(
        job_id=last.id,
        status=JobStatus(last.status),
        created_at=last.created_at,
        finished_at=last.finished_at,
        success_count=last.success_count,
        failed_count=last.failed_count,
        skipped_count=last.skipped_count,
    )


def _pace(view: DestinationView | None) -> PaceView | None:
    if view is None:
        return None
    current = view.current_interval_ms
    return PaceView(
        rate_limit_ms=view.rate_limit_ms,
        current_ms=round(current, 1),
        leads_per_second=round(1000 / current, 2) if current > 0 else None,
    )
