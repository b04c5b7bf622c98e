"""Previews a push: counts by cause, a sample of payloads, duration and quota; queues and sends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID, uuid4

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.database.clock import NOW
from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.deliveries.changed_leads import changed_leads
from clay_push_service.deliveries.eligibility import eligibility, queued_leads
from clay_push_service.destinations.read import DestinationView, WebhookView
from clay_push_service.errors import ConflictError
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.payload import build
from clay_push_service.leads.payload_fields import PayloadError, PayloadProblem
from clay_push_service.push_jobs.accept import require_destination
from clay_push_service.push_jobs.schemas import Preview, Reason
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.push_jobs.summary import leads
from clay_push_service.push_jobs.views import Waiting
from clay_push_service.states import DestinationState

SAMPLE_LEADS = 2000
"""Up to this many leads all payloads are built (about 0.2 s); above it the counts are estimated from a sample."""
BATCH = 500
UNPACED_PER_SECOND = 1000.0
"""A lower bound of what one worker sends without a pace; for the estimated duration only."""


class _QueuedLeads(NamedTuple):
    everywhere: int
    here: int


# All push jobs of the organization share the pace; those of this webhook, in all its versions, share the quota.
QUEUED = Statement(
    """
SELECT coalesce(sum(leads), 0) AS everywhere, coalesce(sum(leads) FILTER (WHERE meter_id = (
           SELECT meter_id FROM clay.destination_versions WHERE org_id = :org_id AND id = :version_id)), 0) AS here
FROM (SELECT version.meter_id, lead_count - success_count - failed_count - skipped_count AS leads
      FROM clay.destination_versions AS version JOIN clay.push_jobs AS job ON job.destination_version_id = version.id
      WHERE version.org_id = :org_id AND job.status IN ('pending', 'running')) AS live
""",
    _QueuedLeads,
)


@dataclass(slots=True)
class _Built:
    too_large: int = 0
    without_email: int = 0
    sample: dict[str, object] | None = None


class _JudgedLead(NamedTuple):
    lead_id: UUID
    project_id: UUID
    cause: str | None
    live: bool


async def preview(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, selection: Selection, view: DestinationView
) -> Preview:
    """`view`: the destination, which must have a webhook. A closed one is previewed too: `blocked` is its error code."""
    refusal = await _refusal(connection, org_id)
    judged = eligibility(tables, selection.leads, org_id, view.clay_table, selection.resend)
    live = queued_leads(org_id, view.clay_table)
    query = select(
        judged.c.lead_id, judged.c.project_id, judged.c.cause, live.c.contributor_id.is_not(None).label("live")
    ).join_from(judged, live, live.c.contributor_id == judged.c.lead_id, isouter=True)
    rows = await select_rows(connection, query, _JudgedLead)
    counts: dict[str, int] = {}
    to_send: list[tuple[UUID, UUID]] = []
    in_clay: list[tuple[UUID, UUID]] = []
    for row in rows:
        reason = row.cause or (Cause.ALREADY_QUEUED.value if row.live else None)
        if reason is None:
            to_send.append((row.project_id, row.lead_id))
        else:
            counts[reason] = counts.get(reason, 0) + 1
        if reason == Cause.ALREADY_IN_CLAY:
            in_clay.append((row.project_id, row.lead_id))
    built = await _build(connection, tables, org_id, to_send[:SAMPLE_LEADS] or in_clay[:1])
    scale = (
        max(len(to_send) / SAMPLE_LEADS, 1.0) if to_send else 0.0
    )  # with no lead to send, only the sample payload was built
    # With `push_again`, the leads to send may be in Clay and may have changed.
    compared = [lead_id for _, lead_id in (to_send if selection.resend.in_clay else in_clay)]
    changed = await changed_leads(connection, tables, org_id, view.clay_table, compared[:SAMPLE_LEADS])
    webhook = view.webhook
    quota = webhook.quota if webhook else None
    queued = await QUEUED.one(connection, {"org_id": org_id, "version_id": webhook.version_id if webhook else None})
    left = None if quota is None or quota.remaining is None else quota.remaining - queued.here - len(to_send)
    interval = view.current_interval_ms / 1000
    in_line = queued.everywhere + len(to_send)
    return Preview(
        blocked=refusal.code if refusal else None,
        message=refusal.detail if refusal else None,
        waiting=_waiting(webhook),
        lead_count=len(rows),
        to_send=len(to_send),
        queued_before=queued.everywhere,
        skipped=[
            Reason(cause=Cause(each), count=count, message=EXPLANATIONS[Cause(each)].message)
            for each, count in sorted(counts.items())
        ],
        changed_since=round(len(changed) * max(len(compared) / SAMPLE_LEADS, 1.0)),
        too_large=round(built.too_large * scale),
        without_email=round(built.without_email * scale),
        estimated=max(len(to_send), len(in_clay)) > SAMPLE_LEADS,
        seconds=round(in_line * interval if interval > 0 else in_line / UNPACED_PER_SECOND, 1),
        quota_left_after=None if left is None else max(left, 0),
        quota_warning=_quota_warning(left, quota.limit if quota else None),
        sample=built.sample,
    )


async def _refusal(connection: AsyncConnection, org_id: UUID) -> ConflictError | None:
    """The error that a push would be refused with now; None: it would be accepted."""
    try:
        await require_destination(connection, org_id, lock=False)
    except ConflictError as error:
        return error
    return None


def _waiting(webhook: WebhookView | None) -> Waiting | None:
    if webhook is None or webhook.state is not DestinationState.WAITING:
        return None
    return Waiting(reason=Cause(webhook.reason or Cause.CLAY_UNAVAILABLE), until=webhook.until)


def _quota_warning(left: int | None, limit: int | None) -> str | None:
    if left is None or not limit:
        return None
    if left < 0:
        return (
            f"The webhook's quota is {leads(-left)} too small for this push. Create a new webhook source in Clay first."
        )
    used = 100 * (limit - left) / limit
    return f"After this push {used:.0f} % of the webhook's lifetime submissions are used." if used >= 80 else None  # noqa: PLR2004 - the contract's first warning


async def _build(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, leads: Sequence[tuple[UUID, UUID]]
) -> _Built:
    built = _Built()
    pushed_at = await NOW.one(connection)
    by_project: dict[UUID, list[UUID]] = {}
    for project_id, lead_id in leads:
        by_project.setdefault(project_id, []).append(lead_id)
    for project_id, lead_ids in by_project.items():
        for start in range(0, len(lead_ids), BATCH):
            batch = lead_ids[start : start + BATCH]
            for row in (await read_lead_rows(connection, tables, org_id, project_id, batch)).values():
                _count(built, row, pushed_at)
    return built


def _count(built: _Built, row: LeadRow, pushed_at: datetime) -> None:
    built.without_email += not row.email
    try:
        payload = build(row, uuid4(), pushed_at)
    except PayloadError as error:
        built.too_large += error.cause is PayloadProblem.TOO_LARGE
        return
    if built.sample is None:
        built.sample = cast("dict[str, object]", orjson.loads(payload.body))
