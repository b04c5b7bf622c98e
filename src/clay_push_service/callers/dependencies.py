"""Callers as endpoints ask for them: inside the request's transaction, or before any for those that hold none."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, Header, Request
from fastapi.security import HTTPBearer

from clay_push_service.callers.api_keys import note_use
from clay_push_service.callers.authenticate import OrgDefault, authenticate
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.dependencies import Database, Settings, Transaction
from clay_push_service.host import connected

BEARER = HTTPBearer(
    auto_error=False, description="NexusLeads' access token, or a service key (`cps_…`).", scheme_name="bearer"
)
OrgHeader = Annotated[
    str | None,
    Header(
        alias="X-Org-Id",
        description="The organization. Without it the caller's only one, else 400 `organization_required`.",
        examples=["6f1d2a4e-8f0b-4d0e-9d53-0f6f6a1a7f10"],
    ),
]
Authorize = Callable[..., Coroutine[Any, Any, Caller]]


def _host(request: Request) -> connected.Host:
    found: connected.Host = request.app.state.host
    return found


Host = Annotated[connected.Host, Depends(_host)]


def caller_with(scope: Scope, *, org_default: OrgDefault = "only") -> Authorize:
    """A dependency: the caller, read in the request's transaction, who must have `scope`."""

    async def authorize(
        request: Request,
        connection: Transaction,
        database: Database,
        host: Host,
        settings: Settings,
        background: BackgroundTasks,
        x_org_id: OrgHeader = None,
    ) -> Caller:
        authorization = request.headers.get("authorization")
        caller = await authenticate(connection, host, settings, authorization, x_org_id, org_default=org_default)
        caller.require(scope)
        _note_use(caller, database, background)
        return caller

    return authorize


def detached_caller_with(scope: Scope, *, org_default: OrgDefault = "only") -> Authorize:
    """The same in a transaction that is over when the endpoint begins: for those that wait on the network."""

    async def authorize(
        request: Request,
        database: Database,
        host: Host,
        settings: Settings,
        background: BackgroundTasks,
        x_org_id: OrgHeader = None,
    ) -> Caller:
        authorization = request.headers.get("authorization")
        async with database.transaction() as connection:
            caller = await authenticate(connection, host, settings, authorization, x_org_id, org_default=org_default)
        caller.require(scope)
        _note_use(caller, database, background)
        return caller

    return authorize


def _note_use(caller: Caller, database: Database, background: BackgroundTasks) -> None:
    if caller.key_id is not None and caller.key_use_is_news:
        background.add_task(note_use, database, caller.key_id)


Authorized = [Depends(BEARER)]
"""For a router's `dependencies=`: so that openapi.yaml says how callers show who they are."""
Reader = Annotated[Caller, Depends(caller_with(Scope.READ))]
Pusher = Annotated[Caller, Depends(caller_with(Scope.PUSH))]
Configurer = Annotated[Caller, Depends(caller_with(Scope.CONFIG))]
DetachedConfigurer = Annotated[Caller, Depends(detached_caller_with(Scope.CONFIG))]
Eraser = Annotated[Caller, Depends(caller_with(Scope.ERASE))]
