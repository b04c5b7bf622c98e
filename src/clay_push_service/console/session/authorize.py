"""Authenticates requests of the console by their session cookie, and checks membership, role and key again each time."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.dependencies import Authorize, AuthorizeDetached, AuthorizeInTransaction
from clay_push_service.callers.sessions import Session, end_session_later, find_session, session_caller
from clay_push_service.console.session.cookies import SESSION, read_cookie
from clay_push_service.errors import ForbiddenError, UnauthorizedError
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.settings import Settings

ENDING = frozenset({"not_a_member", "organization_forbidden", "inactive_user", "invalid_key"})
"""Codes after which a session cannot be used again: the membership, the user or the key no longer exists."""


class AuthorizeSession(Authorize):
    """Replaces the headers of the API by the session cookie. Raises 401 `session_required` without a valid session."""

    async def authenticate_request(
        self,
        connection: AsyncConnection,
        request: Request,
        host: HostTableCache,
        settings: Settings,
        x_org_id: str | None,
    ) -> Caller:
        del settings, x_org_id  # the session has the organization
        session = await find_session(connection, read_cookie(request, SESSION))
        if session is None:
            raise UnauthorizedError("Sign in to open this page.", code="session_required")
        try:
            caller = await session_caller(connection, host, session)
        except (ForbiddenError, UnauthorizedError) as error:
            if error.code not in ENDING:
                raise
            request.state.ended_session = session
            raise UnauthorizedError(
                "You are signed out, because your access to this organization has ended. Sign in again, or ask an owner of"
                " the organization.",
                code="session_required",
            ) from None
        request.state.session = session
        caller.require(self.scope)
        return caller


class SessionInTransaction(AuthorizeSession, AuthorizeInTransaction):
    """Authenticates in the request's transaction."""


class SessionDetached(AuthorizeSession, AuthorizeDetached):
    """Authenticates in a transaction that ends before the endpoint begins: for streams and for calls that wait for the network."""


def end_of(request: Request) -> BackgroundTasks | None:
    """Returns the background task that ends a session without rights after the response."""
    session: Session | None = getattr(request.state, "ended_session", None)
    if session is None:
        return None
    tasks = BackgroundTasks()
    tasks.add_task(end_session_later, request.app.state.database, session)
    return tasks


def _session(request: Request) -> Session:
    session: Session = request.state.session
    return session


CurrentSession = Annotated[Session, Depends(_session)]
Visitor = Annotated[Caller, Depends(SessionInTransaction(Scope.READ, "only"))]
"""Any signed-in user or key with scope `read`, in the request's transaction."""
