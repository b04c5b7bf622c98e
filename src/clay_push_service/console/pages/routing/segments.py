"""Routes of segments: list with counts, new, change and delete."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.guarded_route import RouteLimits
from clay_push_service.callers.strict_query import ignore_unknown_parameters
from clay_push_service.callers.turns import Lane
from clay_push_service.console.pages.filter_fields import (
    ENRICHMENT_TEXTS,
    FILTER_LABELS,
    filter_values,
    filter_words,
    read_filter_fields,
)
from clay_push_service.console.pages.form_state import FormState, raise_unless_shown, validated
from clay_push_service.console.pages.leads.filter_form import read_filters
from clay_push_service.console.pages.page import ConfigPage, Page, ReadPage
from clay_push_service.console.pages.words import counted
from clay_push_service.console.session.form import Form, Posted
from clay_push_service.console.session.route import ConsoleRoute
from clay_push_service.errors import ClayPushError, ConflictError, InvalidError
from clay_push_service.routing.preview_segment import preview_segment
from clay_push_service.routing.segment_schemas import SegmentBody, SegmentPreview, SegmentPreviewBody, SegmentView
from clay_push_service.routing.segments import (
    change_segment,
    create_segment,
    delete_segment,
    list_segments,
    read_segment,
    read_uses,
)

PAGE_URL: Final = "/console/segments"
SECTION: Final = "routes"
LABELS: Final = {"name": "Name", **FILTER_LABELS}
COSTLY = [Depends(RouteLimits(lane=Lane.COSTLY))]

router = APIRouter(prefix=PAGE_URL, include_in_schema=False, route_class=ConsoleRoute)


@router.get("")
async def list_segments_page(page: ReadPage) -> Response:
    return await page.render(
        "routing/segments.html", section=SECTION, title="Segments", segments=await read_segments(page),
        filter_words=filter_words, may_configure=Scope.CONFIG in page.caller.scopes,
    )  # fmt: skip


@router.get("/new", dependencies=[Depends(ignore_unknown_parameters)])
async def new_segment_page(page: ConfigPage) -> Response:
    """The query can have the filters of the leads page."""
    return await _show(page, FormState(filter_values(read_filters(page.request.query_params))))


@router.post("", dependencies=COSTLY)
async def create_segment_page(page: ConfigPage, form: Posted) -> Response:
    """Save it, or count its leads first."""
    try:
        body = _body(form)
        if form.text("action") == "count":
            return await _show(page, _typed(form), counts=await _count(page, body))
        async with page.connection.begin_nested():
            segment = await create_segment(
                page.connection, page.caller.org_id, page.actor.name, body.name, body.filters
            )
    except (InvalidError, ConflictError) as error:
        return await _show(page, _refused(form, error), code=error.status)
    return page.redirect(f"{PAGE_URL}/{segment.id}", f"The segment “{segment.name}” is saved.")


@router.get("/{segment_id}", dependencies=COSTLY)
async def read_segment_page(page: ReadPage, segment_id: UUID) -> Response:
    segment = await _read(page, segment_id)
    counts = await preview_segment(
        page.connection, page.tables, page.caller.org_id, SegmentPreviewBody(segment_id=segment_id)
    )
    return await _show(page, FormState({"name": segment.name, **filter_values(segment.filters)}), segment, counts)


@router.post("/{segment_id}", dependencies=COSTLY)
async def change_segment_page(page: ConfigPage, segment_id: UUID, form: Posted) -> Response:
    segment = await _read(page, segment_id)
    try:
        body = _body(form)
        if form.text("action") == "count":
            return await _show(page, _typed(form), segment, await _count(page, body))
        async with page.connection.begin_nested():
            await change_segment(
                page.connection, page.tables, page.caller.org_id, page.actor.name, segment_id, body.name, body.filters
            )
    except (InvalidError, ConflictError) as error:
        return await _show(page, _refused(form, error), segment, code=error.status)
    return page.redirect(
        f"{PAGE_URL}/{segment_id}", "The segment is saved. Routes, exclusions and schedules that use it follow."
    )


@router.post("/{segment_id}/delete")
async def delete_segment_page(page: ConfigPage, segment_id: UUID, form: Posted) -> Response:
    del form
    try:
        await delete_segment(page.connection, page.caller.org_id, page.actor.name, segment_id)
    except ConflictError as error:
        return page.redirect(f"{PAGE_URL}/{segment_id}", error.detail, kind="problem")
    return page.redirect(PAGE_URL, "The segment is deleted.")


async def read_segments(page: Page) -> Sequence[SegmentView]:
    uses = await read_uses(page.connection, page.caller.org_id)
    return [SegmentView.of(each, uses) for each in await list_segments(page.connection, page.caller.org_id)]


async def _read(page: Page, segment_id: UUID) -> SegmentView:
    """Raises 404 `segment_not_found`."""
    found = await read_segment(page.connection, page.caller.org_id, segment_id)
    return SegmentView.of(found, await read_uses(page.connection, page.caller.org_id, segment_id))


async def _count(page: Page, body: SegmentBody) -> SegmentPreview:
    sent = SegmentPreviewBody(filters=body.filters)
    return await preview_segment(page.connection, page.tables, page.caller.org_id, sent)


def _body(form: Form) -> SegmentBody:
    """Raises 422. The name may be missing while the leads are counted."""
    filters = read_filter_fields(form)
    name = form.text("name") or ("-" if form.text("action") == "count" else "")
    return validated(SegmentBody, {"name": name, "filters": filters.model_dump(mode="json")}, LABELS)


def _typed(form: Form) -> FormState:
    return FormState({name: form.text(name) for name in form.fields})


def _refused(form: Form, error: ClayPushError) -> FormState:
    raise_unless_shown(error)
    if error.code == "segment_name_taken":
        error.errors = [{"field": "name", "message": "is the name of another segment"}]
    return FormState.refused(form, error, fields=LABELS)


async def _show(
    page: Page,
    state: FormState,
    segment: SegmentView | None = None,
    counts: SegmentPreview | None = None,
    code: int = 200,
) -> Response:
    return await page.render(
        "routing/segment.html", section=SECTION, title="Add a segment" if segment is None else segment.name, code=code,
        state=state, segment=segment, counts=counts, labels=FILTER_LABELS, enrichment_texts=ENRICHMENT_TEXTS,
        filter_words=filter_words, counted=counted, may_configure=Scope.CONFIG in page.caller.scopes,
        action=PAGE_URL if segment is None else f"{PAGE_URL}/{segment.id}",
    )  # fmt: skip
