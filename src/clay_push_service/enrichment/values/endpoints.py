"""The HTTP endpoints of a lead's enrichment and of the custom fields."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from clay_push_service.callers.dependencies import Authorized, Configurer, DetectedTables, Enricher, Reader
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Clock, Transaction
from clay_push_service.enrichment.values.custom_fields import read_custom_fields, write_custom_fields
from clay_push_service.enrichment.values.edit import edit_field
from clay_push_service.enrichment.values.panel import read_enrichment
from clay_push_service.enrichment.values.schemas import CustomFields, FieldEdit, LeadEnrichment
from clay_push_service.problems import CALLER, responses

router = APIRouter(prefix="/api/clay", tags=["enrichment"], dependencies=Authorized, route_class=GuardedRoute)

LeadId = Annotated[UUID, Path(description="The lead's contributor id in NexusLeads.")]
FieldName = Annotated[str, Path(description="A standard field, or `custom.` and a name.", max_length=50)]


@router.get("/leads/{lead_id}/enrichment", summary="A lead's enrichment", responses=responses(*CALLER, 404))
async def get_lead_enrichment(
    lead_id: LeadId, caller: Reader, connection: Transaction, tables: DetectedTables, clock: Clock
) -> LeadEnrichment:
    """What Clay found for the lead, what was chosen and why, beside NexusLeads' own values."""
    return await read_enrichment(connection, tables, caller.org_id, lead_id, clock.now())


@router.put(
    "/leads/{lead_id}/enrichment/{field}", summary="Choose, enter or pin a value",
    responses=responses(*CALLER, 404, 409, 413), dependencies=[Depends(RouteLimits(BodySize.LISTS))],
)  # fmt: skip
async def edit_lead_field(
    lead_id: LeadId, field: FieldName, body: FieldEdit, caller: Enricher, connection: Transaction, tables: DetectedTables,
    clock: Clock,
) -> LeadEnrichment:  # fmt: skip
    """Any member, or a key with scope `enrich`. A pinned value stays until the pin is removed. NexusLeads' own value is not changed."""
    now = clock.now()
    await edit_field(connection, tables, caller.org_id, caller.actor, lead_id, field, body.edit(), now)
    return await read_enrichment(connection, tables, caller.org_id, lead_id, now)


@router.get("/enrichment/custom-fields", summary="List the custom fields", responses=responses(*CALLER))
async def get_custom_fields(caller: Reader, connection: Transaction) -> CustomFields:
    """The names, besides the standard fields, that results may fill."""
    return CustomFields(names=await read_custom_fields(connection, caller.org_id))


@router.put("/enrichment/custom-fields", summary="Set the custom fields", responses=responses(*CALLER, 413))
async def set_custom_fields(body: CustomFields, caller: Configurer, connection: Transaction) -> CustomFields:
    """For an owner or admin, or a key with scope `config`. Replaces the list; stored values stay."""
    return CustomFields(names=await write_custom_fields(connection, caller.org_id, caller.actor, body.names))
