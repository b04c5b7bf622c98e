"""Routes of the routes page: the ordered list, saving it, and the simulation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import ValidationError
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.strict_query import ignore_unknown_parameters
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.cause import EXPLANATIONS
from clay_push_service.console.pages.form_state import raise_unless_shown
from clay_push_service.console.pages.page import ConfigPage, Page, ReadPage
from clay_push_service.console.pages.routing.route_rows import (
    RouteRow,
    change_route_rows,
    read_route_rows,
    route_errors,
    routes_body,
)
from clay_push_service.console.pages.words import counted
from clay_push_service.console.session.form import Form, Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.destinations.read import destination_views
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.host.projects import list_projects
from clay_push_service.pagination import Cursor
from clay_push_service.push_jobs.selection import require_project
from clay_push_service.push_jobs.targets.simulate import SimulationBody, simulate
from clay_push_service.routing.route_schemas import RouteList
from clay_push_service.routing.routes import MovePolicy, read_stored_routes, replace_routes
from clay_push_service.routing.segments import list_segments

PAGE_URL: Final = "/console/routes"
SECTION: Final = "routes"
LEADS_IN_A_PAGE: Final = 25
SIMULATED_DAYS: Final = (7, 30, 90)
ON_MOVE_TEXTS: Final[Mapping[MovePolicy, str]] = {
    MovePolicy.STAY: "stays in its first table",
    MovePolicy.FOLLOW: "goes to this table, too",
}
COSTLY = [Depends(RouteLimits(lane=Lane.COSTLY))]

router = APIRouter(prefix=PAGE_URL, include_in_schema=False, route_class=ConsoleRoute)


@dataclass(frozen=True, slots=True)
class RoutesDraft:
    """The rows of the form. `version`: of the stored list that the form was made from."""

    rows: Sequence[RouteRow]
    version: str
    is_changed: bool = False
    problem: str | None = None
    errors: Mapping[int, str] = field(default_factory=dict)
    focus: tuple[int, str] | None = None


@router.get("", dependencies=[Depends(ignore_unknown_parameters)])
async def list_routes_page(page: ReadPage, project: Annotated[str, Query(max_length=36)] = "") -> Response:
    """The organization's list, or a project's own one."""
    return await _show(page, _project(project))


@router.post("/draft")
async def draft_routes_page(page: ConfigPage, form: Posted) -> Response:
    """Show the form again after a button that moves, adds or removes a route. Saves nothing."""
    default = next((each.id for each in await destination_views(page.connection, page.caller.org_id)), None)
    moved = change_route_rows(read_route_rows(form), form.text("action"), default)
    draft = RoutesDraft(moved.rows, form.text("version"), is_changed=True, focus=moved.focus)
    return await _show(page, form.uuid("project"), draft)


@router.post("")
async def save_routes_page(page: ConfigPage, form: Posted) -> Response:
    project_id, rows = form.uuid("project"), read_route_rows(form)
    await _require(page, project_id)
    try:
        body = routes_body(project_id, form.text("version"), rows)
        async with page.connection.begin_nested():
            routes = [each.route() for each in body.routes]
            await replace_routes(page.connection, page.caller.org_id, page.actor.name, project_id, body.version, routes)
    except (InvalidError, ConflictError) as error:
        raise_unless_shown(error)
        draft = RoutesDraft(
            rows, form.text("version"), is_changed=True, problem=error.detail, errors=route_errors(error)
        )
        return await _show(page, project_id, draft, error.status)
    text = f"{counted(len(rows), 'route')} saved. Pushes from now on use them." if rows else "There are no routes now."
    return page.redirect(PAGE_URL if project_id is None else f"{PAGE_URL}?project={project_id}", text)


@router.get("/simulate", dependencies=[*COSTLY, Depends(ignore_unknown_parameters)])
async def simulate_page(
    page: ReadPage,
    what: Annotated[str, Query(max_length=36)] = "30",
    count: bool = False,
    after: Cursor = None,
) -> Response:
    """`what`: a number of days, or a project. `count`: simulate now. Without it, the page answers at once and loads the result."""
    projects = await list_projects(page.connection, page.tables, page.caller.org_id)
    found, problem = None, None
    try:
        days = int(what) if what.isdecimal() else None
        project_id = None if days is not None else _project(what)
        await _require(page, project_id)
        body = SimulationBody(project_id=project_id, days=days, cursor=after, limit=LEADS_IN_A_PAGE)
        if count:
            found = await simulate(page.connection, page.tables, page.caller.org_id, body)
    except ValidationError:
        raise InvalidError("what: must be a project or 1 to 90 days.") from None
    except InvalidError as error:
        problem = error.detail
    return await page.render(
        "routing/simulation.html", section=SECTION, title="Simulate the routes", found=found, problem=problem, what=what,
        projects=projects, days=SIMULATED_DAYS, after=after, messages=EXPLANATIONS,
    )  # fmt: skip


async def _show(page: Page, project_id: UUID | None, draft: RoutesDraft | None = None, code: int = 200) -> Response:
    org_id = page.caller.org_id
    await _require(page, project_id)
    stored = await read_stored_routes(page.connection, org_id)
    listed = RouteList.of(project_id, stored)
    if draft is None:
        draft = RoutesDraft([RouteRow.of(each) for each in listed.routes], listed.version)
    destinations = await destination_views(page.connection, org_id)
    return await page.render(
        "routing/routes.html", section=SECTION, title="Routes", code=code, project_id=project_id, listed=listed,
        draft=draft, organization_count=sum(each.project_id is None for each in stored),
        own={each.project_id for each in stored}, destinations=destinations,
        default=next((each for each in destinations if each.is_default), None),
        segments=await list_segments(page.connection, org_id), on_move_texts=ON_MOVE_TEXTS,
        projects=await list_projects(page.connection, page.tables, org_id),
        may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


async def _require(page: Page, project_id: UUID | None) -> None:
    """Raises 404 for a project that is not there."""
    if project_id is not None:
        await require_project(page.connection, page.tables, page.caller.org_id, project_id)


def _project(text: str) -> UUID | None:
    return Form({"project": [text]}).uuid("project")
