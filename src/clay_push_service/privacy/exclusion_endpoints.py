"""The HTTP endpoints under `/api/clay/exclusions`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from clay_push_service import metrics
from clay_push_service.callers.dependencies import Authorized, Configurer, DetectedTables, Pusher, Reader
from clay_push_service.callers.guarded_route import GuardedRoute
from clay_push_service.callers.request_state import Transaction
from clay_push_service.pagination import Cursor
from clay_push_service.privacy.exclude import exclude
from clay_push_service.problems import CALLER, responses
from clay_push_service.routing.domain import warning_of
from clay_push_service.routing.exclusions import ExclusionKind, list_exclusions, remove_exclusion
from clay_push_service.routing.schemas import ExclusionBody, ExclusionPage, ExclusionView, NewExclusion

router = APIRouter(
    prefix="/api/clay/exclusions", tags=["exclusions"], dependencies=Authorized, route_class=GuardedRoute
)


@router.get("", summary="List exclusions", responses=responses(*CALLER), operation_id="list_exclusions")
async def get_exclusions(
    caller: Reader,
    connection: Transaction,
    kind: Annotated[ExclusionKind | None, Query(description="Only exclusions of this kind.")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Exclusions per page.")] = 50,
) -> ExclusionPage:
    """Leads, e-mail domains, addresses and segments that the organization keeps from Clay."""
    found, next_cursor = await list_exclusions(connection, caller.org_id, kind, cursor, limit)
    return ExclusionPage(exclusions=[ExclusionView.of(each) for each in found], next_cursor=next_cursor)


@router.post(
    "", status_code=201, summary="Exclude a lead, an e-mail domain, an address or a segment", operation_id="exclude",
    responses={200: {"model": NewExclusion, "description": "It was excluded already; nothing changed."},
               **responses(*CALLER, 404, 409, 413)},
)  # fmt: skip
async def post_exclusion(
    body: ExclusionBody, caller: Pusher, connection: Transaction, tables: DetectedTables, response: Response
) -> NewExclusion:
    """Any member, or a key with scope `push`. No push or enrichment sends a matching lead to Clay, not even with `push_again`.

    Queued deliveries and queued enrichments are skipped; what is in flight finishes.
    """
    added = await exclude(connection, tables, caller.org_id, caller.actor, body.target, body.kind, body.reason)
    if added.is_new:
        metrics.EXCLUSIONS.labels(change="added").inc()
    else:
        response.status_code = 200
    return NewExclusion(
        exclusion=ExclusionView.of(added.exclusion),
        stopped_count=added.stopped,
        stopped_enrichment_count=added.stopped_enrichments,
        warning=warning_of(added.exclusion.domain),
    )


@router.delete(
    "/{exclusion_id}", status_code=204, summary="Remove an exclusion", responses=responses(*CALLER, 404),
    operation_id="remove_exclusion",
)  # fmt: skip
async def delete_exclusion(
    exclusion_id: Annotated[UUID, Path(description="Id of the exclusion.")],
    caller: Configurer,
    connection: Transaction,
) -> None:
    """Requires an owner or admin, or a key with scope `config`. The removal pushes nothing; the leads may be pushed again."""
    await remove_exclusion(connection, caller.org_id, caller.actor, exclusion_id)
    metrics.EXCLUSIONS.labels(change="removed").inc()
