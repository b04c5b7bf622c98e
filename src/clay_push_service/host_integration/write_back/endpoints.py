"""The HTTP endpoints under `/api/clay/enrichment/write-back`."""

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from clay_push_service import metrics
from clay_push_service.audit import audit
from clay_push_service.callers.dependencies import Authorized, Configurer, HostCache, Reader
from clay_push_service.callers.guarded_route import GuardedRoute
from clay_push_service.callers.request_state import Transaction
from clay_push_service.enrichment.write_back.writes import is_enabled, switch
from clay_push_service.errors import ConflictError
from clay_push_service.host_integration.attach.attachment import may_write_enrichment
from clay_push_service.host_integration.write_back.write_back import NOT_PERMITTED, undo_writes
from clay_push_service.problems import CALLER, responses

router = APIRouter(
    prefix="/api/clay/enrichment/write-back", tags=["enrichment"], dependencies=Authorized, route_class=GuardedRoute
)


class WriteBackBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"enabled": True}]})

    enabled: StrictBool = Field(description="Whether values that Clay found fill empty columns of NexusLeads.")


class WriteBackView(BaseModel):
    enabled: bool = Field(description="Whether the organization has switched it on. Default: false.")
    permitted: bool = Field(description="Whether the operator has permitted it (`attach --write-enrichment`).")


class UndoBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"lead_id": None}]})

    lead_id: UUID | None = Field(None, description="Only this lead; null: all leads of the organization.")


class Undone(BaseModel):
    emptied_count: int = Field(description="Columns that are empty again.", examples=[12])
    kept_count: int = Field(description="Columns that were changed since; they are not touched.", examples=[1])


@router.get("", summary="Get whether values are written into NexusLeads", responses=responses(*CALLER))
async def get_write_back(caller: Reader, connection: Transaction, host: HostCache) -> WriteBackView:
    """Both must be true before anything is written."""
    permitted = await may_write_enrichment(connection, host.schema)
    return WriteBackView(enabled=await is_enabled(connection, caller.org_id), permitted=permitted)


@router.put("", summary="Set whether values are written into NexusLeads", responses=responses(*CALLER, 409, 413))
async def set_write_back(
    body: WriteBackBody, caller: Configurer, connection: Transaction, host: HostCache
) -> WriteBackView:
    """Requires an owner or admin, or a key with scope `config`. Only empty columns are filled; `undo` empties them again."""
    permitted = await may_write_enrichment(connection, host.schema)
    if body.enabled and not permitted:
        raise ConflictError(NOT_PERMITTED, code="write_back_not_permitted")
    await switch(connection, caller.org_id, caller.actor, enabled=body.enabled)
    await audit(connection, caller.org_id, caller.actor, "write_back.changed", {"enabled": body.enabled})
    return WriteBackView(enabled=body.enabled, permitted=permitted)


@router.post("/undo", summary="Undo what was written into NexusLeads", responses=responses(*CALLER, 409, 413))
async def undo_write_back(body: UndoBody, caller: Configurer, connection: Transaction, host: HostCache) -> Undone:
    """Requires an owner or admin, or a key with scope `config`. Empties columns that still hold the written value; they are not filled again."""
    tables = await host.tables(connection)
    emptied, kept = await undo_writes(connection, tables, host.schema, caller.org_id, caller.actor, body.lead_id)
    metrics.WRITTEN_BACK.labels(change="undone").inc(emptied)
    return Undone(emptied_count=emptied, kept_count=kept)
