"""The HTTP endpoints `/api/clay/missing-results`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import GuardedRoute, RouteLimits
from clay_push_service.callers.turns import Lane
from clay_push_service.pagination import Cursor
from clay_push_service.problems import CALLER, LOCATION, responses
from clay_push_service.push_jobs.dependencies import IdempotencyKey, PushAccess, ReadAccess
from clay_push_service.push_jobs.missing_results import MissingResults, list_missing_results
from clay_push_service.push_jobs.schemas import PushAnswer

DestinationId = Annotated[UUID | None, Query(description="The destination; omitted: the default one.")]
router = APIRouter(prefix="/api/clay/missing-results", tags=["push"], dependencies=Authorized, route_class=GuardedRoute)


@router.get(
    "",
    summary="List leads whose result is missing",
    responses=responses(*CALLER, 404, 409),
    operation_id="list_missing_results",
)
async def get_missing_results(
    service: ReadAccess,
    destination_id: DestinationId = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Leads in a page.")] = 50,
) -> MissingResults:
    """Leads that Clay accepted after the last confirmed one, and whose result takes longer than usual."""
    return await list_missing_results(
        service.connection, service.actor.org_id, destination_id, after=cursor, limit=limit
    )


@router.post(
    "/push-again", status_code=202, response_model=PushAnswer, summary="Push the leads without a result again",
    responses={202: LOCATION, **responses(*CALLER, 404, 409)}, dependencies=[Depends(RouteLimits(lane=Lane.COSTLY))],
)  # fmt: skip
async def push_missing_results_again(
    service: PushAccess, destination_id: DestinationId = None, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Remove the reason first. Pushes exactly the listed leads, of which each may get a second row in Clay; ends the hold of auto-export."""
    response = await service.push_missing_once(idempotency_key, destination_id)
    return JSONResponse(response.body, response.status, headers={"Location": response.location or ""})
