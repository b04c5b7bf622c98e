"""Simulates a push of many leads: the destination of each, the route that decides, and why others are skipped. Queues and sends nothing."""

from collections import Counter
from typing import Annotated, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination
from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Statement, select_rows
from clay_push_service.deliveries.eligibility import Resend, eligibility, queued_leads
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destinations.clay_table import NO_TABLE
from clay_push_service.errors import InvalidError
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.host.leads import select_pairs
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.schemas import MAX_LEADS
from clay_push_service.push_jobs.selection import Selection, project_name, select_by_filters
from clay_push_service.push_jobs.targets.choose import find_destination_view
from clay_push_service.push_jobs.targets.divide import Share, divide
from clay_push_service.push_jobs.views import DestinationRef, LeadRef
from clay_push_service.routing.routes import StoredRoute, read_routes, read_stored_routes
from clay_push_service.states import PushMode

WITHOUT_DESTINATION = frozenset({Cause.NO_ROUTE, Cause.EXCLUDED, Cause.ERASED})


class _PushedLead(NamedTuple):
    lead_id: UUID
    project_id: UUID


RECENT = Statement(
    """
SELECT DISTINCT ON (delivery.contributor_id) delivery.contributor_id AS lead_id, delivery.project_id
FROM clay.clay_push_log AS delivery
JOIN clay.push_jobs AS job ON job.org_id = delivery.org_id AND job.id = delivery.job_id
WHERE delivery.org_id = :org_id AND job.created_at > now() - :days * interval '1 day'
ORDER BY delivery.contributor_id, delivery.seq DESC
LIMIT :most
""",
    _PushedLead,
)


class SimulationBody(BaseModel):
    """`project_id` for all leads of a project, or `days` for all leads of the pushes of the last days."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"days": 30}]})

    project_id: UUID | None = Field(None, description="All leads of this project.")
    days: Annotated[int, Field(ge=1, le=90)] | None = Field(
        None, description="The leads of pushes of so many days, 1 to 90."
    )
    push_again: bool = Field(False, description="Simulate a push with `push_again`.")
    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the previous page of `leads`.")
    limit: Annotated[int, Field(ge=1, le=200)] = Field(50, description="Leads in a page.")

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.project_id is None) == (self.days is None):
            raise ValueError("send project_id or days, not both")
        return self


class RouteDecision(BaseModel):
    route_id: UUID | None = Field(
        description="The route that decides; null: none of them, or the default destination is used."
    )
    position: int | None = Field(description="Its position in its list.", examples=[2])
    segment_name: str | None = Field(description="Its segment; null: every lead.", examples=["Founders"])
    destination: DestinationRef | None = Field(description="Where the leads go; null: nowhere.")
    skipped_because: Cause | None = Field(
        description="Why they are not sent; null: they would be sent.", examples=[None]
    )


class RouteCount(RouteDecision):
    lead_count: int = Field(
        description="Leads with this decision; one that goes to two destinations counts in each.", examples=[120]
    )


class SimulatedLead(BaseModel):
    lead: LeadRef = Field(description="The lead.")
    project_id: UUID = Field(description="The project whose score and routes count.")
    decisions: list[RouteDecision] = Field(description="One for each destination, or the reason why it goes nowhere.")


class Simulation(BaseModel):
    lead_count: int = Field(description="All simulated leads.", examples=[500])
    decisions: list[RouteCount] = Field(description="The most leads first.")
    leads: list[SimulatedLead] = Field(description="A page of the leads, in the order of their ids.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )


class _CheckedLead(NamedTuple):
    lead_id: UUID
    project_id: UUID
    username: str | None
    full_name: str | None
    cause: str | None
    live: bool


async def simulate(connection: AsyncConnection, tables: HostTables, org_id: UUID, body: SimulationBody) -> Simulation:
    """Raises 404 `project_not_found`, and 422 `too_many_leads`."""
    after = None if body.cursor is None else _position(body.cursor)
    selection = await _select(connection, tables, org_id, body)
    stored = {each.id: each for each in await read_stored_routes(connection, org_id)}
    routes = await read_routes(connection, org_id)
    found: dict[tuple[UUID, UUID], SimulatedLead] = {}
    for share in await divide(connection, tables, org_id, selection, routes):
        await _check_leads(connection, tables, org_id, share, stored, found)
    counts = Counter(_key(decision) for each in found.values() for decision in each.decisions)
    examples = {_key(decision): decision for each in found.values() for decision in each.decisions}
    ordered = sorted(found.values(), key=lambda each: (each.lead.id, each.project_id))
    rest = [each for each in ordered if after is None or each.lead.id > after]
    return Simulation(
        lead_count=len(found),
        decisions=[RouteCount(**examples[key].model_dump(), lead_count=count) for key, count in counts.most_common()],
        leads=rest[: body.limit],
        next_cursor=pagination.encode(str(rest[body.limit - 1].lead.id)) if len(rest) > body.limit else None,
    )


async def _select(connection: AsyncConnection, tables: HostTables, org_id: UUID, body: SimulationBody) -> Selection:
    resend = Resend.all() if body.push_again else Resend()
    if body.project_id is not None:
        return await select_by_filters(
            connection, tables, org_id, body.project_id, LeadCriteria(), PushMode.ALL, resend
        )
    pushed = await RECENT.rows(connection, {"org_id": org_id, "days": body.days, "most": MAX_LEADS + 1})
    if len(pushed) > MAX_LEADS:
        raise InvalidError(
            f"Over {MAX_LEADS:,} leads were pushed in these days, and one simulation takes up to {MAX_LEADS:,}: send fewer days.",
            code="too_many_leads",
            extra={"limit": MAX_LEADS},
        )
    projects = {each.lead_id: each.project_id for each in pushed}
    names = {each: await project_name(connection, tables, org_id, each) for each in dict.fromkeys(projects.values())}
    return Selection(PushMode.SELECTED, select_pairs(tables, projects), names, resend=resend)


async def _check_leads(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    share: Share,
    stored: dict[UUID, StoredRoute],
    found: dict[tuple[UUID, UUID], SimulatedLead],
) -> None:
    """Add the decisions of one destination with the conditions that a push applies."""
    view = await find_destination_view(connection, org_id, share.destination_id)
    clay_table = NO_TABLE if view is None else view.clay_table
    excluding = await read_excluding(connection, org_id)
    judged = eligibility(tables, share.selection.leads, org_id, clay_table, share.selection.resend, excluding)
    live = queued_leads(org_id, clay_table)
    query = select(
        judged.c.lead_id, judged.c.project_id, judged.c.username, judged.c.full_name, judged.c.cause,
        live.c.contributor_id.is_not(None).label("live"),
    ).join_from(judged, live, live.c.contributor_id == judged.c.lead_id, isouter=True)  # fmt: skip
    deciding = {
        (group.project_id, lead_id): group.route.id if group.route else None
        for group in share.groups
        for lead_id in group.lead_ids
    }
    destination = None if view is None else DestinationRef(id=view.id, name=view.name)
    for row in await select_rows(connection, query, _CheckedLead):
        cause = Cause(row.cause) if row.cause else Cause.ALREADY_QUEUED if row.live else None
        route = stored.get(deciding.get((row.project_id, row.lead_id)) or UUID(int=0))
        decision = RouteDecision(
            route_id=route.id if route else None,
            position=route.position if route else None,
            segment_name=route.segment_name if route else None,
            destination=None if cause in WITHOUT_DESTINATION else destination,
            skipped_because=cause,
        )
        lead = LeadRef(id=row.lead_id, username=row.username, full_name=row.full_name)
        empty = SimulatedLead(lead=lead, project_id=row.project_id, decisions=[])
        found.setdefault((row.project_id, row.lead_id), empty).decisions.append(decision)


def _key(decision: RouteDecision) -> tuple[UUID | None, UUID | None, Cause | None]:
    return decision.route_id, decision.destination.id if decision.destination else None, decision.skipped_because


def _position(cursor: str) -> UUID:
    [lead_id] = pagination.decode(cursor, 1)
    return pagination.identifier(lead_id)
