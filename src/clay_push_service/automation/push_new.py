"""Checks whether a rule may push now, and creates the push job of the leads that it selects. Auto-export and schedules share it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.callers.actor import Actor
from clay_push_service.database.statement import Statement, select_one
from clay_push_service.deliveries.suspicion import read_suspect_since
from clay_push_service.errors import ConflictError, ForbiddenError
from clay_push_service.gate import require_available
from clay_push_service.host.leads import PushableLeads, RoutedLeads
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import AcceptedJob, accept
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.push_jobs.targets.choose import Destination, require_destination
from clay_push_service.settings import Settings

# Counts leads that Clay's own results made eligible: a value of Clay in NexusLeads' row can let a lead pass the rule. This happens once
# per lead, because a rule never selects a lead that Clay has.
AFTER_RESULTS = Statement(
    """
SELECT count(DISTINCT delivery.contributor_id) AS leads FROM clay.clay_push_log AS delivery
JOIN clay.host_writes AS written ON written.org_id = delivery.org_id AND written.lead_id = delivery.contributor_id
WHERE delivery.org_id = :org_id AND delivery.job_id = :job_id AND delivery.status <> 'skipped'
""",
    int,
)
HELD: Final = (
    "{} held: results from your Clay table have stopped. Check credits, the number of rows and auto-run in Clay, then"
    " push the leads without a result again. {} when a result arrives."
)

log = logs.get(__name__)


class BlockReason(StrEnum):
    """Why a rule pushes nothing now, in the order of the checks. The first three are error codes of a push."""

    NOT_AVAILABLE = "enterprise_required"
    NOT_CONFIGURED = "clay_not_configured"
    CLOSED = "destination_closed"
    RESULTS_MISSING = "results_missing"
    QUOTA_EXHAUSTED = "quota_exhausted"


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why a rule pushes nothing now, independent of its leads."""

    reason: BlockReason
    message: str


async def destination_or_block(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    settings: Settings,
    held_message: str,
    *,
    destination_id: UUID | None = None,
    lock: bool,
) -> Blocked | Destination:
    """Returns the destination of a push, by default the organization's default one. `held_message`: the message of RESULTS_MISSING."""
    try:
        await require_available(
            connection, tables, org_id, billing_enabled=settings.billing_enabled, upgrade_url=settings.upgrade_url
        )
    except ForbiddenError as error:
        return Blocked(BlockReason(error.code), error.detail)
    return await check_destination(connection, org_id, destination_id, held_message, lock=lock)


async def check_destination(
    connection: AsyncConnection,
    org_id: UUID,
    destination_id: UUID | None,
    held_message: str,
    *,
    lock: bool,
    named: bool = False,
) -> Blocked | Destination:
    """Returns the destination, or why it takes no leads of an automatic push now. `named`: the message names it."""
    try:
        destination = await require_destination(connection, org_id, destination_id, lock=lock, named=named)
    except ConflictError as error:
        reason = BlockReason.CLOSED if error.code == "destination_archived" else BlockReason(error.code)
        return Blocked(reason, error.detail)
    if await read_suspect_since(connection, org_id, destination.clay_table.destination_id) is not None:
        return Blocked(
            BlockReason.RESULTS_MISSING,
            f"The Clay table “{destination.name}”: {held_message}" if named else held_message,
        )
    return destination


async def count_leads(connection: AsyncConnection, leads: PushableLeads | RoutedLeads) -> int:
    return await select_one(connection, select(func.count()).select_from(leads.subquery()), int)


async def push_new(
    connection: AsyncConnection, tables: HostTables, actor: Actor, destination: Destination, selection: Selection
) -> AcceptedJob | None:
    """Creates the push job of the selection's one project. Returns None, and creates no job, if there is no lead to send."""
    if not await count_leads(connection, selection.leads):
        return None
    before = await connection.begin_nested()
    [job] = await accept(connection, tables, actor, destination, selection)
    if not job.to_send:  # another push queued all of them after the count
        await before.rollback()
        return None
    await before.commit()
    after_results = await AFTER_RESULTS.one(connection, {"org_id": actor.org_id, "job_id": job.job_id})
    metrics.AUTOMATIC_AFTER_RESULTS.inc(after_results)
    log.info("auto_export.after_results", job_id=str(job.job_id), leads=after_results)
    return job
