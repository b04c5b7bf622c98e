"""Decides what Clay has of a lead, and which leads a push skips; the only module that defines this.

Accepting a push, its second check after the insert, the preview, the lead list and auto-export all use these expressions.
`changed_leads` decides which leads in Clay have changed: that compares payloads, which SQL cannot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    LargeBinary,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    false,
    func,
    literal,
    null,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.selectable import CTE

from clay_push_service.clay.cause import Cause
from clay_push_service.deliveries.suppression import SALTS, Excluding, is_excluded
from clay_push_service.deliveries.table import DESTINATIONS, ERASED, LOG
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.host.leads import PushableLeads, RoutedLeads
from clay_push_service.host.tables import HostTables
from clay_push_service.states import DeliveryState, DeliveryStatus

NAME_LENGTH = 200
FINAL_CAUSES = (
    Cause.REJECTED, Cause.TOO_LARGE, Cause.INVALID_LEAD, Cause.LEAD_GONE, Cause.POISON, Cause.ERASED, Cause.CANCELLED,
)  # fmt: skip
"""Causes for which a later automatic push cannot succeed, or that a user chose: such a lead is sent again only by a retry."""


ROUTE_ID, IS_ROUTED = "route_id", "is_routed"
"""Columns of `RoutedLeads`; a retry has the first."""


@dataclass(frozen=True, slots=True)
class Resend:
    """What is sent again although it is, or may be, in Clay."""

    in_clay: bool = False
    maybe_in_clay: bool = False
    after_job: UUID | None = None
    """For a retry of this push job: only later deliveries of a lead count, because that job was to send it regardless of earlier
    ones. A lead has one live delivery per destination at a time, so `seq` orders them."""
    anywhere: bool = False
    """What is in another Clay table of the organization, or queued for one, is not sent either."""
    changed: Mapping[UUID, int] = field(default_factory=dict)
    """Leads in the Clay table that are sent again, because they have changed since their delivery of this `seq`."""
    besides: tuple[UUID, ...] = ()
    """Push jobs of the same request, which do not count for `anywhere`: routes may send a lead to several tables."""

    @classmethod
    def all(cls) -> "Resend":
        return cls(in_clay=True, maybe_in_clay=True)


def is_in_clay(log: FromClause) -> ColumnElement[bool]:
    return log.c.status == DeliveryStatus.SUCCESS.value


def is_maybe_in_clay(log: FromClause) -> ColumnElement[bool]:
    """True also after a later failure: only a success shows what Clay has."""
    return log.c.cause == Cause.UNKNOWN.value


def is_for(log: FromClause, clay_table: ClayTable) -> ColumnElement[bool]:
    return and_(log.c.destination_id == clay_table.destination_id, log.c.table_epoch == clay_table.epoch)


def is_for_any(log: FromClause, org_id: UUID) -> ColumnElement[bool]:
    """Of the present table of any destination; also of an archived one, whose rows are still in Clay."""
    present = select(DESTINATIONS.c.id, DESTINATIONS.c.table_epoch).where(DESTINATIONS.c.org_id == org_id)
    return tuple_(log.c.destination_id, log.c.table_epoch).in_(present)


def is_queued(log: FromClause) -> ColumnElement[bool]:
    return log.c.state != DeliveryState.DONE.value


def is_not_sent(log: FromClause) -> ColumnElement[bool]:
    """Failed, or cancelled; a cancelled delivery is `skipped` because nothing went wrong."""
    return or_(
        log.c.status == DeliveryStatus.FAILED.value,
        and_(log.c.status == DeliveryStatus.SKIPPED.value, log.c.cause == Cause.CANCELLED.value),
    )


def as_sql(condition: ColumnElement[bool]) -> str:
    """The condition as SQL text with its values written out, for a statement that is written by hand."""
    return str(condition.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]


def eligibility(
    tables: HostTables,
    leads: PushableLeads | RoutedLeads,
    org_id: UUID,
    clay_table: ClayTable,
    resend: Resend,
    excluding: Excluding,
) -> CTE:
    """The selected leads, each with the cause that skips it, or null. Queued leads have none: see `queued_leads`.

    Leads with a column route_id keep it.
    """
    selected = leads.cte("selected").prefix_with("MATERIALIZED", dialect="postgresql")
    queued: ColumnElement[bool] = false()
    if resend.anywhere:
        elsewhere = LOG.c.destination_id != clay_table.destination_id
        queued = and_(is_queued(LOG), elsewhere, LOG.c.job_id.not_in(resend.besides))
    sent = select(
        LOG.c.contributor_id,
        func.bool_or(is_in_clay(LOG)).label("in_clay"),
        func.bool_or(is_maybe_in_clay(LOG)).label("maybe_in_clay"),
        func.bool_or(queued).label("queued_elsewhere"),
    ).where(
        LOG.c.org_id == org_id,
        is_for_any(LOG, org_id) if resend.anywhere else is_for(LOG, clay_table),
        LOG.c.contributor_id.in_(select(selected.c.lead_id)),
        or_(is_in_clay(LOG), is_maybe_in_clay(LOG), queued),
    )
    if resend.after_job is not None:
        retried = LOG.alias("retried")
        same_lead = and_(retried.c.org_id == LOG.c.org_id, retried.c.contributor_id == LOG.c.contributor_id)
        sent = sent.join_from(LOG, retried, same_lead).where(
            retried.c.job_id == resend.after_job, LOG.c.seq > retried.c.seq
        )
    history = sent.group_by(LOG.c.contributor_id).cte("history")
    no_route = literal(Cause.NO_ROUTE.value, Text())
    unrouted = [(selected.c[IS_ROUTED].is_(false()), no_route)] if IS_ROUTED in selected.c else []
    return (
        select(
            selected.c.lead_id, selected.c.project_id,
            func.left(selected.c.username, NAME_LENGTH).label("username"),
            func.left(selected.c.full_name, NAME_LENGTH).label("full_name"),
            case(  # an erased or excluded lead is skipped even if the request resends it
                (is_erased(selected.c.lead_id, org_id), literal(Cause.ERASED.value, Text())),
                (
                    is_excluded(selected.c.lead_id, selected.c.project_id, tables, org_id, excluding),
                    literal(Cause.EXCLUDED.value, Text()),
                ),
                *unrouted,
                else_=_skip_cause(history, resend),
            ).label("cause"),
            *([selected.c[ROUTE_ID]] if ROUTE_ID in selected.c else []),
        )
        .join_from(selected, history, history.c.contributor_id == selected.c.lead_id, isouter=True)
        .cte("judged")
    )  # fmt: skip


def _skip_cause(history: CTE, resend: Resend) -> ColumnElement[str | None]:
    changed = bindparam("changed", list(resend.changed), type_=ARRAY(Uuid()), unique=True)
    return case(
        (history.c.contributor_id == any_(changed), null()),
        (history.c.in_clay.is_(true()), null() if resend.in_clay else literal(Cause.ALREADY_IN_CLAY.value, Text())),
        (
            history.c.maybe_in_clay.is_(true()),
            null() if resend.maybe_in_clay else literal(Cause.MAYBE_IN_CLAY.value, Text()),
        ),
        (history.c.queued_elsewhere.is_(true()), literal(Cause.ALREADY_QUEUED.value, Text())),
        else_=null(),
    )


# The second check of a push, with a snapshot that contains every delivery that was live when ours were inserted.
SENT_MEANWHILE = f"""
SELECT sent.contributor_id,
       CASE WHEN bool_or({as_sql(is_in_clay(LOG.alias("sent")))}) THEN 'already_in_clay' ELSE 'maybe_in_clay' END AS cause
FROM clay.clay_push_log AS mine
JOIN clay.clay_push_log AS sent ON sent.org_id = mine.org_id AND sent.contributor_id = mine.contributor_id
LEFT JOIN clay.clay_push_log AS retried
  ON retried.job_id = :after_job AND retried.org_id = mine.org_id AND retried.contributor_id = mine.contributor_id
LEFT JOIN unnest(CAST(:changed AS uuid[]), CAST(:changed_since AS bigint[])) AS changed (lead_id, seq)
  ON changed.lead_id = mine.contributor_id
WHERE mine.job_id = ANY(CAST(:job_ids AS uuid[])) AND mine.state = 'waiting' AND sent.destination_id = :destination_id
  AND sent.table_epoch = :table_epoch
  AND (retried.seq IS NULL OR sent.seq > retried.seq) AND (changed.seq IS NULL OR sent.seq > changed.seq)
  AND (({as_sql(is_in_clay(LOG.alias("sent")))} AND NOT :resend_in_clay)
       OR ({as_sql(is_maybe_in_clay(LOG.alias("sent")))} AND NOT :resend_maybe))
GROUP BY sent.contributor_id
"""
"""Waiting leads of the push jobs `:job_ids` that another push job has sent since, with the cause that skips them."""


def queued_leads(org_id: UUID, clay_table: ClayTable) -> CTE:
    """The leads that have a live delivery to the destination, for any of its tables."""
    of_destination = (LOG.c.org_id == org_id, LOG.c.destination_id == clay_table.destination_id)
    return select(LOG.c.contributor_id).where(*of_destination, is_queued(LOG)).cte("live")


def push_history(leads: CTE, org_id: UUID, clay_table: ClayTable) -> CTE:
    """For each of `leads` with deliveries: in_clay, queued, maybe_in_clay, and failed with a final cause."""
    in_this_table = LOG.c.table_epoch == clay_table.epoch
    failed = and_(in_this_table, is_not_sent(LOG), LOG.c.cause.in_([cause.value for cause in FINAL_CAUSES]))
    return (
        select(
            LOG.c.contributor_id,
            func.bool_or(and_(in_this_table, is_in_clay(LOG))).label("in_clay"),
            func.bool_or(is_queued(LOG)).label("queued"),
            func.bool_or(and_(in_this_table, is_maybe_in_clay(LOG))).label("maybe_in_clay"),
            func.bool_or(failed).label("failed"),
        )
        .where(
            LOG.c.org_id == org_id,
            LOG.c.destination_id == clay_table.destination_id,
            LOG.c.contributor_id.in_(select(leads.c.lead_id)),
        )
        .group_by(LOG.c.contributor_id)
        .cte("past")
    )


def is_erased(lead_id: ColumnElement[UUID], org_id: UUID) -> ColumnElement[bool]:
    """Null or false for a lead that was not erased. True also for the reference that replaces an erased lead in the log.

    The salt is read once and both lists are hashed once a statement; an organization without erasures pays two look-ups.
    """
    return or_(
        _hash(lead_id, org_id).in_(select(ERASED.c.hash).where(ERASED.c.org_id == org_id)),
        lead_id.in_(select(ERASED.c.reference).where(ERASED.c.org_id == org_id)),
    )


def erased_reference(lead_id: ColumnElement[UUID], org_id: UUID) -> ColumnElement[UUID]:
    """The reference that replaces an erased lead in the log; null for other leads. Costs one look-up for each row."""
    found = select(ERASED.c.reference).where(ERASED.c.org_id == org_id, ERASED.c.hash == _hash(lead_id, org_id))
    return found.scalar_subquery()


def _hash(lead_id: ColumnElement[UUID], org_id: UUID) -> ColumnElement[bytes]:
    salt = select(SALTS.c.salt).where(SALTS.c.org_id == org_id).scalar_subquery()
    return func.sha256(salt.concat(func.uuid_send(lead_id, type_=LargeBinary())), type_=LargeBinary())
