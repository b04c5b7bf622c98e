"""Routes for signing in, signing out and changing the organization."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from clay_push_service.callers.dependencies import HostCache
from clay_push_service.callers.request_state import Clock, Database, Settings
from clay_push_service.callers.sessions import Session, continue_in, end_session, session_caller, start_session
from clay_push_service.console.pages.page import ReadPage
from clay_push_service.console.session.authorize import CurrentSession
from clay_push_service.console.session.cookies import SESSION, SIGN_IN, delete_cookie, set_cookie
from clay_push_service.console.session.form import Posted
from clay_push_service.console.session.route import ConsoleRoute, SignInRoute
from clay_push_service.console.session.sign_in import local_path, sign_in_page
from clay_push_service.errors import ClayPushError, InvalidError

SEE_OTHER: Final = 303
REFUSED: Final = frozenset({400, 401, 403, 422})

public = APIRouter(prefix="/console", include_in_schema=False, route_class=SignInRoute)
router = APIRouter(prefix="/console", include_in_schema=False, route_class=ConsoleRoute)


@public.get("/sign-in")
async def show_sign_in(request: Request) -> Response:
    return sign_in_page(request, None)


@public.post("/session")
async def create_session(
    request: Request, form: Posted, database: Database, host: HostCache, settings: Settings, clock: Clock
) -> Response:
    """Exchange an access token of NexusLeads or a service key for a session cookie. A refusal shows the sign-in page with its reason."""
    credential, org_id = form.text("credential"), form.text("org_id")
    try:
        if not credential:
            raise InvalidError("Enter a service key or an access token.")
        async with database.transaction() as connection:
            session = await start_session(connection, host, settings, credential, org_id or None, now=clock.now())
    except ClayPushError as error:
        if error.status not in REFUSED:
            raise
        return sign_in_page(request, error.detail, status=error.status)
    response = RedirectResponse(local_path(form.text("next")), SEE_OTHER)
    _set_session(request, response, session)
    delete_cookie(request, response, SIGN_IN)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, page: ReadPage, session: CurrentSession, form: Posted) -> Response:
    del form
    await end_session(page.connection, session)
    response = RedirectResponse("/console/sign-in", SEE_OTHER)
    delete_cookie(request, response, SESSION)
    return response


@router.post("/organization")
async def change_organization(
    request: Request, page: ReadPage, host: HostCache, session: CurrentSession, form: Posted
) -> Response:
    """Continue in another organization of the same user or key. Raises 403 for one that is not theirs."""
    org_id = form.uuid("org_id")
    if org_id is None:
        raise InvalidError("Select an organization.")
    caller = await session_caller(page.connection, host, session, org_id)
    response = RedirectResponse("/console/", SEE_OTHER)
    _set_session(request, response, await continue_in(page.connection, session, caller))
    return response


def _set_session(request: Request, response: Response, session: Session) -> None:
    set_cookie(request, response, SESSION, session.secret)
