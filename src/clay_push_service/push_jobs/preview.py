"""Previews a push: counts by cause, a sample of payloads, duration and quota; queues and sends nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.destinations.read import DestinationView, WebhookView
from clay_push_service.errors import ConflictError
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.payload_fields import PayloadError, PayloadProblem
from clay_push_service.mappings.renderers import MappedLead, Renderers, read_renderers_once
from clay_push_service.mappings.versions import read_mapping_of
from clay_push_service.push_jobs.schemas import Preview, Reason
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.push_jobs.summary import leads
from clay_push_service.push_jobs.targets.choose import require_destination
from clay_push_service.push_jobs.targets.sync_mode import (
    ChangedLead,
    SyncDecision,
    decide_sync,
    describe_price,
    sync_refused,
)
from clay_push_service.push_jobs.views import DestinationRef, Waiting
from clay_push_service.states import DestinationState

SAMPLE_LEADS = 2000
"""Up to this many leads all payloads are built (about 0.2 s); above it the counts are estimated from a sample."""
BATCH = 500
UNPACED_PER_SECOND = 1000.0
"""A lower bound of what one worker sends without a pace; for the estimated duration only."""


class _QueuedLeads(NamedTuple):
    everywhere: int
    here: int


# All push jobs of the workspace share the pace; those of this webhook, in all its versions, share the quota.
QUEUED = Statement(
    """
SELECT coalesce(sum(leads), 0) AS everywhere, coalesce(sum(leads) FILTER (WHERE meter_id = (
           SELECT meter_id FROM clay.destination_versions WHERE org_id = :org_id AND id = :version_id)), 0) AS here
FROM (SELECT version.meter_id, lead_count - success_count - failed_count - skipped_count AS leads
      FROM clay.destination_versions AS version JOIN clay.push_jobs AS job ON job.destination_version_id = version.id
      JOIN clay.destinations AS destination ON destination.org_id = version.org_id AND destination.id = version.destination_id
      WHERE version.org_id = :org_id AND destination.workspace_id = :workspace_id AND job.status IN ('pending', 'running')) AS live
""",
    _QueuedLeads,
)


@dataclass(slots=True)
class _PayloadCounts:
    too_large: int = 0
    without_email: int = 0
    sample: dict[str, object] | None = None


class _CheckedLead(NamedTuple):
    lead_id: UUID
    project_id: UUID
    cause: str | None
    live: bool


@dataclass(slots=True)
class _CheckedLeads:
    """The leads of a request, as a push would judge them now. A lead is a pair of project and lead id."""

    to_send: list[tuple[UUID, UUID]] = field(default_factory=list)
    in_clay: list[tuple[UUID, UUID]] = field(default_factory=list)
    skipped: Counter[Cause] = field(default_factory=Counter)

    @property
    def estimated(self) -> bool:
        return max(len(self.to_send), len(self.in_clay)) > SAMPLE_LEADS


async def preview(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, selection: Selection, view: DestinationView
) -> Preview:
    """`view`: the destination, which must have a webhook. A closed one is previewed too: `blocked` is its error code."""
    sync = decide_sync(selection.sync_mode, view.dedupe)
    refusal = await _refusal(connection, org_id, view.id, sync)
    judged = await _check_leads(connection, tables, org_id, selection, view.clay_table)
    lead_count = len(judged.to_send) + judged.skipped.total()
    mapping_id = await read_mapping_of(connection, org_id, view.clay_table.destination_id)
    # With no lead to send, only the sample payload is built.
    sample = judged.to_send[:SAMPLE_LEADS] or judged.in_clay[:1]
    built = await _build(connection, tables, org_id, sample, mapping_id)
    scale = max(len(judged.to_send) / SAMPLE_LEADS, 1.0) if judged.to_send else 0.0
    # With `push_again`, the leads to send may be in Clay and may have changed.
    compared = [lead_id for _, lead_id in (judged.to_send if selection.resend.in_clay else judged.in_clay)]
    changed = await changed_leads(connection, tables, org_id, view.clay_table, compared[:SAMPLE_LEADS])
    changed_since = round(len(changed) * max(len(compared) / SAMPLE_LEADS, 1.0))
    again = 0 if sync.changed is ChangedLead.SKIPPED else changed_since
    judged.skipped[Cause.ALREADY_IN_CLAY] -= again
    sent = len(judged.to_send) + again
    version_id = view.webhook.version_id if view.webhook else None
    queued = await QUEUED.one(
        connection, {"org_id": org_id, "workspace_id": view.workspace_id, "version_id": version_id}
    )
    quota = view.webhook.quota if view.webhook else None
    left = None if quota is None or quota.remaining is None else quota.remaining - queued.here - sent
    return Preview(
        destination=DestinationRef(id=view.id, name=view.name),
        blocked=refusal.code if refusal else None,
        message=refusal.detail if refusal else None,
        waiting=_waiting(view.webhook),
        lead_count=lead_count,
        to_send=sent,
        queued_before=queued.everywhere,
        skipped=_reasons(judged.skipped),
        sync_note=describe_price(sync.changed, again, estimated=judged.estimated),
        changed_since=changed_since,
        too_large=round(built.too_large * scale),
        without_email=round(built.without_email * scale),
        estimated=judged.estimated,
        seconds=_seconds(queued.everywhere + sent, view.current_interval_ms),
        quota_left_after=None if left is None else max(left, 0),
        quota_warning=_quota_warning(left, quota.limit if quota else None),
        sample=built.sample,
    )


async def _check_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, selection: Selection, clay_table: ClayTable
) -> _CheckedLeads:
    excluding = await read_excluding(connection, org_id)
    judged = eligibility(tables, selection.leads, org_id, clay_table, selection.resend, excluding)
    live = queued_leads(org_id, clay_table)
    query = select(
        judged.c.lead_id, judged.c.project_id, judged.c.cause, live.c.contributor_id.is_not(None).label("live")
    ).join_from(judged, live, live.c.contributor_id == judged.c.lead_id, isouter=True)
    found = _CheckedLeads()
    for row in await select_rows(connection, query, _CheckedLead):
        cause = Cause(row.cause) if row.cause else Cause.ALREADY_QUEUED if row.live else None
        if cause is None:
            found.to_send.append((row.project_id, row.lead_id))
        else:
            found.skipped[cause] += 1
        if cause is Cause.ALREADY_IN_CLAY:
            found.in_clay.append((row.project_id, row.lead_id))
    return found


def _reasons(skipped: Mapping[Cause, int]) -> list[Reason]:
    return [
        Reason(cause=cause, count=count, message=EXPLANATIONS[cause].message)
        for cause, count in sorted(skipped.items())
        if count
    ]


def _seconds(leads: int, interval_ms: float) -> float:
    """The expected duration of all leads in line at this interval; 0: without a pace."""
    return round(leads * interval_ms / 1000 if interval_ms > 0 else leads / UNPACED_PER_SECOND, 1)


async def _refusal(
    connection: AsyncConnection, org_id: UUID, destination_id: UUID, sync: SyncDecision
) -> ConflictError | None:
    """The error that a push would be refused with now; None: it would be accepted."""
    try:
        await require_destination(connection, org_id, destination_id, lock=False)
    except ConflictError as error:
        return error
    return None if sync.refusal is None else sync_refused(sync.refusal)


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
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    leads: Sequence[tuple[UUID, UUID]],
    mapping_version_id: UUID | None,
) -> _PayloadCounts:
    built = _PayloadCounts()
    pushed_at = await NOW.one(connection)
    by_project: dict[UUID, list[UUID]] = {}
    for project_id, lead_id in leads:
        by_project.setdefault(project_id, []).append(lead_id)
    for project_id, lead_ids in by_project.items():
        for start in range(0, len(lead_ids), BATCH):
            batch = lead_ids[start : start + BATCH]
            mapped = [MappedLead(org_id, lead_id, mapping_version_id) for lead_id in batch]
            renderers = await read_renderers_once(connection, mapped)
            rows = await read_lead_rows(connection, tables, org_id, project_id, batch)
            for lead in mapped:
                if lead.lead_id in rows:
                    _count(built, lead, rows[lead.lead_id], renderers, pushed_at)
    return built


def _count(built: _PayloadCounts, lead: MappedLead, row: LeadRow, renderers: Renderers, pushed_at: datetime) -> None:
    built.without_email += not row.email
    try:
        payload = renderers.build(lead, row, uuid4(), pushed_at)
    except PayloadError as error:
        built.too_large += error.cause is PayloadProblem.TOO_LARGE
        return
    if built.sample is None:
        built.sample = cast("dict[str, object]", orjson.loads(payload.body))
