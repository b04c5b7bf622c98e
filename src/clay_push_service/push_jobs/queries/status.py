"""Reads the state of an organization's Clay integration: availability, configuration, connection and totals."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import Cause
from clay_push_service.destination_settings.pending_webhook import read_pending
from clay_push_service.destination_settings.schemas import PendingChange
from clay_push_service.destinations.read import DestinationView, destination_view
from clay_push_service.gate import Gate
from clay_push_service.push_jobs.views import GateView, LastPush, Totals
from clay_push_service.states import DestinationState, JobStatus

# Summed over push jobs, not deliveries: the counters of a job always equal its rows.
TOTALS = text("""
SELECT coalesce(sum(success_count), 0) AS pushed, coalesce(sum(failed_count), 0) AS failed,
       coalesce(sum(skipped_count), 0) AS skipped, coalesce(sum(unknown_count), 0) AS unknown,
       count(*) FILTER (WHERE status IN ('pending', 'running')) AS active
FROM clay.push_jobs WHERE org_id = :org_id
""")
LAST = text("""
SELECT id, status, created_at, finished_at, success_count, failed_count, skipped_count
FROM clay.push_jobs WHERE org_id = :org_id ORDER BY created_at DESC, id LIMIT 1
""")
CONNECTED = text("""
SELECT EXISTS (SELECT 1 FROM clay.push_jobs
               WHERE org_id = :org_id AND destination_version_id = :version_id AND success_count > 0)
    OR EXISTS (SELECT 1 FROM clay.audit_log WHERE org_id = :org_id AND action = 'config.tested'
               AND details ->> 'success' = 'true' AND details ->> 'version_id' = CAST(:version_id AS text))
""")


class DestinationStatus(BaseModel):
    state: Literal["open", "waiting", "closed"] = Field(
        description="`open` accepts leads, `waiting` accepts them later, `closed` refuses pushes.", examples=["open"]
    )
    reason: Cause | None = Field(description="A cause, while it waits or is closed.", examples=["unauthorized"])
    until: datetime | None = Field(description="While it waits: when it is tried again.")


class QuotaView(BaseModel):
    used: int = Field(description="Submissions of the webhook's lifetime that are used up.", examples=[1200])
    limit: int | None = Field(description="Null: this table deletes by itself.", examples=[50_000])
    remaining: int | None = Field(description="What is left; null: no limit known.", examples=[48_800])
    warning: str | None = Field(description="From 80 % on, in one sentence.", examples=[None])


class PaceView(BaseModel):
    rate_limit_ms: int = Field(description="The set delay between two leads.", examples=[200])
    current_ms: float = Field(
        description="The delay in force; longer for a while after a 429 from Clay.", examples=[200]
    )
    leads_per_second: float | None = Field(description="Null: no pace is set.", examples=[5.0])


class StatusView(BaseModel):
    available: bool = Field(description="May this organization use Clay?")
    configured: bool = Field(description="Is a webhook set?")
    connected: bool = Field(description="Has this very webhook taken a lead or a test?")
    gate: GateView = Field(description="Why it may not.")
    table_name: str | None = Field(description="The Clay table, as the settings name it.")
    webhook_url: str | None = Field(description="Masked.", examples=["https://api.clay.com/v3/…/••••abcd"])
    source: Literal["api", "host"] | None = Field(
        description="Where the webhook URL was set: here, or on NexusLeads' own settings page."
    )
    problem: str | None = Field(
        description="What on NexusLeads' own settings page is not in use, or not yet, in one or two sentences.",
        examples=[None],
    )
    pending: PendingChange | None = Field(
        description="A change of the webhook found there, which waits for an owner or admin."
    )
    offers_new_table: bool = Field(
        description="Whether the present URL replaced another one, and may feed a new table."
    )
    destination: DestinationStatus | None = Field(description="How the webhook fares; null: none is set.")
    last_push: LastPush | None = Field(description="The newest push job; null: there was none.")
    totals: Totals = Field(description="Of all push jobs.")
    quota: QuotaView | None = Field(description="What is left of the webhook's lifetime; null: none is set.")
    pace: PaceView | None = Field(description="How fast leads go; null: nothing was ever set.")
    active_jobs: int = Field(description="Push jobs that have not ended.")


async def read_status(
    connection: AsyncConnection, org_id: UUID, gate: Gate, upgrade_url: str | None, problem: str | None = None
) -> StatusView:
    """`problem`: what on NexusLeads' settings page is not in use, or not yet."""
    view = await destination_view(connection, org_id)
    webhook = view.webhook if view else None
    totals = (await connection.execute(TOTALS, {"org_id": org_id})).one()
    last = (await connection.execute(LAST, {"org_id": org_id})).one_or_none()
    connected = False
    if webhook is not None and webhook.state is DestinationState.OPEN:
        values = {"org_id": org_id, "version_id": webhook.version_id}
        connected = bool((await connection.execute(CONNECTED, values)).scalar_one())
    sent = totals.pushed + totals.failed
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
        destination=DestinationStatus(state=webhook.state.value, reason=Cause(webhook.reason) if webhook.reason else None, until=webhook.until)
        if webhook
        else None,
        last_push=LastPush(
            job_id=last.id, status=JobStatus(last.status), created_at=last.created_at, finished_at=last.finished_at,
            success_count=last.success_count, failed_count=last.failed_count, skipped_count=last.skipped_count,
        ) if last else None,
        totals=Totals(
            pushed=totals.pushed, failed=totals.failed, skipped=totals.skipped, unknown=totals.unknown,
            success_rate=round(totals.pushed / sent, 4) if sent else None,
        ),
        quota=_quota(view),
        pace=_pace(view),
        active_jobs=totals.active,
    )  # fmt: skip


def _quota(view: DestinationView | None) -> QuotaView | None:
    if view is None or view.webhook is None:
        return None
    quota = view.webhook.quota
    percent = quota.warning_percent
    warning = None
    if percent is not None:
        warning = (
            f"Over {percent} % of this webhook's lifetime submissions are used; at the end Clay takes no more. "
            "Create a new webhook source in Clay and save its URL here."
        )
    return QuotaView(used=quota.used, limit=quota.limit, remaining=quota.remaining, warning=warning)


def _pace(view: DestinationView | None) -> PaceView | None:
    if view is None:
        return None
    current = view.current_interval_ms
    return PaceView(
        rate_limit_ms=view.rate_limit_ms,
        current_ms=round(current, 1),
        leads_per_second=round(1000 / current, 2) if current > 0 else None,
    )
