"""Routes of mappings: list, editor with preview, saving, versions, archive, and the mapping of a destination."""

from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.destinations.views import require_destination_view
from clay_push_service.console.pages.form_state import FormState, raise_unless_shown, validated
from clay_push_service.console.pages.mappings.draft import change_rows, columns_of, read_rows, row_errors
from clay_push_service.console.pages.mappings.editor import (
    SECTION,
    Draft,
    draft_from,
    draft_of,
    first_project,
    show_editor,
)
from clay_push_service.console.pages.mappings.reads import changes_of, read_columns_of, read_mapped
from clay_push_service.console.pages.page import ConfigPage, Page, ReadPage
from clay_push_service.console.session.form import Form, Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.leads.mapping.changes import changes_between, unchanged_notes
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.mapping_settings.schemas import NewMapping
from clay_push_service.mapping_settings.service import (
    archive_mapping,
    change_mapping,
    create_mapping,
    list_mappings,
    list_versions,
)
from clay_push_service.mapping_settings.templates import find_template
from clay_push_service.mappings.assign import assign_mapping, require_mapping

PAGE_URL: Final = "/console/mappings"
STANDARD_TEMPLATE: Final = "standard"
VERSIONS_SHOWN: Final = 20
LABELS: Final = {"name": "Name"}
COSTLY = [Depends(RouteLimits(lane=Lane.COSTLY))]

router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)


@router.get("/mappings")
async def list_mappings_page(page: ReadPage) -> Response:
    used = (await read_mapped(page.connection, page.caller.org_id)).values()
    return await page.render(
        "mappings/list.html", section=SECTION, title="Mappings", standard_count=len(STANDARD),
        mappings=await list_mappings(page.connection, page.caller.org_id),
        used_by={each.mapping_id: [one for one in used if one.mapping_id == each.mapping_id] for each in used},
        may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


@router.get("/mappings/new", dependencies=COSTLY)
async def new_mapping_page(page: ConfigPage, template: str = STANDARD_TEMPLATE) -> Response:
    """The columns of a table template, to change before they are saved."""
    found = await find_template(page.connection, page.caller.org_id, template)
    return await show_editor(page, draft_from(found, await first_project(page)))


@router.post("/mappings/draft", dependencies=COSTLY)
async def draft_page(page: ConfigPage, form: Posted) -> Response:
    """Show the typed columns again, with their preview, or after a button that moves, adds or removes one. Saves nothing."""
    draft = await _read_draft(page, form)
    moved = change_rows(draft.rows, form.text("action"), form.text("add_field"))
    return await show_editor(
        page,
        Draft(draft.state, moved.rows, draft.mapping, draft.template, draft.project_id, moved.focus),
    )


@router.post("/mappings", dependencies=COSTLY)
async def create_mapping_page(page: ConfigPage, form: Posted) -> Response:
    return await _save(page, await _read_draft(page, form), form)


@router.get("/mappings/{mapping_id}")
async def read_mapping_page(page: ReadPage, mapping_id: UUID) -> Response:
    """The newest version, what it changed in Clay, who uses it, and the versions before."""
    org_id = page.caller.org_id
    mapping = await require_mapping(page.connection, org_id, mapping_id)
    versions = await list_versions(page.connection, org_id, mapping_id)
    used = (await read_mapped(page.connection, org_id)).values()
    return await page.render(
        "mappings/mapping.html", section=SECTION, title=mapping.name, mapping=mapping,
        versions=list(zip(versions, changes_of(versions), strict=True))[:VERSIONS_SHOWN], version_count=len(versions),
        unchanged=unchanged_notes(mapping.number - 1 or None),
        used_by=[each for each in used if each.mapping_id == mapping_id],
        may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


@router.get("/mappings/{mapping_id}/edit", dependencies=COSTLY)
async def edit_mapping_page(page: ConfigPage, mapping_id: UUID) -> Response:
    mapping = await require_mapping(page.connection, page.caller.org_id, mapping_id)
    return await show_editor(page, draft_of(mapping, await first_project(page)))


@router.post("/mappings/{mapping_id}", dependencies=COSTLY)
async def change_mapping_page(page: ConfigPage, mapping_id: UUID, form: Posted) -> Response:
    mapping = await require_mapping(page.connection, page.caller.org_id, mapping_id)
    return await _save(page, await _read_draft(page, form), form, mapping_id=mapping.id)


@router.post("/mappings/{mapping_id}/archive")
async def archive_mapping_page(page: ConfigPage, mapping_id: UUID, form: Posted) -> Response:
    del form
    try:
        await archive_mapping(page.connection, page.actor, mapping_id)
    except ConflictError as error:
        return page.redirect(f"{PAGE_URL}/{mapping_id}", error.detail, kind="problem")
    return page.redirect(PAGE_URL, "The mapping is archived. Push jobs that name its versions keep them.")


@router.get("/destinations/{destination_id}/mapping")
async def choose_mapping_page(page: ConfigPage, destination_id: UUID, mapping_id: str = "") -> Response:
    """Shows what the choice changes in Clay, before the mapping is assigned."""
    org_id = page.caller.org_id
    destination = await require_destination_view(page, destination_id)
    mapped = (await read_mapped(page.connection, org_id)).get(destination_id)
    chosen = await require_mapping(page.connection, org_id, _id(mapping_id)) if mapping_id else None
    before = await read_columns_of(page.connection, org_id, mapped)
    return await page.render(
        "mappings/choose.html", section=SECTION, title="Choose a mapping", destination=destination, chosen=chosen,
        changes=changes_between(before, STANDARD if chosen is None else chosen.parsed),
        unchanged=unchanged_notes(None if mapped is None else mapped.number),
    )  # fmt: skip


@router.post("/destinations/{destination_id}/mapping")
async def assign_mapping_page(page: ConfigPage, destination_id: UUID, form: Posted) -> Response:
    url = f"/console/destinations/{destination_id}#columns"
    try:
        made = await assign_mapping(page.connection, page.actor, destination_id, form.uuid("mapping_id"))
    except ConflictError as error:
        return page.redirect(url, error.detail, kind="problem")
    what = "the standard payload" if made.mapping is None else f"version {made.mapping.number} of “{made.mapping.name}”"
    return page.redirect(url, f"New pushes to this destination send {what}.")


async def _read_draft(page: Page, form: Form) -> Draft:
    """Raises 404 for a mapping or template that is not there."""
    org_id = page.caller.org_id
    mapping_id, template = form.uuid("mapping_id"), form.text("template")
    mapping = await require_mapping(page.connection, org_id, mapping_id) if mapping_id is not None else None
    found = await find_template(page.connection, org_id, template) if mapping is None and template else None
    state = FormState({"name": form.text("name"), "version": form.text("version")})
    return Draft(state, read_rows(form), mapping, found, form.uuid("project"))


async def _save(page: Page, draft: Draft, form: Form, mapping_id: UUID | None = None) -> Response:
    try:
        name = validated(NewMapping, {"name": form.text("name")}, LABELS).name
        columns = columns_of(draft.rows)
        async with page.connection.begin_nested():
            if mapping_id is None:
                based_on = None if draft.template is None else draft.template.template.name
                saved = await create_mapping(page.connection, page.actor, name, columns, based_on)
            else:
                version = int(form.text("version")) if form.text("version").isdecimal() else None
                saved = await change_mapping(page.connection, page.actor, mapping_id, name, columns, version)
    except (InvalidError, ConflictError) as error:
        raise_unless_shown(error)
        state = FormState.refused(form, error, fields=LABELS)
        errors = row_errors(error)
        refused = Draft(state, draft.rows, draft.mapping, draft.template, draft.project_id, None, errors)
        return await show_editor(page, refused, error.status)
    is_same = saved.previous_number == saved.mapping.number
    text = "No column has changed" if is_same else f"Version {saved.mapping.number} is saved"
    return page.redirect(f"{PAGE_URL}/{saved.mapping.id}", f"{text}. Below is what to do in Clay.")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError("mapping_id: is not an id.") from None
