"""Accepts a push in the caller's transaction: gate, destination, leads, push jobs, deliveries, wake-up; or says why not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import queue
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.deliveries import counters
from clay_push_service.deliveries.enqueue import Again, Counted, queue_leads
from clay_push_service.deliveries.parallelism import workers_per_job
from clay_push_service.destinations.read import NOT_CONFIGURED
from clay_push_service.errors import ConflictError, InvalidError, NotFoundError
from clay_push_service.host import leads as host_leads
from clay_push_service.host.lead_filters import LeadCriteria, count_filtered, select_filtered
from clay_push_service.host.leads import PushableLeads
from clay_push_service.host.projects import find_project as read_project
from clay_push_service.host.tables import HostTables
from clay_push_service.states import DestinationState, PushMode

MAX_LEADS = 50_000
"""What a webhook takes in its whole life; a push of more could never end well."""
NAMED = 10
"""Ids named in one refusal; of 50,000 nobody reads more."""

# The webhook can be neither changed nor removed between this lock and our commit. Locked by a statement of its own: one that
# had to wait for a change would see the new destination beside the old versions, and find none.
LOCK_DESTINATION = text("SELECT 1 FROM clay.destinations WHERE org_id = :org_id FOR KEY SHARE")
DESTINATION = text("""
SELECT destination.table_name, destination.table_epoch, destination.rate_limit_ms, version.id AS version_id,
       version.state, version.state_reason
FROM clay.destinations AS destination
JOIN clay.destination_versions AS version ON version.id = destination.version_id
WHERE destination.org_id = :org_id
""")
CREATE = text("""
INSERT INTO clay.push_jobs (id, org_id, project_id, project_name, destination_version_id, table_name, table_epoch,
    push_mode, filters, push_again, retry_of, source_job_id, created_by, created_by_user_id, request_id)
VALUES (:id, :org_id, :project_id, :project_name, :version_id, :table_name, :table_epoch, :push_mode,
    CAST(:filters AS jsonb), :push_again, :retry_of, :source_job_id, :created_by, :created_by_user_id, :request_id)
""")


@dataclass(frozen=True, slots=True)
class Destination:
    """An organization's destination, as accepting a push sees it."""

    version_id: UUID
    table_name: str | None
    table_epoch: int
    rate_limit_ms: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which leads, how they were chosen, and what is sent again."""

    mode: PushMode
    leads: PushableLeads
    projects: Sequence[UUID]
    """Those that the leads count for: one push job each, in this order."""
    again: Again = field(default_factory=Again)
    filters_json: str | None = None
    retry_of: UUID | None = None
    source_job_id: UUID | None = None
    push_again: bool = False
    """Whether the push job may send what is in Clay already: the invariant "once" excuses its deliveries."""


@dataclass(frozen=True, slots=True)
class AcceptedJob:
    job_id: UUID
    project_id: UUID
    lead_count: int
    """All leads of the request in this project, with the skipped."""
    skipped_count: int
    push_mode: PushMode
    main_cause: Cause | None = None
    """Why most of the skipped leads are skipped."""


async def lock_destination(connection: AsyncConnection, org_id: UUID) -> None:
    """Before any push job is locked (see `deliveries.counters`): neither the webhook nor what is erased changes until our commit."""
    await connection.execute(LOCK_DESTINATION, {"org_id": org_id})


async def require_destination(connection: AsyncConnection, org_id: UUID) -> Destination:
    """Raises 409 `clay_not_configured` or `destination_closed`, the latter with the reason and the remedy."""
    await lock_destination(connection, org_id)
    row = (await connection.execute(DESTINATION, {"org_id": org_id})).one_or_none()
    if row is None:
        raise ConflictError(NOT_CONFIGURED, code="clay_not_configured")
    if row.state == DestinationState.CLOSED:
        reason = Cause(row.state_reason)
        explanation = EXPLANATIONS[reason]
        remedy = explanation.remedy.replace("then retry", "then push")  # whoever pushes has no job yet to retry
        raise ConflictError(
            f"Your Clay table takes no leads now: {explanation.message} {remedy}",
            code="destination_closed",
            extra={"reason": reason.value, "remedy": remedy, "who": explanation.who.value},
        )
    return Destination(row.version_id, row.table_name, row.table_epoch, row.rate_limit_ms)


async def choose_selected(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    lead_ids: Sequence[UUID],
    project_id: UUID | None,
    again: Again,
) -> Selection:
    """Leads by id. Raises 404 `project_not_found` or `lead_not_found` with the first ten that are none."""
    if project_id is None:
        return await _choose_best(connection, tables, org_id, lead_ids, again)
    await require_project(connection, tables, org_id, project_id)
    unknown = await host_leads.unknown_leads(connection, tables, org_id, lead_ids, project_id, NAMED)
    if unknown:
        raise no_leads(unknown, "These are no leads of your project, so nothing was queued")
    leads = host_leads.select_by_id(tables, org_id, lead_ids, project_id)
    return Selection(PushMode.SELECTED, leads, [project_id], again=again)


async def _choose_best(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID], again: Again
) -> Selection:
    """Which project each lead counts for is asked once: scoring goes on meanwhile, and may move a lead to a project without a job."""
    projects = await host_leads.best_projects(connection, tables, org_id, lead_ids)
    unknown = [each for each in dict.fromkeys(lead_ids) if each not in projects]
    if unknown:
        raise no_leads(unknown[:NAMED], "These are no leads of your organization, so nothing was queued")
    most = [project_id for project_id, _ in Counter(projects.values()).most_common()]
    return Selection(PushMode.SELECTED, host_leads.select_pairs(tables, projects), most, again=again)


async def choose_filtered(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    criteria: LeadCriteria,
    mode: PushMode,
    again: Again,
    filters_json: str | None = None,
) -> Selection:
    """Leads of a project by filters. Raises 404 `project_not_found`, or 422 `too_many_leads` with their count."""
    await require_project(connection, tables, org_id, project_id)
    count = await count_filtered(connection, tables, org_id, project_id, criteria)
    if count > MAX_LEADS:
        raise InvalidError(
            f"The filters match {count:,} leads, and one push takes up to {MAX_LEADS:,}: narrow the filters.",
            code="too_many_leads",
            extra={"count": count, "limit": MAX_LEADS},
        )
    leads = select_filtered(tables, org_id, project_id, criteria)
    return Selection(mode, leads, [project_id], again=again, filters_json=filters_json)


async def require_project(connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID) -> str:
    """The project's name. Raises 404 `project_not_found`, also where it is another organization's."""
    found = await read_project(connection, tables, org_id, project_id)
    if found is None:
        _no_project()
    return found.name


def no_leads(lead_ids: Sequence[UUID], said: str) -> NotFoundError:
    """404 `lead_not_found` that names them, in its sentence and for programs."""
    named = [str(each) for each in lead_ids]
    return NotFoundError(f"{said}: {', '.join(named)}.", code="lead_not_found", extra={"lead_ids": named})


def _no_project() -> NoReturn:
    raise NotFoundError("Your organization has no project with this id.", code="project_not_found")


async def accept(
    connection: AsyncConnection, tables: HostTables, actor: Actor, destination: Destination, choice: Selection
) -> list[AcceptedJob]:
    """Queue the chosen leads: one push job a project. Commits nothing itself."""
    jobs: dict[UUID, UUID] = {}
    for project_id in choice.projects:
        jobs[project_id] = uuid4()
        found = await read_project(connection, tables, actor.org_id, project_id)
        await connection.execute(
            CREATE,
            {
                "id": jobs[project_id],
                "org_id": actor.org_id,
                "project_id": project_id,
                "project_name": found.name if found else None,
                "version_id": destination.version_id,
                "table_name": destination.table_name,
                "table_epoch": destination.table_epoch,
                "push_mode": choice.mode,
                "filters": choice.filters_json,
                "push_again": choice.push_again or choice.again.in_clay,
                "retry_of": choice.retry_of,
                "source_job_id": choice.source_job_id,
                "created_by": actor.name,
                "created_by_user_id": actor.user_id,
                "request_id": actor.request_id,
            },
        )
    counts = await queue_leads(connection, choice.leads, actor.org_id, jobs, destination.table_epoch, choice.again)
    accepted = []
    for project_id, job_id in jobs.items():
        counted = counts.get(job_id, Counted(0, 0))
        leads, skipped = counted.lead_count, counted.skipped_count
        accepted.append(AcceptedJob(job_id, project_id, leads, skipped, choice.mode, counted.main_cause))
        if leads > skipped:
            await queue.wake(connection, job_id, times=workers_per_job(destination.rate_limit_ms, leads - skipped))
    await counters.add(
        connection, {job_id: counters.Counts() for job_id in jobs.values()}
    )  # ends those with nothing to send
    return accepted
