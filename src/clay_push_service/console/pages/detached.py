"""A console request that waits for the network: it holds no connection, and its services open short transactions of their own."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from clay_push_service.callers.actor import Actor, actor_of
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.dependencies import HostCache
from clay_push_service.callers.request_state import Database, RequestId, Settings
from clay_push_service.console.session.authorize import SessionDetached
from clay_push_service.console.session.cookies import write_message
from clay_push_service.database import database as connected_database
from clay_push_service.destination_settings.service import DestinationSettings
from clay_push_service.host import table_cache
from clay_push_service.settings import Settings as ServiceSettings

SEE_OTHER = 303


@dataclass(frozen=True, slots=True)
class DetachedPage:
    request: Request
    caller: Caller
    database: connected_database.Database
    host: table_cache.HostTableCache
    settings: ServiceSettings
    actor: Actor

    @property
    def destination_settings(self) -> DestinationSettings:
        return DestinationSettings(self.database, self.host, self.actor, self.settings)

    def redirect(self, url: str, message: str | None = None, *, kind: str = "done") -> Response:
        """As `Page.redirect`."""
        response = RedirectResponse(url, SEE_OTHER)
        if message is not None:
            write_message(self.request, response, message, kind)
        return response


def _detached_with(scope: Scope) -> object:
    authorize = SessionDetached(scope, "only")

    async def page(
        request: Request,
        caller: Annotated[Caller, Depends(authorize)],
        database: Database,
        host: HostCache,
        settings: Settings,
        request_id: RequestId,
    ) -> DetachedPage:
        return DetachedPage(request, caller, database, host, settings, actor_of(caller, request_id))

    return Depends(page)


ConfigDetached = Annotated[DetachedPage, _detached_with(Scope.CONFIG)]
