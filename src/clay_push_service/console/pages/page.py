"""A page of a signed-in user: what handlers need to read data, render a template, or redirect with a message."""

import gzip
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from clay_push_service.callers.actor import Actor, actor_of
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.dependencies import DetectedTables
from clay_push_service.callers.request_state import Clock, RequestId, Settings, Transaction
from clay_push_service.callers.sessions import Session
from clay_push_service.console.pages.environment import ENVIRONMENT
from clay_push_service.console.pages.frame import read_frame
from clay_push_service.console.pages.static_files import accepts_gzip
from clay_push_service.console.session.authorize import CurrentSession, SessionInTransaction
from clay_push_service.console.session.cookies import MESSAGE, delete_cookie, read_message, write_message
from clay_push_service.console.session.form_token import make_form_token
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.settings import Settings as ServiceSettings

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""No inline script or style, and no other origin."""
LEAST_COMPRESSED: Final = 1000
"""Fewest bytes of a page that is compressed. A smaller page fits into one packet."""


@dataclass(frozen=True, slots=True)
class Page:
    """`section`, `title` and other values of a template are given to `render`."""

    request: Request
    connection: AsyncConnection
    caller: Caller
    session: Session
    tables: HostTables
    settings: ServiceSettings
    now: datetime
    actor: Actor

    @property
    def service(self) -> PushService:
        """The service that the API's endpoints use."""
        return PushService(self.connection, self.tables, self.actor, self.settings)

    async def render(self, template: str, *, code: int = 200, **values: object) -> Response:
        frame = await read_frame(self.connection, self.tables, self.caller, self.settings)
        message = read_message(self.request)
        response = html_response(
            self.request,
            template,
            code,
            **values,
            page=self,
            frame=frame,
            message=message,
            form_token=make_form_token(self.session.secret),
        )
        if message is not None:
            delete_cookie(self.request, response, MESSAGE)
        return response

    def redirect(self, url: str, message: str | None = None, *, kind: str = "done") -> Response:
        """After a form: the browser shows `url`, and `message` on it once. `kind`: `done` or `problem`."""
        response = RedirectResponse(url, 303)
        if message is not None:
            write_message(self.request, response, message, kind)
        return response

    def may(self, scope: str) -> bool:
        return Scope(scope) in self.caller.scopes


def html_response(request: Request, template: str, code: int, **values: object) -> Response:
    """Render a whole page or a fragment, compressed if the browser accepts it."""
    content = ENVIRONMENT.get_template(template).render(request=request, **values).encode()
    headers = {"Content-Security-Policy": POLICY, "Vary": "Accept-Encoding"}
    if len(content) >= LEAST_COMPRESSED and accepts_gzip(request):
        content = gzip.compress(content, 6, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return HTMLResponse(content, code, headers)


def _page_with(scope: Scope) -> object:
    """A dependency that returns the page of a caller who has `scope`."""
    authorize = SessionInTransaction(scope, "only")

    async def page(
        request: Request,
        connection: Transaction,
        caller: Annotated[Caller, Depends(authorize)],
        session: CurrentSession,
        tables: DetectedTables,
        settings: Settings,
        clock: Clock,
        request_id: RequestId,
    ) -> Page:
        return Page(request, connection, caller, session, tables, settings, clock.now(), actor_of(caller, request_id))

    return Depends(page)


ReadPage = Annotated[Page, _page_with(Scope.READ)]
PushPage = Annotated[Page, _page_with(Scope.PUSH)]
ConfigPage = Annotated[Page, _page_with(Scope.CONFIG)]
ErasePage = Annotated[Page, _page_with(Scope.ERASE)]
EnrichPage = Annotated[Page, _page_with(Scope.ENRICH)]
ResultsPage = Annotated[Page, _page_with(Scope.RESULTS)]
