"""Turns chosen leads into deliveries: queued, or skipped with the reason; one statement, whatever the number of leads.

What makes identical pushes safe is the partial unique index on (organization, lead) over live deliveries, and the order:
first insert, then look at the history again. A look-up before the insert is only there to save work: between it and the
insert another push's delivery may come and go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Text,
    Uuid,
    and_,
    case,
    column,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    table,
    text,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.deliveries.suppression import is_erased, reference_of
from clay_push_service.host.leads import PushableLeads
from clay_push_service.session_settings import SCHEMA
from clay_push_service.states import DeliveryState, DeliveryStatus

LOG = table(
    "clay_push_log",
    *(column(name) for name in ("id", "username", "full_name", "status", "state", "cause", "error_message")),
    *(column(name) for name in ("table_epoch", "finished_at", "seq")),
    *(column(name, Uuid()) for name in ("org_id", "job_id", "contributor_id", "project_id")),
    schema=SCHEMA,
)
NAME_LENGTH = 200
NOT_SENT: ColumnElement[bool] = or_(
    LOG.c.status == DeliveryStatus.FAILED.value,
    and_(LOG.c.status == DeliveryStatus.SKIPPED.value, LOG.c.cause == Cause.CANCELLED.value),
)
"""What was to be sent and was not taken: failed, or cancelled, which is kept as `skipped` because nothing went wrong."""

# A second look, with a snapshot that has seen every delivery that was live when ours were inserted.
SENT_MEANWHILE = text("""
UPDATE clay.clay_push_log AS delivery
SET status = 'skipped', state = 'done', cause = history.cause, finished_at = now(),
    error_message = CASE history.cause WHEN 'already_in_clay' THEN :in_clay ELSE :maybe_in_clay END
FROM (SELECT sent.contributor_id,
             CASE WHEN bool_or(sent.status = 'success') THEN 'already_in_clay' ELSE 'maybe_in_clay' END AS cause
      FROM clay.clay_push_log AS mine
      JOIN clay.clay_push_log AS sent ON sent.org_id = mine.org_id AND sent.contributor_id = mine.contributor_id
      LEFT JOIN clay.clay_push_log AS retried
        ON retried.job_id = :retry_of AND retried.org_id = mine.org_id AND retried.contributor_id = mine.contributor_id
      WHERE mine.job_id = ANY(CAST(:job_ids AS uuid[])) AND mine.state = 'waiting' AND sent.table_epoch = :table_epoch
        AND (retried.seq IS NULL OR sent.seq > retried.seq)
        AND ((sent.status = 'success' AND NOT :again_in_clay) OR (sent.cause = 'unknown' AND NOT :again_maybe))
      GROUP BY sent.contributor_id) AS history
WHERE delivery.job_id = ANY(CAST(:job_ids AS uuid[])) AND delivery.state = 'waiting'
  AND delivery.contributor_id = history.contributor_id
""")
COUNT = text("""
UPDATE clay.push_jobs AS job
SET lead_count = counted.leads, skipped_count = counted.skipped, updated_at = now()
FROM (SELECT job_id, count(*) AS leads, count(*) FILTER (WHERE status = 'skipped') AS skipped,
             mode() WITHIN GROUP (ORDER BY cause) AS main_cause
      FROM clay.clay_push_log WHERE job_id = ANY(CAST(:job_ids AS uuid[])) GROUP BY job_id) AS counted
WHERE job.id = counted.job_id
RETURNING job.id, lead_count, skipped_count, counted.main_cause
""")


@dataclass(frozen=True, slots=True)
class Again:
    """What is sent although the history speaks against it."""

    in_clay: bool = False
    maybe_in_clay: bool = False
    retry_of: UUID | None = None
    """Of each lead only what happened after its delivery in this push job counts: the job meant to send the lead despite
    everything before. A lead has one live delivery at a time, so the order of its deliveries is the order of their `seq`."""

    @classmethod
    def all(cls) -> "Again":
        return cls(in_clay=True, maybe_in_clay=True)


@dataclass(frozen=True, slots=True)
class Counted:
    lead_count: int
    """All leads of the push job, with the skipped."""
    skipped_count: int
    main_cause: Cause | None = None
    """Why most of the skipped leads are skipped."""


def judged(leads: PushableLeads, org_id: UUID, table_epoch: int, again: Again) -> CTE:
    """The chosen leads with the cause that skips them, or null; what is live in another job is not looked at.

    A lead whose answer never came may be in Clay whatever was tried later: only a success says more.
    """
    asked = leads.cte("asked").prefix_with("MATERIALIZED", dialect="postgresql")
    sent = select(
        LOG.c.contributor_id,
        func.bool_or(LOG.c.status == DeliveryStatus.SUCCESS).label("in_clay"),
        func.bool_or(LOG.c.cause == Cause.UNKNOWN).label("maybe_in_clay"),
    ).where(
        LOG.c.org_id == org_id,
        LOG.c.table_epoch == table_epoch,
        LOG.c.contributor_id.in_(select(asked.c.lead_id)),
        or_(LOG.c.status == DeliveryStatus.SUCCESS, LOG.c.cause == Cause.UNKNOWN),
    )
    if again.retry_of is not None:
        retried = LOG.alias("retried")
        same_lead = and_(retried.c.org_id == LOG.c.org_id, retried.c.contributor_id == LOG.c.contributor_id)
        sent = sent.join_from(LOG, retried, same_lead).where(
            retried.c.job_id == again.retry_of, LOG.c.seq > retried.c.seq
        )
    history = sent.group_by(LOG.c.contributor_id).cte("history")
    return (
        select(
            asked.c.lead_id, asked.c.project_id,
            func.left(asked.c.username, NAME_LENGTH).label("username"),
            func.left(asked.c.full_name, NAME_LENGTH).label("full_name"),
            case(  # whatever anybody names
                (is_erased(asked.c.lead_id, org_id), literal(Cause.ERASED.value, Text())), else_=_cause(history, again)
            ).label("cause"),
        )
        .join_from(asked, history, history.c.contributor_id == asked.c.lead_id, isouter=True)
        .cte("judged")
    )  # fmt: skip


def _cause(history: CTE, again: Again) -> ColumnElement[str | None]:
    return case(
        (history.c.in_clay.is_(true()), null() if again.in_clay else literal(Cause.ALREADY_IN_CLAY.value, Text())),
        (
            history.c.maybe_in_clay.is_(true()),
            null() if again.maybe_in_clay else literal(Cause.MAYBE_IN_CLAY.value, Text()),
        ),
        else_=null(),
    )


async def queue_leads(
    connection: AsyncConnection,
    leads: PushableLeads,
    org_id: UUID,
    jobs: Mapping[UUID, UUID],
    table_epoch: int,
    again: Again,
) -> dict[UUID, Counted]:
    """Insert the deliveries of these push jobs (`jobs`: project → job), in lead order, and count them into the jobs."""
    chosen = judged(leads, org_id, table_epoch, again)
    job_of = case(
        *((chosen.c.project_id == project_id, literal(job_id, Uuid())) for project_id, job_id in jobs.items()),
        else_=null(),
    )
    common = ("org_id", "job_id", "contributor_id", "project_id", "table_epoch", "username", "full_name")
    # Of an erased person not even the skipped row tells who it is.
    erased = chosen.c.cause == Cause.ERASED.value
    values = (
        literal(org_id, Uuid()), job_of,
        case((erased, func.coalesce(reference_of(chosen.c.lead_id, org_id), chosen.c.lead_id)), else_=chosen.c.lead_id),
        chosen.c.project_id, literal(table_epoch),
        case((erased, null()), else_=chosen.c.username), case((erased, null()), else_=chosen.c.full_name),
    )  # fmt: skip
    queued = (
        postgresql.insert(LOG)
        .from_select(common, select(*values).where(chosen.c.cause.is_(None)).order_by(chosen.c.lead_id))
        .on_conflict_do_nothing(index_elements=["org_id", "contributor_id"], index_where=text("state <> 'done'"))
        .returning(LOG.c.contributor_id)
        .cte("queued")
    )
    cause = func.coalesce(chosen.c.cause, Cause.ALREADY_QUEUED.value)
    message = case(
        *(
            (cause == each.value, EXPLANATIONS[each].message)
            for each in (Cause.ALREADY_IN_CLAY, Cause.MAYBE_IN_CLAY, Cause.ALREADY_QUEUED, Cause.ERASED)
        )
    )
    skipped = (
        insert(LOG)
        .from_select(
            (*common, "status", "state", "cause", "error_message", "finished_at"),
            select(
                *values, literal(DeliveryStatus.SKIPPED.value), literal(DeliveryState.DONE.value), cause, message,
                func.now(),
            )
            .join_from(chosen, queued, queued.c.contributor_id == chosen.c.lead_id, isouter=True)
            .where(queued.c.contributor_id.is_(None))
            .order_by(chosen.c.lead_id),
        )
    )  # fmt: skip
    await connection.execute(skipped)
    job_ids = list(jobs.values())
    await connection.execute(
        SENT_MEANWHILE,
        {
            "job_ids": job_ids,
            "table_epoch": table_epoch,
            "retry_of": again.retry_of,
            "again_in_clay": again.in_clay,
            "again_maybe": again.maybe_in_clay,
            "in_clay": EXPLANATIONS[Cause.ALREADY_IN_CLAY].message,
            "maybe_in_clay": EXPLANATIONS[Cause.MAYBE_IN_CLAY].message,
        },
    )
    rows = await connection.execute(COUNT, {"job_ids": job_ids})
    return {
        row.id: Counted(row.lead_count, row.skipped_count, None if row.main_cause is None else Cause(row.main_cause))
        for row in rows
    }
