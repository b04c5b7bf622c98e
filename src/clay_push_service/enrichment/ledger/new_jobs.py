"""SQL that inserts an enrichment job with its items, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import metrics
from clay_push_service.callers.actor import Actor
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.budget import Reservation
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.states import EnrichmentMode, ItemOutcome, LegalBasis, RequestWay
from clay_push_service.enrichment.settings.kinds import Kind, Price


@dataclass(frozen=True, slots=True)
class NewJob:
    id: UUID
    project_id: UUID | None
    kind: Kind
    way: RequestWay
    mode: EnrichmentMode
    legal_basis: LegalBasis
    again: bool
    lead_count: int
    source_job_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class NewItem:
    """`cause` None: the lead is requested from Clay."""

    lead_id: UUID
    project_id: UUID
    outcome: ItemOutcome | None = None
    cause: ItemCause | None = None
    missing: Sequence[str] = ()


class InsertedItem(NamedTuple):
    id: UUID
    lead_id: UUID


CREATE_JOB = Statement("""
INSERT INTO clay.enrichment_jobs (id, org_id, project_id, kind, way, mode, legal_basis, again, lead_count, credits_low, credits_high,
    actions_low, actions_high, source_job_id, created_by, created_by_user_id, request_id)
VALUES (:id, :org_id, :project_id, :kind, :way, :mode, :legal_basis, :again, :lead_count, 0, 0, 0, 0, :source_job_id,
    :created_by, :created_by_user_id, :request_id)
""")
SET_ESTIMATE = Statement("""
UPDATE clay.enrichment_jobs
SET credits_low = :credits_low, credits_high = :credits_high, actions_low = :actions_low, actions_high = :actions_high
WHERE org_id = :org_id AND id = :id
""")
# A lead with a live item is not inserted; the unique index decides, so concurrent requests never request a lead twice.
QUEUE_ITEMS = Statement(
    """
INSERT INTO clay.enrichment_items (id, org_id, job_id, lead_id, project_id, kind, way, state)
SELECT gen_random_uuid(), :org_id, :job_id, lead.id, lead.project_id, :kind, :way, 'queued'
FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:project_ids AS uuid[])) WITH ORDINALITY AS lead (id, project_id, number)
ORDER BY lead.number
ON CONFLICT (org_id, lead_id) WHERE state <> 'done' DO NOTHING
RETURNING id, lead_id
""",
    InsertedItem,
)
END_ITEMS = Statement("""
INSERT INTO clay.enrichment_items (id, org_id, job_id, lead_id, project_id, kind, way, state, outcome, cause, missing, finished_at)
SELECT gen_random_uuid(), :org_id, :job_id, lead.id, lead.project_id, :kind, :way, 'done', lead.outcome, lead.cause,
       string_to_array(lead.missing, ','), now()
FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:project_ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:causes AS text[]),
            CAST(:missing AS text[])) WITH ORDINALITY AS lead (id, project_id, outcome, cause, missing, number)
ORDER BY lead.number
""")
# Ties items of the way `table` to the deliveries of their pushes.
LINK = Statement(
    """
UPDATE clay.enrichment_items AS item
SET state = 'requested', delivery_id = delivery.id, started_at = now(), deadline_at = now() + CAST(:deadline AS interval),
    credits = :credits, actions = :actions, cost_basis = 'reserved'
FROM clay.clay_push_log AS delivery
WHERE item.org_id = :org_id AND item.job_id = :job_id AND item.state = 'queued'
  AND delivery.org_id = :org_id AND delivery.job_id = ANY(CAST(:push_job_ids AS uuid[]))
  AND delivery.contributor_id = item.lead_id AND delivery.state <> 'done'
RETURNING item.lead_id
""",
    UUID,
)


async def create_job(connection: AsyncConnection, actor: Actor, job: NewJob) -> None:
    values = {
        "id": job.id, "org_id": actor.org_id, "project_id": job.project_id, "kind": job.kind, "way": job.way, "mode": job.mode,
        "legal_basis": job.legal_basis, "again": job.again, "lead_count": job.lead_count, "source_job_id": job.source_job_id,
        "created_by": actor.name, "created_by_user_id": actor.user_id, "request_id": actor.request_id,
    }  # fmt: skip
    await CREATE_JOB.execute(connection, values)


async def set_estimate(connection: AsyncConnection, org_id: UUID, job_id: UUID, price: Price, count: int) -> None:
    """Sets the estimate of a job to the price of `count` leads."""
    cost, actions = price.credits.times(count), price.actions.times(count)
    values = {
        "org_id": org_id, "id": job_id, "credits_low": cost.low, "credits_high": cost.high,
        "actions_low": actions.low, "actions_high": actions.high,
    }  # fmt: skip
    await SET_ESTIMATE.execute(connection, values)


async def queue_items(
    connection: AsyncConnection, org_id: UUID, job: NewJob, items: Mapping[UUID, UUID]
) -> Mapping[UUID, UUID]:
    """Queue leads (lead → project). Returns lead → item of those that have no other live item."""
    values = {
        "org_id": org_id, "job_id": job.id, "kind": job.kind, "way": job.way,
        "lead_ids": list(items), "project_ids": list(items.values()),
    }  # fmt: skip
    return {row.lead_id: row.id for row in await QUEUE_ITEMS.rows(connection, values)}


async def add_ended_items(connection: AsyncConnection, org_id: UUID, job: NewJob, items: Sequence[NewItem]) -> None:
    """Insert items that are not requested from Clay."""
    values = {
        "org_id": org_id, "job_id": job.id, "kind": job.kind, "way": job.way,
        "lead_ids": [each.lead_id for each in items], "project_ids": [each.project_id for each in items],
        "outcomes": [each.outcome for each in items], "causes": [each.cause for each in items],
        "missing": [",".join(each.missing) for each in items],
    }  # fmt: skip
    if items:
        await END_ITEMS.execute(connection, values)
    for each in items:
        if each.outcome is not None:
            metrics.enrichment_ended(each.outcome, each.cause, (), ())


async def link_deliveries(
    connection: AsyncConnection,
    org_id: UUID,
    job_id: UUID,
    push_job_ids: Sequence[UUID],
    reservation: Reservation,
    deadline: timedelta,
) -> set[UUID]:
    """Mark the items of a job as requested by their deliveries. Returns their leads."""
    values = {
        "org_id": org_id, "job_id": job_id, "push_job_ids": list(push_job_ids),
        "credits": reservation.credits, "actions": reservation.actions, "deadline": deadline,
    }  # fmt: skip
    return set(await LINK.rows(connection, values))
