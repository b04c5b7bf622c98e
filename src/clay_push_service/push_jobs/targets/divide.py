"""Divides the selected leads of a push among the destinations that the organization's routes choose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.host.leads import RoutedLead, select_routed
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.routing.route_leads import RoutedGroup, route_leads
from clay_push_service.routing.routes import Route, Routes

NIL = UUID(int=0)
DEFAULT = Statement("SELECT id FROM clay.destinations WHERE org_id = :org_id AND is_default", UUID)


@dataclass(frozen=True, slots=True)
class Share:
    """The leads of a push that go to one destination. None: the default one."""

    destination_id: UUID | None
    selection: Selection
    groups: Sequence[RoutedGroup] = ()
    """By route; empty if no route applies."""


async def divide(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, selection: Selection, routes: Routes
) -> list[Share]:
    """In the order of the destinations' ids: concurrent pushes insert into the same tables in the same order, which prevents deadlocks.

    A lead that no route sends anywhere is recorded, as skipped, in a push job of its project.
    """
    default_id = await DEFAULT.one_or_none(connection, {"org_id": org_id}) or NIL
    to_default = (Route(None, default_id, LeadCriteria()),)
    lists = {project_id: routes.of(project_id) or to_default for project_id in selection.projects}
    if all(each == to_default for each in lists.values()):
        return [Share(None, selection)]
    excluding = await read_excluding(connection, org_id)
    groups = await route_leads(connection, tables, org_id, selection.leads, lists, excluding)
    by_destination = assign(groups, lists, default_id)
    return [
        Share(
            None if destination_id == default_id else destination_id,
            replace(
                selection,
                leads=select_routed(tables, _rows(found)),
                projects={each: name for each, name in selection.projects.items() if each in found},
            ),
            [group for of_project in found.values() for group in of_project],
        )
        for destination_id, found in sorted(by_destination.items())
    ]


def assign(
    groups: Sequence[RoutedGroup], lists: Mapping[UUID, tuple[Route, ...]], default_id: UUID
) -> dict[UUID, dict[UUID, list[RoutedGroup]]]:
    """Destination → project → groups. Each project of `lists` is somewhere, also one without leads.

    Leads without a destination are recorded where other leads of the push go, so that a closed table that gets no lead refuses nothing.
    """
    in_use = sorted({group.destination_id for group in groups if group.destination_id is not None})
    found: dict[UUID, dict[UUID, list[RoutedGroup]]] = {}
    for project_id, routes in lists.items():
        mine = [group for group in groups if group.project_id == project_id]
        leading = [*(each.destination_id for each in mine), *in_use, *(route.destination_id for route in routes)]
        holder = next((each for each in leading if each is not None), default_id)
        for group in mine:
            found.setdefault(group.destination_id or holder, {}).setdefault(project_id, []).append(group)
        if not mine:
            found.setdefault(holder, {})[project_id] = []
    return found


def _rows(by_project: Mapping[UUID, Sequence[RoutedGroup]]) -> list[RoutedLead]:
    return [
        RoutedLead(lead_id, project_id, group.route.id if group.route else None, group.destination_id is not None)
        for project_id, groups in by_project.items()
        for group in groups
        for lead_id in group.lead_ids
    ]
