"""Renders the mapping editor: its columns, a preview with up to five real leads, and what saving would change in Clay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from starlette.responses import Response

from clay_push_service.console.pages.form_state import FormState
from clay_push_service.console.pages.mappings.draft import Row, Source, columns_of, row_errors, rows_of
from clay_push_service.console.pages.mappings.reads import read_fields
from clay_push_service.console.pages.page import Page
from clay_push_service.errors import InvalidError
from clay_push_service.host.projects import list_projects
from clay_push_service.leads.mapping.changes import ColumnChange, changes_between, unchanged_notes
from clay_push_service.leads.mapping.columns import MAX_COLUMNS, Column
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.leads.mapping.values import ColumnType, EmptyValue
from clay_push_service.mapping_settings.preview import render
from clay_push_service.mapping_settings.preview_schemas import MappingPreview
from clay_push_service.mapping_settings.service import require_valid
from clay_push_service.mapping_settings.templates import ListedTemplate
from clay_push_service.mappings.store import StoredMapping

SECTION = "destinations"
SOURCE_TEXTS: Mapping[Source, str] = {
    Source.FIELD: "Field",
    Source.FIRST_OF: "First non-empty",
    Source.TEMPLATE: "Text template",
    Source.CONSTANT: "Constant",
}
EMPTY_TEXTS: Mapping[EmptyValue, str] = {
    EmptyValue.NULL: "no value",
    EmptyValue.TEXT: "an empty text",
    EmptyValue.AS_IS: "as it is",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """What the editor shows. `mapping`: the saved one; None: a new one. `template`: what a new one starts from."""

    state: FormState
    rows: Sequence[Row]
    mapping: StoredMapping | None = None
    template: ListedTemplate | None = None
    project_id: UUID | None = None
    """The project whose leads the preview shows; None: a sample lead."""
    focus: tuple[int, str] | None = None
    errors: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


def draft_of(mapping: StoredMapping, project_id: UUID | None) -> Draft:
    return Draft(FormState({"name": mapping.name}), rows_of(mapping.parsed), mapping, project_id=project_id)


def draft_from(template: ListedTemplate, project_id: UUID | None) -> Draft:
    return Draft(FormState(), rows_of(template.template.columns), template=template, project_id=project_id)


async def first_project(page: Page) -> UUID | None:
    projects = await list_projects(page.connection, page.tables, page.caller.org_id)
    return projects[0].id if projects else None


async def show_editor(page: Page, draft: Draft, code: int = 200) -> Response:
    """A draft that is not valid is shown with its errors and without a preview. Nothing is stored."""
    problem, errors, preview = None, draft.errors, None
    changes: Sequence[ColumnChange] = ()
    if not errors:
        try:
            columns = columns_of(draft.rows)
            preview = await _preview(page, columns, draft.project_id)
            changes = changes_between(STANDARD if draft.mapping is None else draft.mapping.parsed, columns)
        except InvalidError as error:
            errors, problem = row_errors(error), error.detail
    return await page.render(
        "mappings/editor.html", section=SECTION, title=_title(draft), code=code, draft=draft, errors=errors,
        problem=problem, preview=preview, changes=changes, max_columns=MAX_COLUMNS,
        unchanged=unchanged_notes(None if draft.mapping is None else draft.mapping.number),
        projects=await list_projects(page.connection, page.tables, page.caller.org_id),
        catalogue=await read_fields(page.connection, page.caller.org_id), sources=SOURCE_TEXTS, types=list(ColumnType),
        empties=EMPTY_TEXTS, action="/console/mappings" if draft.mapping is None else f"/console/mappings/{draft.mapping.id}",
    )  # fmt: skip


async def _preview(page: Page, columns: Sequence[Column], project_id: UUID | None) -> MappingPreview:
    await require_valid(page.connection, page.caller.org_id, columns)
    rendered = await render(page.connection, page.tables, page.caller.org_id, columns, project_id, None, page.now)
    return MappingPreview.of([each.key for each in columns], rendered)


def _title(draft: Draft) -> str:
    return "Add a mapping" if draft.mapping is None else f"Change {draft.mapping.name}"
