"""A console request that waits for the network. It holds no database connection; its services open their own short transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from clay_push_service.callers.actor import Actor, actor_of
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.dependencies import HostCache
from clay_push_service.callers.request_state import Database, RequestId, Settings
from clay_push_service.callers.sessions import Session
from clay_push_service.console.pages.page import Page
from clay_push_service.console.session.authorize import CurrentSession, SessionDetached
from clay_push_service.console.session.cookies import write_message
from clay_push_service.database import database as connected_database
from clay_push_service.database.clock import NOW
from clay_push_service.destination_settings.service import DestinationSettings
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.settings.service import EnrichmentSettings
from clay_push_service.host import table_cache
from clay_push_service.settings import Settings as ServiceSettings

SEE_OTHER = 303


@dataclass(frozen=True, slots=True)
class DetachedPage:
    request: Request
    caller: Caller
    session: Session
    database: connected_database.Database
    host: table_cache.HostTableCache
    settings: ServiceSettings
    actor: Actor

    @property
    def destination_settings(self) -> DestinationSettings:
        return DestinationSettings(self.database, self.host, self.actor, self.settings)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Page]:
        """A page in a short transaction of its own: shows a refused form again."""
        async with self.database.transaction() as connection:
            tables = await self.host.tables(connection)
            now = await NOW.one(connection)
            yield Page(self.request, connection, self.caller, self.session, tables, self.settings, now, self.actor)

    @property
    def enrichment_settings(self) -> EnrichmentSettings:
        box: SecretBox | None = self.request.app.state.box
        return EnrichmentSettings(self.database, self.host, self.actor, self.settings, box)

    def redirect(self, url: str, message: str | None = None, *, kind: str = "done") -> Response:
        """Redirects as `Page.redirect` does."""
        response = RedirectResponse(url, SEE_OTHER)
        if message is not None:
            write_message(self.request, response, message, kind)
        return response


def _detached_with(scope: Scope) -> object:
    authorize = SessionDetached(scope, "only")

    async def page(
        request: Request,
        caller: Annotated[Caller, Depends(authorize)],
        session: CurrentSession,
        database: Database,
        host: HostCache,
        settings: Settings,
        request_id: RequestId,
    ) -> DetachedPage:
        return DetachedPage(request, caller, session, database, host, settings, actor_of(caller, request_id))

    return Depends(page)


ConfigDetached = Annotated[DetachedPage, _detached_with(Scope.CONFIG)]
