"""Endpoints `/api/clay/erasures` and `/api/clay/audit`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from clay_push_service.callers.dependencies import Authorized, Configurer, DetectedTables, Eraser
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Transaction
from clay_push_service.callers.turns import Lane
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.pagination import Cursor
from clay_push_service.privacy.audit_log import AuditPage, read_audit_log
from clay_push_service.privacy.erase import erase
from clay_push_service.privacy.person_export import ExportBody, PersonExport, export_person
from clay_push_service.privacy.receipt import ErasureBody, Receipt, read_receipt
from clay_push_service.problems import CALLER, LOCATION, responses

router = APIRouter(prefix="/api/clay", tags=["privacy"], dependencies=Authorized, route_class=GuardedRoute)


@router.post(
    "/erasures", status_code=201, summary="Erase leads", responses={201: LOCATION, **responses(*CALLER, 413)},
    dependencies=[Depends(RouteLimits(BodySize.LISTS, Lane.COSTLY))],
)  # fmt: skip
async def erase_leads(
    body: ErasureBody, caller: Eraser, connection: Transaction, tables: DetectedTables, response: Response
) -> Receipt:
    """Requires an owner, or a key with scope `erase`. The receipt lists the rows that were sent to Clay before: delete them there."""
    erasure_id, erased = await erase(connection, tables, caller.org_id, caller.actor, body.ids, body.former_values)
    response.headers["Location"] = f"/api/clay/erasures/{erasure_id}"
    lead_ids = {each.reference: each.lead_id for each in erased}
    return await read_receipt(connection, caller.org_id, erasure_id, lead_ids)


@router.get("/erasures/{erasure_id}", summary="Get the receipt of an erasure", responses=responses(*CALLER, 404))
async def get_erasure(
    erasure_id: Annotated[UUID, Path(description="The `id` of the erasure's receipt.")],
    caller: Eraser,
    connection: Transaction,
) -> Receipt:
    """The current state: includes outcomes of leads that were in flight during the erasure."""
    return await read_receipt(connection, caller.org_id, erasure_id)


@router.post(
    "/exports", summary="Export everything kept about a lead", responses=responses(*CALLER, 404, 413),
    dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))],
)  # fmt: skip
async def export_lead(
    body: ExportBody, caller: Configurer, connection: Transaction, tables: DetectedTables, request: Request
) -> PersonExport:
    """Requires an owner or admin, or a key with scope `config`. Changes nothing; the audit log records the export, not whose."""
    box: SecretBox | None = request.app.state.box
    return await export_person(connection, tables, box, caller.org_id, caller.actor, body.lead_id)


@router.get("/audit", summary="List the audit log", responses=responses(*CALLER))
async def list_audit_log(
    caller: Configurer,
    connection: Transaction,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Entries per page.")] = 50,
) -> AuditPage:
    """Requires an owner or admin, or a key with scope `config`. Newest first; append-only."""
    return await read_audit_log(connection, caller.org_id, after=cursor, limit=limit)
