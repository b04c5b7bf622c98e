"""FastAPI dependencies that authenticate and authorize the caller, with or without the request's transaction."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Header, Request
from fastapi.security import HTTPBearer
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.api_keys import record_use
from clay_push_service.callers.authenticate import OrgDefault, authenticate
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.request_state import Database, Settings, Transaction
from clay_push_service.database import database as connected_database
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.host import table_cache
from clay_push_service.host.tables import HostTables
from clay_push_service.settings import Settings as ServiceSettings

BEARER = HTTPBearer(
    auto_error=False, description="NexusLeads' access token, or a service key (`cps_…`).", scheme_name="bearer"
)
OrgHeader = Annotated[
    str | None,
    Header(
        alias="X-Org-Id",
        description="The organization. Default: the caller's only one; with several, 400 `organization_required`.",
        examples=["6f1d2a4e-8f0b-4d0e-9d53-0f6f6a1a7f10"],
    ),
]


def _host(request: Request) -> table_cache.HostTableCache:
    found: table_cache.HostTableCache = request.app.state.host
    return found


HostCache = Annotated[table_cache.HostTableCache, Depends(_host)]


async def _detect_tables(connection: Transaction, host: HostCache) -> HostTables:
    return await host.tables(connection)


DetectedTables = Annotated[HostTables, Depends(_detect_tables)]
"""NexusLeads' tables, as they are named now. Raises HostMissingError. List it after the caller, who is authenticated first."""


class Authorize:
    """A dependency that returns the caller, who must have `scope`.

    The guarded route calls `admit` before it reads the body (see `guarded_route`). After a body or a wait, which may take
    half a minute, it calls `discard_admission`, and the permissions are checked again.
    """

    is_detached = False
    """Whether the endpoint runs without a transaction."""

    def __init__(self, scope: Scope, org_default: OrgDefault) -> None:
        self.scope = scope
        self._org_default = org_default

    async def admit(self, request: Request) -> Caller:
        """Authenticate in a separate transaction. Raises 400, 401 or 403."""
        database: connected_database.Database = request.app.state.database

        async def known() -> Caller:
            async with database.transaction() as connection:
                return await self.authenticate_request(
                    connection, request, _host(request), request.app.state.settings, request.headers.get("x-org-id")
                )

        caller = await _host(request).on_fresh_tables(known)
        request.state.admitted = caller
        return caller

    @staticmethod
    def discard_admission(request: Request) -> None:
        request.state.admitted = None

    async def authenticate_request(
        self,
        connection: AsyncConnection,
        request: Request,
        host: table_cache.HostTableCache,
        settings: ServiceSettings,
        x_org_id: str | None,
    ) -> Caller:
        """Authenticate by the request's headers. The console's subclass reads a session cookie instead."""
        authorization = request.headers.get("authorization")
        clock: DatabaseClock = request.app.state.clock
        caller = await authenticate(
            connection, host, settings, authorization, x_org_id, now=clock.timestamp(), org_default=self._org_default
        )
        caller.require(self.scope)
        return caller

    @staticmethod
    def _admitted(request: Request) -> Caller | None:
        admitted: Caller | None = getattr(request.state, "admitted", None)
        return admitted


class AuthorizeInTransaction(Authorize):
    """Authenticates in the request's transaction."""

    async def __call__(
        self,
        request: Request,
        connection: Transaction,
        database: Database,
        host: HostCache,
        settings: Settings,
        background: BackgroundTasks,
        x_org_id: OrgHeader = None,
    ) -> Caller:
        caller = self._admitted(request) or await self.authenticate_request(
            connection, request, host, settings, x_org_id
        )
        _record_use(caller, database, background)
        return caller


class AuthorizeDetached(Authorize):
    """Authenticates in a transaction that ends before the endpoint begins: for endpoints that wait for the network."""

    is_detached = True

    async def __call__(
        self,
        request: Request,
        database: Database,
        host: HostCache,
        settings: Settings,
        background: BackgroundTasks,
        x_org_id: OrgHeader = None,
    ) -> Caller:
        caller = self._admitted(request)
        if caller is None:

            async def known() -> Caller:
                async with database.transaction() as connection:
                    return await self.authenticate_request(connection, request, host, settings, x_org_id)

            caller = await host.on_fresh_tables(known)
        _record_use(caller, database, background)
        return caller


def caller_with(scope: Scope, *, org_default: OrgDefault = "only") -> AuthorizeInTransaction:
    return AuthorizeInTransaction(scope, org_default)


def detached_caller_with(scope: Scope, *, org_default: OrgDefault = "only") -> AuthorizeDetached:
    return AuthorizeDetached(scope, org_default)


def _record_use(caller: Caller, database: Database, background: BackgroundTasks) -> None:
    if caller.key_id is not None and caller.should_record_key_use:
        background.add_task(record_use, database, caller.key_id)


Authorized = [Depends(BEARER)]
"""For a router's `dependencies=`: declares the authentication in openapi.yaml."""
Reader = Annotated[Caller, Depends(caller_with(Scope.READ))]
Pusher = Annotated[Caller, Depends(caller_with(Scope.PUSH))]
Configurer = Annotated[Caller, Depends(caller_with(Scope.CONFIG))]
Eraser = Annotated[Caller, Depends(caller_with(Scope.ERASE))]
Enricher = Annotated[Caller, Depends(caller_with(Scope.ENRICH))]
ResultsUser = Annotated[Caller, Depends(caller_with(Scope.RESULTS))]
