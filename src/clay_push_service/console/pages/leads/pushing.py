"""The push preview and the pushes of the leads pages, with the same functions as the API."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import orjson
from starlette.responses import Response

from clay_push_service.console.pages.leads.filter_form import parse_filters
from clay_push_service.console.pages.page import Page
from clay_push_service.console.pages.words import counted
from clay_push_service.console.session.form import Form
from clay_push_service.console.session.sign_in import local_path
from clay_push_service.destinations.read import destination_view
from clay_push_service.errors import InvalidError
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.push_jobs.schemas import MAX_LEADS, PreviewBody, PushAnswer, PushBody, PushFilteredBody

FILTERED: Final = "filtered"


@dataclass(frozen=True, slots=True)
class PushForm:
    """What the form selects: selected leads, or all that match the filters."""

    project_id: UUID
    lead_ids: list[UUID]
    """Empty: all that match."""
    filters: LeadFilters
    push_again: bool

    @property
    def body(self) -> PushBody | PushFilteredBody:
        if self.lead_ids:
            return PushBody(lead_ids=self.lead_ids, project_id=self.project_id, push_again=self.push_again)
        return PushFilteredBody(
            project_id=self.project_id, filters=self.filters, push_mode="all" if self.filters.is_empty else "filtered",
            push_again=self.push_again,
        )  # fmt: skip

    @property
    def preview_body(self) -> PreviewBody:
        return PreviewBody(
            lead_ids=self.lead_ids or None, project_id=self.project_id, filters=self.filters, push_again=self.push_again
        )


def read_push_form(form: Form) -> PushForm:
    """Raises 422 without a project, or without a selected lead where leads are selected."""
    project_id = form.uuid("project_id")
    if project_id is None:
        raise InvalidError("Select a project.")
    again = form.uuid("again")
    one = again or form.uuid("one")
    is_filtered = one is None and form.text("what") == FILTERED
    lead_ids = [one] if one is not None else [] if is_filtered else form.uuids("lead_id")
    if not is_filtered and not 0 < len(lead_ids) <= MAX_LEADS:
        raise InvalidError("Select at least one lead.", code="nothing_selected")
    filters = parse_filters(form.text("filters")) if is_filtered else LeadFilters()
    return PushForm(project_id, lead_ids, filters, again is not None or form.is_checked("push_again"))


async def show_preview(page: Page, form: Form) -> Response:
    """Nothing is queued. The page repeats the request as a form whose button has the number of leads."""
    push_form = read_push_form(form)
    found = await page.service.preview(push_form.preview_body)
    view = await destination_view(page.connection, page.caller.org_id)
    return await page.render(
        "leads/preview.html",
        section="leads",
        title="Push preview",
        push_form=push_form,
        filters_json=push_form.filters.model_dump_json(exclude_defaults=True),
        preview=found,
        skipped_count=sum(reason.count for reason in found.skipped),
        sample=orjson.dumps(found.sample, option=orjson.OPT_INDENT_2).decode() if found.sample is not None else None,
        table_name=view.table_name if view else None,
        back=local_path(form.text("back")),
        key=uuid4(),
    )


async def push_selected(page: Page, form: Form) -> Response:
    """Queue what the preview showed, and open its job."""
    push_form = read_push_form(form)
    answer = await page.service.push_once(form.text("key") or None, push_form.body)
    queued = PushAnswer.model_validate(answer.body)
    return page.redirect(f"/console/jobs/{queued.job_id}", _message(queued))


async def push_one(page: Page, form: Form) -> Response:
    """Queue one lead at once, and stay on the page."""
    push_form = read_push_form(form)
    key = form.text("key")
    answer = await page.service.push_once(f"{key}-{push_form.lead_ids[0]}" if key else None, push_form.body)
    return page.redirect(local_path(form.text("back")), _message(PushAnswer.model_validate(answer.body)))


def _message(queued: PushAnswer) -> str:
    """The feature document's toast, word for word; if nothing was queued, the reason."""
    count = queued.lead_count - queued.skipped_count
    return f"Pushing {counted(count, 'lead')} to Clay..." if count else queued.message
