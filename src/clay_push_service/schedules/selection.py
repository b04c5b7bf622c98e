"""Selects the leads that a run of a schedule pushes: the new ones that pass its filters, and with `new_and_changed` changed ones."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.selectable import CTE

from clay_push_service.automation.push_new import count_leads
from clay_push_service.automation.push_routed import evaluate_candidates, routes_of
from clay_push_service.automation.routed_plan import Candidates, passing_candidates
from clay_push_service.automation.rule import Rule
from clay_push_service.automation.rule_selection import Clause, apply_rule, select_passed
from clay_push_service.database.statement import select_rows
from clay_push_service.deliveries.changed_leads import changed_leads
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.host.lead_filters import select_filtered
from clay_push_service.host.leads import PushableLeads, select_by_id
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.push_jobs.schemas import MAX_LEADS
from clay_push_service.routing.segments import read_segment
from clay_push_service.schedules.schedule import ScheduleValues
from clay_push_service.states import PushMode, SyncedLeads

NO_CONDITIONS: Final = Rule(enabled=True)
"""A schedule's conditions are its filters."""


SEGMENT_EMPTIED: Final = "An erasure emptied the segment, so it matches no lead. Check its filters and save it again."
ROUTES_CHOOSE: Final = "Routes choose the Clay tables of this project, and mode `new_and_changed` needs one table. Set destination_id, or use mode `new`."


async def with_segment(connection: AsyncConnection, org_id: UUID, values: ScheduleValues) -> ScheduleValues | None:
    """Returns the values with the present filters of their segment. Returns None if an erasure emptied the segment, which then matches no lead."""
    if values.segment_id is None:
        return values
    segment = await read_segment(connection, org_id, values.segment_id)
    if segment.emptied_at is not None:
        return None
    return replace(values, filters=LeadFilters.model_validate(segment.filters))


async def refuses_changed(connection: AsyncConnection, org_id: UUID, values: ScheduleValues) -> bool:
    """Returns whether the schedule sends changed leads again although routes choose the tables: a lead may be in several of them."""
    if values.mode is SyncedLeads.NEW or values.destination_id is not None:
        return False
    return await routes_of(connection, org_id, values.project_id) is not None


async def routed_candidates(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, values: ScheduleValues, project_name: str | None
) -> Candidates:
    """Returns the leads that the filters match, for routes."""
    criteria = values.filters.criteria()
    evaluated = await evaluate_candidates(connection, tables, org_id, values.project_id, NO_CONDITIONS, criteria)
    filters = values.filters.model_dump_json(exclude_defaults=True)
    return passing_candidates(evaluated, PushMode.AUTO, {values.project_id: project_name}, filters)


@dataclass(frozen=True, slots=True)
class RunLeads:
    """The leads of one run. `changed` are in the Clay table already, and are sent again."""

    new: PushableLeads
    new_count: int
    changed: PushableLeads | None = None
    changed_count: int = 0

    @property
    def count(self) -> int:
        return self.new_count + self.changed_count


async def evaluate_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, values: ScheduleValues, clay_table: ClayTable
) -> CTE:
    """Returns all leads of the project, each with the clause that excludes it."""
    excluding, criteria = await read_excluding(connection, org_id), values.filters.criteria()
    return apply_rule(tables, org_id, values.project_id, NO_CONDITIONS, clay_table, excluding, criteria)


async def find_changed(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, values: ScheduleValues, clay_table: ClayTable
) -> list[UUID]:
    """Returns the leads in the Clay table that have changed and match the filters, the best first. Returns none with mode `new`.

    Reads all matching leads that are in the table, which takes about 0.1 s for a thousand.
    """
    if values.mode is SyncedLeads.NEW:
        return []
    evaluated = await evaluate_leads(connection, tables, org_id, values, clay_table)
    matching = select_filtered(tables, org_id, values.project_id, values.filters.criteria()).subquery("wanted")
    in_clay = (
        select(evaluated.c.lead_id)
        .where(evaluated.c.clause == Clause.ALREADY_IN_CLAY.value, evaluated.c.lead_id.in_(select(matching.c.lead_id)))
        .order_by(evaluated.c.overall_score.desc().nulls_last(), evaluated.c.lead_id)
    )
    lead_ids = await select_rows(connection, in_clay, UUID)
    changed = await changed_leads(connection, tables, org_id, clay_table, lead_ids)
    return [each for each in lead_ids if each in changed]


async def select_run(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    values: ScheduleValues,
    clay_table: ClayTable,
    changed: list[UUID],
) -> RunLeads:
    """Returns up to `max_leads` leads: first new ones, then changed ones, each group by score."""
    most = values.max_leads or MAX_LEADS
    new = select_passed(await evaluate_leads(connection, tables, org_id, values, clay_table), most)
    new_count = await count_leads(connection, new)
    again = changed[: most - new_count]
    if not again:
        return RunLeads(new, new_count)
    return RunLeads(new, new_count, select_by_id(tables, org_id, again, values.project_id), len(again))
