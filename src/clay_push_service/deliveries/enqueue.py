"""Inserts the deliveries of a push: each selected lead is queued, or skipped with the cause, in one statement.

Identical concurrent pushes are safe because of the partial unique index on (organization, destination, lead) over live deliveries, and
because of the order: insert first, then check the history again. A check before the insert only saves work: between it and
the insert, another push's delivery may be inserted and end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, case, func, insert, literal, null, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.eligibility import SENT_MEANWHILE, Resend, eligibility, erased_reference
from clay_push_service.deliveries.table import LOG
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.host.leads import PushableLeads
from clay_push_service.host.tables import HostTables
from clay_push_service.states import DeliveryState, DeliveryStatus

SKIP_CAUSES = (Cause.ALREADY_IN_CLAY, Cause.MAYBE_IN_CLAY, Cause.ALREADY_QUEUED, Cause.ERASED, Cause.EXCLUDED)

# MATERIALIZED: without statistics of the rows just inserted, PostgreSQL would compute the history once for each delivery.
SKIP_SENT_MEANWHILE = Statement(f"""
WITH history AS MATERIALIZED ({SENT_MEANWHILE})
UPDATE clay.clay_push_log AS delivery
SET status = 'skipped', state = 'done', cause = history.cause, finished_at = now(),
    error_message = CASE history.cause WHEN 'already_in_clay' THEN :in_clay ELSE :maybe_in_clay END
FROM history
WHERE delivery.job_id = ANY(CAST(:job_ids AS uuid[])) AND delivery.state = 'waiting'
  AND delivery.contributor_id = history.contributor_id
""")


class _JobCount(NamedTuple):
    id: UUID
    lead_count: int
    skipped_count: int
    main_cause: str | None


COUNT = Statement(
    """
UPDATE clay.push_jobs AS job
SET lead_count = counted.leads, skipped_count = counted.skipped, updated_at = now()
FROM (SELECT job_id, count(*) AS leads, count(*) FILTER (WHERE status = 'skipped') AS skipped,
             mode() WITHIN GROUP (ORDER BY cause) AS main_cause
      FROM clay.clay_push_log WHERE job_id = ANY(CAST(:job_ids AS uuid[])) GROUP BY job_id) AS counted
WHERE job.id = counted.job_id
RETURNING job.id, lead_count, skipped_count, counted.main_cause
""",
    _JobCount,
)


@dataclass(frozen=True, slots=True)
class QueuedCount:
    lead_count: int
    """All leads of the push job, with the skipped."""
    skipped_count: int
    main_cause: Cause | None = None
    """The most frequent cause of the skipped leads."""


async def queue_leads(
    connection: AsyncConnection,
    tables: HostTables,
    leads: PushableLeads,
    org_id: UUID,
    jobs: Mapping[UUID, UUID],
    clay_table: ClayTable,
    resend: Resend,
) -> dict[UUID, QueuedCount]:
    """Insert the deliveries of these push jobs (`jobs`: project → job) in lead order, and count them into the jobs."""
    judged = eligibility(tables, leads, org_id, clay_table, resend)
    job_id = case(
        *((judged.c.project_id == project_id, literal(job_id, Uuid())) for project_id, job_id in jobs.items()),
        else_=null(),
    )
    common = (
        "org_id", "job_id", "contributor_id", "project_id", "destination_id", "table_epoch", "username", "full_name",
    )  # fmt: skip
    # The skipped row of an erased lead does not identify the person.
    erased = judged.c.cause == Cause.ERASED.value
    reference = func.coalesce(erased_reference(judged.c.lead_id, org_id), judged.c.lead_id)
    values = (
        literal(org_id, Uuid()), job_id, case((erased, reference), else_=judged.c.lead_id),
        judged.c.project_id, literal(clay_table.destination_id, Uuid()), literal(clay_table.epoch),
        case((erased, null()), else_=judged.c.username), case((erased, null()), else_=judged.c.full_name),
    )  # fmt: skip
    queued = (
        postgresql.insert(LOG)
        .from_select(common, select(*values).where(judged.c.cause.is_(None)).order_by(judged.c.lead_id))
        .on_conflict_do_nothing(
            index_elements=["org_id", "destination_id", "contributor_id"], index_where=text("state <> 'done'")
        )
        .returning(LOG.c.contributor_id)
        .cte("queued")
    )
    cause = func.coalesce(judged.c.cause, Cause.ALREADY_QUEUED.value)
    message = case(*((cause == each.value, EXPLANATIONS[each].message) for each in SKIP_CAUSES))
    skipped = (
        insert(LOG)
        .from_select(
            (*common, "status", "state", "cause", "error_message", "finished_at"),
            select(
                *values, literal(DeliveryStatus.SKIPPED.value), literal(DeliveryState.DONE.value), cause, message,
                func.now(),
            )
            .join_from(judged, queued, queued.c.contributor_id == judged.c.lead_id, isouter=True)
            .where(queued.c.contributor_id.is_(None))
            .order_by(judged.c.lead_id),
        )
    )  # fmt: skip
    await connection.execute(skipped)
    job_ids = list(jobs.values())
    await SKIP_SENT_MEANWHILE.execute(
        connection,
        {
            "job_ids": job_ids,
            "destination_id": clay_table.destination_id,
            "table_epoch": clay_table.epoch,
            "after_job": resend.after_job,
            "resend_in_clay": resend.in_clay,
            "resend_maybe": resend.maybe_in_clay,
            "in_clay": EXPLANATIONS[Cause.ALREADY_IN_CLAY].message,
            "maybe_in_clay": EXPLANATIONS[Cause.MAYBE_IN_CLAY].message,
        },
    )
    rows = await COUNT.rows(connection, {"job_ids": job_ids})
    return {
        row.id: QueuedCount(
            row.lead_count, row.skipped_count, None if row.main_cause is None else Cause(row.main_cause)
        )
        for row in rows
    }
