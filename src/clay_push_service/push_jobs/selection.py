"""Selects the leads of a push request: by ids, or by the filters of a project; refuses unknown leads and projects."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.deliveries.eligibility import Resend
from clay_push_service.errors import InvalidError, NotFoundError
from clay_push_service.host.lead_filters import LeadCriteria, count_filtered, select_filtered
from clay_push_service.host.leads import (
    PushableLeads,
    RoutedLeads,
    best_projects,
    select_by_id,
    select_pairs,
    unknown_leads,
)
from clay_push_service.host.projects import find_project
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.schemas import MAX_LEADS, PreviewBody, PushBody, PushFilteredBody
from clay_push_service.states import PushMode, SyncedLeads

MAX_NAMED_IDS = 10
"""Ids listed in one refusal; a list of 50,000 helps no reader."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The leads of a push request, before anything is queued."""

    push_mode: PushMode
    leads: PushableLeads | RoutedLeads
    projects: Mapping[UUID, str | None]
    """Id → name of the projects that the leads count for; each gets one push job, in this order."""
    resend: Resend = field(default_factory=Resend)
    filters_json: str | None = None
    source_job_id: UUID | None = None
    """The scan that started an automatic push."""
    sync_mode: SyncedLeads = SyncedLeads.NEW
    push_again: bool = False
    """Whether the push job may send leads that are in Clay: the invariant "once" permits its deliveries."""

    def besides(self, job_ids: Iterable[UUID]) -> "Selection":
        """The same, beside push jobs of the same request to other destinations."""
        return replace(self, resend=replace(self.resend, besides=tuple(job_ids))) if self.resend.anywhere else self


async def select_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, body: PushBody | PushFilteredBody | PreviewBody
) -> Selection:
    """Raises 404 `project_not_found` or `lead_not_found`, and 422 for a body that contradicts itself or matches too many."""
    if body.push_again and body.sync_mode is SyncedLeads.NEW_AND_CHANGED:
        raise InvalidError(
            "push_again sends all leads again: omit it, or use sync_mode `new`.",
            errors=[{"field": "sync_mode", "message": "must be `new` with push_again"}],
        )
    resend = replace(Resend.all() if body.push_again else Resend(), anywhere=body.anywhere)
    return replace(await _select(connection, tables, org_id, body, resend), sync_mode=body.sync_mode)


async def _select(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    body: PushBody | PushFilteredBody | PreviewBody,
    resend: Resend,
) -> Selection:
    if isinstance(body, PushFilteredBody):
        if body.push_mode == "all" and not body.filters.is_empty:
            raise InvalidError(
                "push_mode `all` pushes the whole project: omit the filters, or use `filtered`.",
                errors=[{"field": "filters", "message": "must be empty with push_mode `all`"}],
            )
        return await select_by_filters(
            connection, tables, org_id, body.project_id, body.filters.criteria(), PushMode(body.push_mode), resend,
            body.filters.model_dump_json(exclude_defaults=True),
        )  # fmt: skip
    if isinstance(body, PreviewBody) and not (body.lead_ids is not None and body.filters.is_empty):
        project_id = _previewed_project(body)
        criteria = body.filters.criteria()
        return await select_by_filters(connection, tables, org_id, project_id, criteria, PushMode.FILTERED, resend)
    return await select_by_ids(connection, tables, org_id, body.lead_ids or [], body.project_id, resend)


def _previewed_project(body: PreviewBody) -> UUID:
    """Raises 422 unless the preview is of filters in a project."""
    if body.lead_ids is not None:
        raise InvalidError(
            "Send lead_ids or filters, not both.", errors=[{"field": "filters", "message": "not with lead_ids"}]
        )
    if body.project_id is None:
        raise InvalidError(
            "Send lead_ids or a project_id.", errors=[{"field": "lead_ids", "message": "lead_ids or project_id"}]
        )
    return body.project_id


async def select_by_ids(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    lead_ids: Sequence[UUID],
    project_id: UUID | None,
    resend: Resend,
) -> Selection:
    """Raises 404 `project_not_found`, or `lead_not_found` with the first ten unknown ids."""
    if project_id is None:
        return await _select_by_best_project(connection, tables, org_id, lead_ids, resend)
    name = await require_project(connection, tables, org_id, project_id)
    unknown = await unknown_leads(connection, tables, org_id, lead_ids, project_id, MAX_NAMED_IDS)
    if unknown:
        raise leads_not_found(unknown, "Nothing was queued. Your project has no leads with these ids")
    leads = select_by_id(tables, org_id, lead_ids, project_id)
    return Selection(PushMode.SELECTED, leads, {project_id: name}, resend=resend)


async def _select_by_best_project(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID], resend: Resend
) -> Selection:
    """The project of each lead is read once: a score that changes meanwhile could move the lead to a project without a job."""
    projects = await best_projects(connection, tables, org_id, lead_ids)
    unknown = [each for each in dict.fromkeys(lead_ids) if each not in projects]
    if unknown:
        raise leads_not_found(
            unknown[:MAX_NAMED_IDS], "Nothing was queued. Your organization has no leads with these ids"
        )
    largest_first = [project_id for project_id, _ in Counter(projects.values()).most_common()]
    names = {each: await project_name(connection, tables, org_id, each) for each in largest_first}
    return Selection(PushMode.SELECTED, select_pairs(tables, projects), names, resend=resend)


async def select_by_filters(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID,
    criteria: LeadCriteria,
    push_mode: PushMode,
    resend: Resend,
    filters_json: str | None = None,
) -> Selection:
    """Raises 404 `project_not_found`, or 422 `too_many_leads` with their count."""
    name = await require_project(connection, tables, org_id, project_id)
    count = await count_filtered(connection, tables, org_id, project_id, criteria)
    if count > MAX_LEADS:
        raise InvalidError(
            f"The filters match {count:,} leads, and one push takes up to {MAX_LEADS:,}: narrow the filters.",
            code="too_many_leads",
            extra={"count": count, "limit": MAX_LEADS},
        )
    leads = select_filtered(tables, org_id, project_id, criteria)
    return Selection(push_mode, leads, {project_id: name}, resend=resend, filters_json=filters_json)


async def project_name(connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID) -> str | None:
    """None: the organization has no such project."""
    found = await find_project(connection, tables, org_id, project_id)
    return found.name if found else None


async def require_project(connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID) -> str:
    """The project's name. Raises 404 `project_not_found`, also for a project of another organization."""
    found = await find_project(connection, tables, org_id, project_id)
    if found is None:
        raise NotFoundError("Your organization has no project with this id.", code="project_not_found")
    return found.name


def leads_not_found(lead_ids: Sequence[UUID], reason: str) -> NotFoundError:
    """404 `lead_not_found` with the ids in its sentence and in a field of their own."""
    ids = [str(each) for each in lead_ids]
    return NotFoundError(f"{reason}: {', '.join(ids)}.", code="lead_not_found", extra={"lead_ids": ids})
