"""Routes of the workspaces: their names and their paces, which the destinations of each share."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.console.pages.destinations.forms import (
    LABELS,
    pace_text,
    read_workspace,
    read_workspace_update,
)
from clay_push_service.console.pages.destinations.views import SECTION, read_destinations
from clay_push_service.console.pages.form_state import FormState, raise_unless_shown
from clay_push_service.console.pages.page import ConfigPage, Page, ReadPage
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.destination_settings.named.workspaces import (
    change_workspace,
    create_workspace,
    list_workspaces,
)
from clay_push_service.destinations.pace import DEFAULT_RATE_LIMIT_MS, LEAST_RATE_LIMIT_MS
from clay_push_service.errors import ConflictError, InvalidError

PAGE_URL: Final = "/console/workspaces"
NEW: Final = "new"

router = APIRouter(prefix=PAGE_URL, include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_workspaces_page(page: ReadPage) -> Response:
    return await _show(page, {})


@router.post("")
async def create_workspace_page(page: ConfigPage, form: Posted) -> Response:
    try:
        body = read_workspace(form)
        async with page.connection.begin_nested():
            workspace = await create_workspace(page.connection, page.actor, body.name, body.rate_limit_ms)
    except (InvalidError, ConflictError) as error:
        raise_unless_shown(error)
        refused = FormState.refused(form, error, fields=LABELS, prefix=f"{NEW}-")
        return await _show(page, {NEW: refused}, error.status)
    return page.redirect(PAGE_URL, f"The workspace “{workspace.name}” is saved. Choose it in a destination.")


@router.post("/{workspace_id}")
async def change_workspace_page(page: ConfigPage, workspace_id: UUID, form: Posted) -> Response:
    try:
        body = read_workspace_update(form)
        async with page.connection.begin_nested():
            workspace = await change_workspace(page.connection, page.actor, workspace_id, body.name, body.rate_limit_ms)
    except (InvalidError, ConflictError) as error:
        raise_unless_shown(error)
        refused = FormState.refused(form, error, fields=LABELS, prefix=f"{workspace_id}-")
        return await _show(page, {str(workspace_id): refused}, error.status)
    return page.redirect(
        PAGE_URL, f"The workspace “{workspace.name}” is saved: {pace_text(workspace.rate_limit_ms)} at most."
    )


async def _show(page: Page, refused: Mapping[str, FormState], code: int = 200) -> Response:
    """`refused`: the form that is shown again, by the workspace's id."""
    workspaces = await list_workspaces(page.connection, page.caller.org_id)
    destinations = await read_destinations(page)
    states: dict[str, FormState] = {NEW: FormState({"rate_limit_ms": str(DEFAULT_RATE_LIMIT_MS)}, prefix=f"{NEW}-")}
    for each in workspaces:
        values = {"name": each.name, "rate_limit_ms": str(each.rate_limit_ms)}
        states[str(each.id)] = FormState(values, prefix=f"{each.id}-")
    return await page.render(
        "destinations/workspaces.html", section=SECTION, title="Workspaces", code=code, workspaces=workspaces,
        states={**states, **refused}, pace_text=pace_text, least_rate_limit_ms=LEAST_RATE_LIMIT_MS,
        members={each.id: [one for one in destinations if one.workspace.id == each.id] for each in workspaces},
        may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip
