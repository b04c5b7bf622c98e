"""What a push WOULD do: counts by reason, payloads built and thrown away, time and quota; nothing is queued or sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID, uuid4

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.database.clock import NOW
from clay_push_service.deliveries.changed_leads import changed_leads
from clay_push_service.deliveries.enqueue import LOG, judged
from clay_push_service.destinations.read import DestinationView, WebhookView
from clay_push_service.errors import ConflictError
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.payload import PayloadError, PayloadProblem, build
from clay_push_service.push_jobs.accept import Selection, require_destination
from clay_push_service.push_jobs.schemas import Preview, Reason
from clay_push_service.push_jobs.summary import leads
from clay_push_service.push_jobs.views import Waiting
from clay_push_service.states import DestinationState

SAMPLE_LEADS = 2000
"""Built in full up to here (about 0.2 s); above it the counts are an estimate."""
BATCH = 500
UNPACED_PER_SECOND = 1000.0
"""What one worker does at the least without a pace; an estimate only."""


# What shares the pace is the organization's, what shares the quota is this webhook's, in all its versions.
QUEUED = text("""
SELECT coalesce(sum(leads), 0) AS everywhere, coalesce(sum(leads) FILTER (WHERE meter_id = (
           SELECT meter_id FROM clay.destination_versions WHERE org_id = :org_id AND id = :version_id)), 0) AS here
FROM (SELECT version.meter_id, lead_count - success_count - failed_count - skipped_count AS leads
      FROM clay.destination_versions AS version JOIN clay.push_jobs AS job ON job.destination_version_id = version.id
      WHERE version.org_id = :org_id AND job.status IN ('pending', 'running')) AS live
""")


@dataclass(slots=True)
class _Built:
    too_large: int = 0
    without_email: int = 0
    sample: dict[str, object] | None = None


async def preview(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, choice: Selection, view: DestinationView
) -> Preview:
    """`view`: the destination, which must have a webhook. A closed one is previewed too, and `blocked` says so."""
    blocked = await _blocked(connection, org_id)
    chosen = judged(choice.leads, org_id, view.table_epoch, choice.again)
    live = select(LOG.c.contributor_id).where(LOG.c.org_id == org_id, LOG.c.state != "done").cte("live")
    rows = (
        await connection.execute(
            select(
                chosen.c.lead_id, chosen.c.project_id, chosen.c.cause, live.c.contributor_id.is_not(None).label("live")
            ).join_from(chosen, live, live.c.contributor_id == chosen.c.lead_id, isouter=True)
        )
    ).all()
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
    sending = await _build(connection, tables, org_id, to_send[:SAMPLE_LEADS] or in_clay[:1])
    scale = max(len(to_send) / SAMPLE_LEADS, 1.0) if to_send else 0.0  # without any, only the sample was built
    # What is pushed again on purpose has changed or not, too.
    taken = [lead_id for _, lead_id in (to_send if choice.again.in_clay else in_clay)]
    changed = await changed_leads(connection, tables, org_id, view.table_epoch, taken[:SAMPLE_LEADS])
    webhook = view.webhook
    quota = webhook.quota if webhook else None
    queued = (
        await connection.execute(QUEUED, {"org_id": org_id, "version_id": webhook.version_id if webhook else None})
    ).one()
    left = None if quota is None or quota.remaining is None else quota.remaining - queued.here - len(to_send)
    interval = view.current_interval_ms / 1000
    going = queued.everywhere + len(to_send)
    return Preview(
        blocked=blocked.code if blocked else None,
        message=blocked.detail if blocked else None,
        waiting=_waiting(webhook),
        lead_count=len(rows),
        to_send=len(to_send),
        queued_before=queued.everywhere,
        skipped=[
            Reason(cause=Cause(each), count=count, message=EXPLANATIONS[Cause(each)].message)
            for each, count in sorted(counts.items())
        ],
        changed_since=round(len(changed) * max(len(taken) / SAMPLE_LEADS, 1.0)),
        too_large=round(sending.too_large * scale),
        without_email=round(sending.without_email * scale),
        estimated=max(len(to_send), len(in_clay)) > SAMPLE_LEADS,
        seconds=round(going * interval if interval > 0 else going / UNPACED_PER_SECOND, 1),
        quota_left_after=None if left is None else max(left, 0),
        quota_warning=_quota_warning(left, quota.limit if quota else None),
        sample=sending.sample,
    )


async def _blocked(connection: AsyncConnection, org_id: UUID) -> ConflictError | None:
    """Why a push would be refused now."""
    try:
        await require_destination(connection, org_id)
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
        return f"The webhook will be used up {leads(-left)} before the end: create a new webhook source in Clay first."
    used = 100 * (limit - left) / limit
    return f"After this push {used:.0f} % of the webhook's lifetime submissions are used." if used >= 80 else None  # noqa: PLR2004 - the contract's first warning


async def _build(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, leads: Sequence[tuple[UUID, UUID]]
) -> _Built:
    built = _Built()
    pushed_at: datetime = (await connection.execute(NOW)).scalar_one()
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
