"""The HTTP endpoints of results tokens and of the list of results."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request

from clay_push_service.callers.dependencies import Authorized, Configurer, DetectedTables, ResultsUser
from clay_push_service.callers.guarded_route import GuardedRoute
from clay_push_service.callers.request_state import Transaction
from clay_push_service.destinations.dependencies import Box
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.inbound.applier import count_finished
from clay_push_service.enrichment.inbound.quarantine import apply_one, list_results, read_one
from clay_push_service.enrichment.inbound.results import ResultState
from clay_push_service.enrichment.inbound.schemas import (
    PATH,
    NewTokenView,
    ResultPage,
    ResultView,
    TokenList,
    TokenView,
)
from clay_push_service.enrichment.inbound.tokens import (
    ResultsToken,
    create_token,
    list_tokens,
    read_endpoint,
    revoke_token,
)
from clay_push_service.pagination import Cursor
from clay_push_service.problems import CALLER, responses

router = APIRouter(prefix="/api/clay", tags=["enrichment"], dependencies=Authorized, route_class=GuardedRoute)


@router.get("/results-tokens", summary="List the results tokens", responses=responses(*CALLER))
async def list_results_tokens(caller: Configurer, connection: Transaction) -> TokenList:
    """For an owner or admin, or a key with scope `config`. The endpoint of the organization, and its active tokens."""
    endpoint_id = await read_endpoint(connection, caller.org_id)
    tokens = [_token(each) for each in await list_tokens(connection, caller.org_id)]
    return TokenList(
        endpoint_id=endpoint_id, path=None if endpoint_id is None else f"{PATH}{endpoint_id}", tokens=tokens
    )


@router.post("/results-tokens", status_code=201, summary="Create a results token", responses=responses(*CALLER, 409))
async def create_results_token(caller: Configurer, connection: Transaction) -> NewTokenView:
    """Shows the token once. Two can be active: create the new one, change the header in Clay, revoke the old one."""
    new_token = await create_token(connection, caller.org_id, caller.actor)
    return NewTokenView(
        token=new_token.plain,
        endpoint_id=new_token.endpoint_id,
        path=f"{PATH}{new_token.endpoint_id}",
        view=_token(new_token.token),
    )


@router.delete(
    "/results-tokens/{token_id}", status_code=204, summary="Revoke a results token", responses=responses(*CALLER, 404)
)
async def revoke_results_token(
    token_id: Annotated[UUID, Path(description="The token's id.")], caller: Configurer, connection: Transaction
) -> None:
    """Results that still arrive with it are refused. Wait until its `last_used_at` no longer changes."""
    await revoke_token(connection, caller.org_id, token_id, caller.actor)


@router.get("/results", summary="List results", responses=responses(*CALLER))
async def list_inbound_results(
    caller: ResultsUser,
    connection: Transaction,
    request: Request,
    state: Annotated[ResultState | None, Query(description="Only results in this state.")] = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Results per page.")] = 50,
) -> ResultPage:
    """What Clay's tables sent back. `state=unmatched` lists the quarantine. Any member, or a key with scope `results`."""
    box: SecretBox | None = request.app.state.box
    return await list_results(connection, box, caller.org_id, state, cursor, limit)


@router.post(
    "/results/{result_id}/apply", summary="Apply a result from quarantine", responses=responses(*CALLER, 404, 409)
)
async def apply_result(
    result_id: Annotated[UUID, Path(description="The result's id.")],
    caller: ResultsUser,
    connection: Transaction,
    tables: DetectedTables,
    box: Box,
) -> ResultView:
    """Matches the stored body again. If it still matches no lead, it stays in quarantine, with the reason."""
    finished = await apply_one(connection, tables, box, caller.org_id, caller.actor, result_id)
    count_finished([finished])
    return await read_one(connection, box, caller.org_id, result_id)


def _token(token: ResultsToken) -> TokenView:
    return TokenView(
        id=token.id, prefix=token.prefix, created_by=token.created_by, created_at=token.created_at,
        last_used_at=token.last_used_at,
    )  # fmt: skip
