"""Routes of a project's auto-enrich rule: the rule with its preview over past scans, and saving it."""

from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ValidationError
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.enrichment import sentence
from clay_push_service.console.pages.page import ConfigPage, ReadPage
from clay_push_service.console.session.form import Form, Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.enrichment.ledger.states import LegalBasis, RequestWay
from clay_push_service.enrichment.rules.preview import preview_auto_enrich
from clay_push_service.enrichment.rules.rule import read_rule, write_rule
from clay_push_service.enrichment.rules.runs import read_runs
from clay_push_service.enrichment.rules.schemas import AutoEnrichBody, AutoEnrichView, RuleRunView
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.service import require_plan
from clay_push_service.enrichment.settings.table import lock_settings
from clay_push_service.errors import InvalidError
from clay_push_service.pagination import Cursor
from clay_push_service.push_jobs.selection import require_project

LEADS_IN_A_PAGE = 25
LABELS = {
    "min_score": "Minimum score", "classifications": "Classifications", "from_hour": "First hour", "to_hour": "Last hour",
    "stale_months": "Months",
}  # fmt: skip

router = APIRouter(prefix="/console/projects", include_in_schema=False, route_class=ConsoleRoute)


@router.get("/{project_id}/auto-enrich", dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))])
async def read_auto_enrich_page(
    page: ReadPage, project_id: UUID, count: bool = False, after: Cursor = None
) -> Response:
    """Shows the rule. `count` adds what it would request now, with the number of leads that each condition excludes."""
    org_id = page.caller.org_id
    name = await require_project(page.connection, page.tables, org_id, project_id)
    runs = [RuleRunView.of(each) for each in await read_runs(page.connection, org_id, project_id)]
    rule = AutoEnrichView.of(await read_rule(page.connection, org_id, project_id), runs)
    preview = None
    if count:
        preview = await preview_auto_enrich(
            page.connection, page.tables, org_id, project_id, after=after, limit=LEADS_IN_A_PAGE
        )
    return await page.render(
        "projects/auto_enrich.html", section="projects", title=name or "Unnamed project", project_id=project_id,
        rule=rule, preview=preview, after=after, words=sentence,
        may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


@router.post("/{project_id}/auto-enrich")
async def save_auto_enrich(page: ConfigPage, project_id: UUID, form: Posted) -> Response:
    org_id = page.caller.org_id
    url = f"/console/projects/{project_id}/auto-enrich"
    await require_plan(page.connection, page.tables, org_id, page.settings)
    await require_project(page.connection, page.tables, org_id, project_id)
    try:
        body = _body(form)
        row = await lock_settings(page.connection, org_id)
        await write_rule(page.connection, row, project_id, body.rule(), page.caller.actor)
    except InvalidError as error:
        return page.redirect(url, error.detail, kind="problem")
    state = "on: each completed scan requests the leads that pass" if body.enabled else "off"
    return page.redirect(url, f"The rule is saved. Auto-enrich is {state}.")


def _body(form: Form) -> AutoEnrichBody:
    """Raises 422 with the label of each wrong field."""
    fields: dict[str, object] = {
        "enabled": form.is_checked("enabled"),
        "kind": form.choice("kind", Kind),
        "way": form.choice("way", RequestWay),
        "basis": form.choice("basis", LegalBasis),
        "classifications": [word.strip() for word in form.text("classifications").split(",") if word.strip()],
    }
    fields |= {name: form.text(name) for name in LABELS if name != "classifications" and form.text(name)}
    try:
        return AutoEnrichBody.model_validate(fields)
    except ValidationError as error:
        found = [(str(each["loc"][0]) if each["loc"] else "", each["msg"]) for each in error.errors()]
        texts = [f"{LABELS.get(field, 'Window')}: {text.removeprefix('Value error, ')}." for field, text in found]
        raise InvalidError(" ".join(texts)) from None
