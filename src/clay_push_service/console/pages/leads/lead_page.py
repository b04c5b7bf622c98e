"""Renders a lead (state in Clay, deliveries, enrichment) and one of its deliveries, and edits a field of its enrichment."""

from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

import orjson
from pydantic import ValidationError
from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.console.pages.exclusions import KINDS
from clay_push_service.console.pages.jobs.job_page import delivery_pill
from clay_push_service.console.pages.leads.labels import SOURCES, confidence_words, field_label
from clay_push_service.console.pages.leads.lead_state import AGAIN, lead_pill
from clay_push_service.console.pages.leads.timeline import PAYLOAD_WORDS, timeline
from clay_push_service.console.pages.page import Page
from clay_push_service.console.session.form import Form
from clay_push_service.destinations.read import destination_view
from clay_push_service.enrichment.values.edit import edit_field
from clay_push_service.enrichment.values.lead import require_lead
from clay_push_service.enrichment.values.panel import read_enrichment
from clay_push_service.enrichment.values.schemas import FieldEdit
from clay_push_service.errors import InvalidError
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.push_jobs.queries.delivery_detail import read_deliveries_of_lead, read_delivery
from clay_push_service.push_jobs.queries.leads import read_lead_clay
from clay_push_service.routing.exclusions import read_exclusion_of_lead
from clay_push_service.routing.schemas import MAX_REASON

EDITED: Final = MappingProxyType(
    {
        "pin": "Pinned. Clay's results do not change this field until the pin is removed.",
        "unpin": "The pin is removed. The best value is chosen again.",
        "enter": "Saved. NexusLeads' own value is not changed.",
        "withdraw": "The entered value is withdrawn.",
    }
)


async def show_lead(page: Page, lead_id: UUID) -> Response:
    org_id = page.caller.org_id
    project_id = await require_lead(page.connection, page.tables, org_id, lead_id)
    lead = (await read_lead_rows(page.connection, page.tables, org_id, project_id, [lead_id]))[lead_id]
    view = await destination_view(page.connection, org_id)
    clay = await read_lead_clay(page.connection, page.tables, org_id, lead_id)
    return await page.render(
        "leads/lead.html",
        section="leads",
        title=lead.full_name or lead.username or "Lead without a name",
        lead=lead,
        project_id=project_id,
        clay=clay,
        pill_of=lead_pill(clay),
        again=AGAIN,
        table_name=(view.table_name if view else None) or "your Clay table",
        deliveries=await read_deliveries_of_lead(page.connection, org_id, lead_id),
        delivery_pill=delivery_pill,
        enrichment=await read_enrichment(page.connection, page.tables, org_id, lead_id, page.now),
        field_label=field_label,
        confidence_words=confidence_words,
        sources=SOURCES,
        exclusion=await read_exclusion_of_lead(page.connection, org_id, lead_id),
        exclusion_kinds=KINDS,
        max_reason=MAX_REASON,
        may_remove_exclusion=Scope.CONFIG in page.caller.scopes,
        may_push=Scope.PUSH in page.caller.scopes,
        may_enrich=Scope.ENRICH in page.caller.scopes,
        self_href=f"/console/leads/{lead_id}",
        push_key=uuid4(),
    )


async def edit_field_of_form(page: Page, lead_id: UUID, field: str, form: Form) -> Response:
    """Pin a value, remove the pin, enter a value, or withdraw the entered one."""
    action = form.text("action")
    change: dict[str, object]
    match action:
        case "pin":
            change = {"value_id": form.uuid("value_id")}
        case "unpin":
            change = {"pinned": False}
        case "enter":
            change = {"value": form.text("value"), "pinned": form.is_checked("pinned")}
        case "withdraw":
            change = {"value": None}
        case _:
            raise InvalidError("action: is not one of the choices.")
    try:
        edit = FieldEdit.model_validate(change).edit()
    except ValidationError:
        raise InvalidError("The value is too long.") from None
    await edit_field(
        page.connection, page.tables, page.caller.org_id, page.caller.actor, lead_id, field, edit, page.now
    )
    return page.redirect(f"/console/leads/{lead_id}#enrichment", f"{field_label(field)}: {EDITED[action]}")


async def show_delivery(page: Page, job_id: UUID, delivery_id: UUID) -> Response:
    found = await read_delivery(page.connection, page.tables, page.caller.org_id, job_id, delivery_id)
    return await page.render(
        "leads/delivery.html",
        section="jobs",
        title=found.lead.full_name or found.lead.username or "Lead without a stored name",
        delivery=found,
        pill_of=delivery_pill(found),
        events=timeline(found),
        payload_words=PAYLOAD_WORDS[found.payload_state],
        payload=orjson.dumps(found.payload, option=orjson.OPT_INDENT_2).decode() if found.payload is not None else None,
    )
