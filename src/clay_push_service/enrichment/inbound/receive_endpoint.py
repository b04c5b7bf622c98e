"""The public endpoint to which Clay's tables send results. The path is public; the secret is a header."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.security import APIKeyHeader, HTTPBearer

from clay_push_service.callers.request_state import Clock, Database, Settings
from clay_push_service.enrichment.inbound.receive import TOKEN_HEADER, receive
from clay_push_service.enrichment.inbound.schemas import EXAMPLE_ID, ReceivedResult
from clay_push_service.problems import responses

SECURITY = [
    Depends(HTTPBearer(auto_error=False, scheme_name="results_token", description="A results token (`crt_…`).")),
    Depends(APIKeyHeader(name=TOKEN_HEADER, auto_error=False, scheme_name="results_token_header")),
]
"""Used in openapi.yaml only; `receive` reads the headers itself, in constant time."""
BODY = {
    "requestBody": {
        "required": True,
        "description": "One JSON object, up to 256 KB: `delivery_id` (or `nexusleads_contributor_id`), and fields by their names. Keys"
        " are compared without case, `_`, `-` and spaces.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "additionalProperties": True},
                "examples": {
                    "email": {
                        "summary": "An e-mail address with its status",
                        "value": {
                            "delivery_id": EXAMPLE_ID, "email": "ada@example.com", "email_status": "valid",
                            "provider": "Hunter", "observed_at": "2026-11-30T09:00:00Z",
                        },
                    }
                },
            }
        },
    }
}  # fmt: skip
router = APIRouter(prefix="/api/clay", tags=["enrichment"], dependencies=SECURITY)


@router.post(
    "/results/{endpoint_id}", summary="Receive a result from a Clay table", openapi_extra=BODY, responses=responses(401, 413)
)  # fmt: skip
async def receive_result(
    endpoint_id: Annotated[str, Path(description="The organization's endpoint, see the results tokens.")],
    request: Request,
    database: Database,
    clock: Clock,
    settings: Settings,
) -> ReceivedResult:
    """The result is stored before the response, and applied about a second later. Clay can show the response in the table."""
    return await receive(request, database, clock, endpoint_id, settings.body_timeout_seconds)
