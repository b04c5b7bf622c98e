"""Inserts the deliveries of a push: each selected lead is queued, or skipped with the cause, in one statement.

Identical concurrent pushes are safe because of the partial unique index on (organization, destination, lead) over live deliveries, and
because of the order: insert first, then check the history again. A check before the insert only saves work: between it and
the insert, another push's delivery may be inserted and end.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, Insert, Uuid, case, func, insert, literal, null, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.cause_counts import EndedAs
from clay_push_service.deliveries.eligibility import ROUTE_ID, SENT_MEANWHILE, Resend, eligibility, erased_reference
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.deliveries.table import LOG
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.host.leads import PushableLeads, RoutedLeads
from clay_push_service.host.tables import HostTables
from clay_push_service.states import DeliveryState, DeliveryStatus

SKIP_CAUSES = (
    Cause.ALREADY_IN_CLAY,
    Cause.MAYBE_IN_CLAY,
    Cause.ALREADY_QUEUED,
    Cause.ERASED,
    Cause.EXCLUDED,
    Cause.NO_ROUTE,
)

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


# Of the waiting deliveries of these push jobs, those whose lead the table accepted before.
STAMP_REVISIONS = Statement("""
UPDATE clay.clay_push_log AS delivery SET revision = earlier.accepted + 1, supersedes = earlier.first_id
FROM (SELECT mine.id, count(*) AS accepted, (array_agg(sent.id ORDER BY sent.seq))[1] AS first_id
      FROM clay.clay_push_log AS mine
      JOIN clay.clay_push_log AS sent
        ON sent.org_id = mine.org_id AND sent.contributor_id = mine.contributor_id
       AND sent.destination_id = mine.destination_id AND sent.table_epoch = mine.table_epoch AND sent.status = 'success'
      WHERE mine.org_id = :org_id AND mine.job_id = ANY(CAST(:job_ids AS uuid[])) AND mine.state = 'waiting'
      GROUP BY mine.id) AS earlier
WHERE delivery.org_id = :org_id AND delivery.id = earlier.id
""")


class _JobCount(NamedTuple):
    id: UUID
    lead_count: int
    skipped_count: int
    main_cause: str | None
    cause_counts: dict[str, int] | None


COUNT = Statement(
    """
UPDATE clay.push_jobs AS job
SET lead_count = counted.leads, skipped_count = coalesce(counted.skipped, 0), cause_counts = counted.causes, updated_at = now()
FROM (SELECT job_id, sum(leads) AS leads, sum(leads) FILTER (WHERE status = 'skipped') AS skipped,
             jsonb_object_agg('skipped ' || cause || ' sure', leads) FILTER (WHERE status = 'skipped') AS causes,
             (array_agg(cause ORDER BY leads DESC, cause) FILTER (WHERE cause IS NOT NULL))[1] AS main_cause
      FROM (SELECT job_id, CAST(status AS text) AS status, CAST(cause AS text) AS cause, count(*) AS leads
            FROM clay.clay_push_log WHERE job_id = ANY(CAST(:job_ids AS uuid[])) GROUP BY 1, 2, 3) AS by_cause
      GROUP BY job_id) AS counted
WHERE job.id = counted.job_id
RETURNING job.id, lead_count, skipped_count, counted.main_cause, cause_counts
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
    causes: Mapping[Cause, int] = field(default_factory=dict)
    """The skipped leads by cause."""


async def queue_leads(
    connection: AsyncConnection,
    tables: HostTables,
    leads: PushableLeads | RoutedLeads,
    org_id: UUID,
    jobs: Mapping[UUID, UUID],
    clay_table: ClayTable,
    resend: Resend,
) -> dict[UUID, QueuedCount]:
    """Insert the deliveries of these push jobs (`jobs`: project → job) in lead order, and count them into the jobs."""
    excluding = await read_excluding(connection, org_id)
    judged = eligibility(tables, leads, org_id, clay_table, resend, excluding)
    await connection.execute(_insert(judged, org_id, jobs, clay_table))
    job_ids = list(jobs.values())
    await _skip_sent_meanwhile(connection, job_ids, clay_table, resend)
    return {
        row.id: QueuedCount(
            row.lead_count,
            row.skipped_count,
            None if row.main_cause is None else Cause(row.main_cause),
            {EndedAs.of(key).cause: count for key, count in (row.cause_counts or {}).items()},
        )
        for row in await COUNT.rows(connection, {"job_ids": job_ids})
    }


def _insert(judged: CTE, org_id: UUID, jobs: Mapping[UUID, UUID], clay_table: ClayTable) -> Insert:
    """Queues the leads without a cause, and inserts all others as skipped; also those that another push has queued meanwhile."""
    job_id = case(
        *((judged.c.project_id == project_id, literal(job_id, Uuid())) for project_id, job_id in jobs.items()),
        else_=null(),
    )
    common: tuple[str, ...] = (
        "org_id", "job_id", "contributor_id", "project_id", "destination_id", "table_epoch", "username", "full_name",
    )  # fmt: skip
    # The skipped row of an erased lead does not identify the person.
    erased = judged.c.cause == Cause.ERASED.value
    reference = func.coalesce(erased_reference(judged.c.lead_id, org_id), judged.c.lead_id)
    values: tuple[ColumnElement[Any], ...] = (
        literal(org_id, Uuid()), job_id, case((erased, reference), else_=judged.c.lead_id),
        judged.c.project_id, literal(clay_table.destination_id, Uuid()), literal(clay_table.epoch),
        case((erased, null()), else_=judged.c.username), case((erased, null()), else_=judged.c.full_name),
    )  # fmt: skip
    if ROUTE_ID in judged.c:
        common, values = (*common, ROUTE_ID), (*values, judged.c[ROUTE_ID])
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
    ended = (literal(DeliveryStatus.SKIPPED.value), literal(DeliveryState.DONE.value), cause, message, func.now())
    return insert(LOG).from_select(
        (*common, "status", "state", "cause", "error_message", "finished_at"),
        select(*values, *ended)
        .join_from(judged, queued, queued.c.contributor_id == judged.c.lead_id, isouter=True)
        .where(queued.c.contributor_id.is_(None))
        .order_by(judged.c.lead_id),
    )


async def _skip_sent_meanwhile(
    connection: AsyncConnection, job_ids: Collection[UUID], clay_table: ClayTable, resend: Resend
) -> None:
    """The second check, with a snapshot that contains every delivery that was live when ours were inserted."""
    await SKIP_SENT_MEANWHILE.execute(
        connection,
        {
            "job_ids": job_ids,
            "destination_id": clay_table.destination_id,
            "table_epoch": clay_table.epoch,
            "after_job": resend.after_job,
            "resend_in_clay": resend.in_clay,
            "resend_maybe": resend.maybe_in_clay,
            "changed": list(resend.changed),
            "changed_since": list(resend.changed.values()),
            "in_clay": EXPLANATIONS[Cause.ALREADY_IN_CLAY].message,
            "maybe_in_clay": EXPLANATIONS[Cause.MAYBE_IN_CLAY].message,
        },
    )


async def stamp_revisions(connection: AsyncConnection, org_id: UUID, job_ids: Collection[UUID]) -> None:
    """Record on the queued deliveries which revision of their lead they are, and which delivery they supersede."""
    await STAMP_REVISIONS.execute(connection, {"org_id": org_id, "job_ids": list(job_ids)})
