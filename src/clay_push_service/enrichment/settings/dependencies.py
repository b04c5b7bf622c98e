"""FastAPI dependency of the enrichment settings."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.dependencies import HostCache, detached_caller_with
from clay_push_service.callers.request_state import Database, RequestId, Settings
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.settings.service import EnrichmentSettings


def enrichment_settings_with(scope: Scope) -> Callable[..., Coroutine[Any, Any, EnrichmentSettings]]:
    """Returns a dependency: the service, which opens its own short transactions, for a caller with `scope`."""

    async def service(
        request: Request,
        caller: Annotated[Caller, Depends(detached_caller_with(scope))],
        database: Database,
        host: HostCache,
        settings: Settings,
        request_id: RequestId,
    ) -> EnrichmentSettings:
        box: SecretBox | None = request.app.state.box
        return EnrichmentSettings(database, host, actor_of(caller, request_id), settings, box)

    return service


ReadEnrichment = Annotated[EnrichmentSettings, Depends(enrichment_settings_with(Scope.READ))]
ConfigureEnrichment = Annotated[EnrichmentSettings, Depends(enrichment_settings_with(Scope.CONFIG))]
