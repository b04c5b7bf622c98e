"""Routes of the auto-export rules: list of projects, a rule with its preview, and saving it."""

from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ValidationError
from starlette.responses import Response

from clay_push_service.automation.preview import preview_rule
from clay_push_service.automation.rule import read_rule, write_rule
from clay_push_service.automation.schemas import RuleBody, RuleView
from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.page import ConfigPage, ReadPage
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.host.projects import list_projects
from clay_push_service.pagination import Cursor
from clay_push_service.push_jobs.selection import require_project

LEADS_IN_A_PAGE = 25

router = APIRouter(prefix="/console/projects", include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_rules(page: ReadPage) -> Response:
    projects = await list_projects(page.connection, page.tables, page.caller.org_id)
    return await page.render("projects/list.html", section="projects", title="Project rules", projects=projects)


@router.get("/{project_id}", dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))])
async def read_rule_page(page: ReadPage, project_id: UUID, count: bool = False, after: Cursor = None) -> Response:
    """Shows the rule. `count` adds what it would push now, with the number of leads that each condition excludes."""
    org_id = page.caller.org_id
    name = await require_project(page.connection, page.tables, org_id, project_id)
    rule = RuleView.of(project_id, await read_rule(page.connection, page.tables, org_id, project_id))
    preview = None
    if count:
        preview = await preview_rule(page.service, project_id, after=after, limit=LEADS_IN_A_PAGE)
    return await page.render(
        "projects/rule.html", section="projects", title=name or "Unnamed project", project_id=project_id,
        rule=rule, preview=preview, after=after,
        may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


@router.post("/{project_id}")
async def save_rule(page: ConfigPage, project_id: UUID, form: Posted) -> Response:
    org_id, score = page.caller.org_id, form.text("min_score")
    url = f"/console/projects/{project_id}"
    await require_project(page.connection, page.tables, org_id, project_id)
    words = [word.strip() for word in form.text("classifications").split(",") if word.strip()]
    try:
        body = RuleBody.model_validate(
            {
                "enabled": form.is_checked("enabled"),
                "min_score": float(score) if score else None,
                "classifications": words,
            }
        )
    except (ValidationError, ValueError):
        return page.redirect(
            url, "The minimum score must be a number from 0 to 100. Nothing was saved.", kind="problem"
        )
    await write_rule(page.connection, page.tables, org_id, project_id, body.rule(), page.actor.name)
    state = "on: each completed scan pushes the leads that pass" if body.enabled else "off"
    return page.redirect(url, f"The rule is saved. Auto-export is {state}.")
