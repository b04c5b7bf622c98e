"""Previews a push: counts by cause, a sample of payloads, duration and quota; queues and sends nothing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.deliveries.changed_leads import changed_leads
from clay_push_service.deliveries.eligibility import eligibility, queued_leads
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.destinations.read import DestinationView, WebhookView
from clay_push_service.errors import ConflictError
from clay_push_service.host.tables import HostTables
from clay_push_service.mappings.versions import read_mapping_of
from clay_push_service.push_jobs.payload_counts import PayloadCounts, count_payloads
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


class _CheckedLead(NamedTuple):
    lead_id: UUID
    project_id: UUID
    cause: str | None
    live: bool


@dataclass(slots=True)
class _CheckedLeads:
    """The leads of a request, as a push would treat them now. A lead is a pair of project and lead id."""

    to_send: list[tuple[UUID, UUID]] = field(default_factory=list)
    in_clay: list[tuple[UUID, UUID]] = field(default_factory=list)
    skipped: Counter[Cause] = field(default_factory=Counter)

    @property
    def estimated(self) -> bool:
        return max(len(self.to_send), len(self.in_clay)) > SAMPLE_LEADS

    @property
    def scale(self) -> float:
        """Leads to send for each lead of the sample; 0: none is sent."""
        return max(len(self.to_send) / SAMPLE_LEADS, 1.0) if self.to_send else 0.0


async def preview(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, selection: Selection, view: DestinationView
) -> Preview:
    """`view`: the destination, which must have a webhook. A closed one is previewed too: `blocked` is its error code."""
    sync = decide_sync(selection.sync_mode, view.dedupe)
    refusal = await _refusal(connection, org_id, view.id, sync)
    checked = await _check_leads(connection, tables, org_id, selection, view.clay_table)
    lead_count = len(checked.to_send) + checked.skipped.total()
    payloads = await _build_sample(connection, tables, org_id, checked, view)
    changed_since = await _count_changed(connection, tables, org_id, selection, checked, view)
    again = 0 if sync.changed is ChangedLead.SKIPPED else changed_since
    checked.skipped[Cause.ALREADY_IN_CLAY] -= again
    sent = len(checked.to_send) + again
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
        skipped=_reasons(checked.skipped),
        sync_note=describe_price(sync.changed, again, estimated=checked.estimated),
        changed_since=changed_since,
        too_large=round(payloads.too_large * checked.scale),
        without_email=round(payloads.without_email * checked.scale),
        estimated=checked.estimated,
        seconds=_seconds(queued.everywhere + sent, view.current_interval_ms),
        quota_left_after=None if left is None else max(left, 0),
        quota_warning=_quota_warning(left, quota.limit if quota else None),
        sample=payloads.sample,
    )


async def _build_sample(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, checked: _CheckedLeads, view: DestinationView
) -> PayloadCounts:
    mapping_id = await read_mapping_of(connection, org_id, view.clay_table.destination_id)
    # With no lead to send, only the sample payload is built.
    sample = checked.to_send[:SAMPLE_LEADS] or checked.in_clay[:1]
    return await count_payloads(connection, tables, org_id, sample, mapping_id)


async def _count_changed(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    selection: Selection,
    checked: _CheckedLeads,
    view: DestinationView,
) -> int:
    """The number of leads that have changed since Clay accepted them, estimated from a sample."""
    # With `push_again`, the leads to send may be in Clay and may have changed.
    compared = [lead_id for _, lead_id in (checked.to_send if selection.resend.in_clay else checked.in_clay)]
    changed = await changed_leads(connection, tables, org_id, view.clay_table, compared[:SAMPLE_LEADS])
    return round(len(changed) * max(len(compared) / SAMPLE_LEADS, 1.0))


async def _check_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, selection: Selection, clay_table: ClayTable
) -> _CheckedLeads:
    excluding = await read_excluding(connection, org_id)
    checked = eligibility(tables, selection.leads, org_id, clay_table, selection.resend, excluding)
    live = queued_leads(org_id, clay_table)
    query = select(
        checked.c.lead_id, checked.c.project_id, checked.c.cause, live.c.contributor_id.is_not(None).label("live")
    ).join_from(checked, live, live.c.contributor_id == checked.c.lead_id, isouter=True)
    result = _CheckedLeads()
    for row in await select_rows(connection, query, _CheckedLead):
        cause = Cause(row.cause) if row.cause else Cause.ALREADY_QUEUED if row.live else None
        if cause is None:
            result.to_send.append((row.project_id, row.lead_id))
        else:
            result.skipped[cause] += 1
        if cause is Cause.ALREADY_IN_CLAY:
            result.in_clay.append((row.project_id, row.lead_id))
    return result


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
