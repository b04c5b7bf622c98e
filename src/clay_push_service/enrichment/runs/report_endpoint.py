"""The public endpoint to which Clay reports finished runs. The path is public; the body is signed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, Field

from clay_push_service.callers.request_state import Database, Settings
from clay_push_service.enrichment.runs.receive_report import SIGNATURE_HEADER, receive_report
from clay_push_service.problems import responses

SECURITY = [Depends(APIKeyHeader(name=SIGNATURE_HEADER, auto_error=False, scheme_name="run_signature"))]
"""Used in openapi.yaml only; `receive_report` checks the header."""
EVENT = {"webhookId": "wh_abc123", "createdAt": "2026-11-30T09:00:00.000Z", "data": {"routine_run_id": "run_abc123"}}
BODY = {
    "requestBody": {
        "required": True,
        "description": "Clay's event, up to 16 KB, signed: `sha256=` and the HMAC-SHA256 of the body.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "additionalProperties": True},
                "examples": {"finished": {"summary": "A run has finished", "value": EVENT}},
            }
        },
    }
}
router = APIRouter(prefix="/api/clay", tags=["enrichment"], dependencies=SECURITY)


class ReportReceived(BaseModel):
    received: bool = Field(description="Always true.")
    named_run: bool = Field(description="false: a test event, which names no run.")


@router.post(
    "/enrichment/run-finished/{endpoint_id}", summary="Receive the report of a finished run", openapi_extra=BODY,
    responses=responses(401, 413),
)  # fmt: skip
async def receive_run_report(
    endpoint_id: Annotated[str, Path(description="See `run_webhook.path` of the settings.")],
    request: Request,
    database: Database,
    settings: Settings,
) -> ReportReceived:
    """The event triggers a read of the run: it contains no result. It also identifies the run of a start that got no clear response."""
    named = await receive_report(request, database, endpoint_id, settings.body_timeout_seconds)
    return ReportReceived(received=True, named_run=named)
