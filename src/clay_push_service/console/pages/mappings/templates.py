"""Routes of table templates: list, one with its texts to copy, saving one of a mapping, removing one."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.console.pages.form_state import validated
from clay_push_service.console.pages.mappings.editor import SECTION
from clay_push_service.console.pages.page import ConfigPage, ReadPage
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.mapping_settings.template_schemas import TableTemplateBody, TableTemplateView
from clay_push_service.mapping_settings.templates import find_template, list_templates, remove_template, save_template
from clay_push_service.mappings.assign import require_mapping

PAGE_URL: Final = "/console/templates"
LABELS: Final = {"name": "Name", "about": "What it is for", "dedupe_column": "Column of duplicates"}

router = APIRouter(prefix=PAGE_URL, include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_templates_page(page: ReadPage) -> Response:
    found = await list_templates(page.connection, page.caller.org_id)
    return await page.render(
        "mappings/templates.html", section=SECTION, title="Table templates",
        templates=[TableTemplateView.of(each) for each in found], may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


@router.get("/{key}")
async def read_template_page(page: ReadPage, key: str) -> Response:
    """The steps in Clay in their order, each with the text to copy."""
    found = TableTemplateView.of(await find_template(page.connection, page.caller.org_id, key))
    return await page.render(
        "mappings/template.html", section=SECTION, title=found.name, shown=found,
        may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


@router.post("")
async def save_template_page(page: ConfigPage, form: Posted) -> Response:
    """The columns of a mapping as an own template."""
    mapping_id = form.uuid("mapping_id")
    if mapping_id is None:
        raise InvalidError("mapping_id: is required.")
    mapping = await require_mapping(page.connection, page.caller.org_id, mapping_id)
    sent = {"name": form.text("name"), "about": form.text("about"), "mapping_id": str(mapping_id)}
    try:
        body = validated(TableTemplateBody, {**sent, "dedupe_column": form.text("dedupe_column") or None}, LABELS)
        async with page.connection.begin_nested():
            saved = await save_template(
                page.connection, page.actor, body.name, body.about, mapping.parsed, body.dedupe_column
            )
    except (InvalidError, ConflictError) as error:
        return page.redirect(f"/console/mappings/{mapping_id}#template", error.detail, kind="problem")
    return page.redirect(f"{PAGE_URL}/{saved.template.key}", f"The template “{saved.template.name}” is saved.")


@router.post("/{template_id}/remove")
async def remove_template_page(page: ConfigPage, template_id: UUID, form: Posted) -> Response:
    del form
    await remove_template(page.connection, page.actor, template_id)
    return page.redirect(PAGE_URL, "The template is removed. Mappings that are based on it stay.")
