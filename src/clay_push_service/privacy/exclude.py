"""Adds an exclusion, and ends queued deliveries and enrichment items of the leads that it matches."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.enrichment.jobs.excluded import end_excluded
from clay_push_service.enrichment.ledger.counters import lock_queued_jobs
from clay_push_service.host.tables import HostTables
from clay_push_service.routing.exclusion_target import ExclusionTarget
from clay_push_service.routing.exclusions import Exclusion, ExclusionKind, add_exclusion


@dataclass(frozen=True, slots=True)
class ExclusionResult:
    exclusion: Exclusion
    is_new: bool
    """False: the lead or domain was excluded already, and its exclusion is unchanged."""
    stopped: int
    """Queued deliveries that the exclusion ended."""
    stopped_enrichments: int
    """Queued leads of enrichment jobs that the exclusion ended."""


async def exclude(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    actor: str,
    target: ExclusionTarget,
    kind: ExclusionKind,
    reason: str,
) -> ExclusionResult:
    """Raises 404 `lead_not_found` and `segment_not_found`, and 409 `lead_erased`."""
    # Before the push jobs, as every transaction that locks both (see the lock order in `ledger.counters`).
    job_ids = await lock_queued_jobs(connection, org_id)
    added = await add_exclusion(connection, tables, org_id, actor, target, kind, reason)
    stopped = await end_excluded(connection, tables, org_id, job_ids) if added.is_new else 0
    return ExclusionResult(added.exclusion, added.is_new, added.stopped, stopped)
