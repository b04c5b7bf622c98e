"""FastAPI dependency of the settings endpoints."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends

from clay_push_service.callers.actor import actor_of
from clay_push_service.callers.authenticate import OrgDefault
from clay_push_service.callers.caller import Caller, Scope
from clay_push_service.callers.dependencies import HostCache, detached_caller_with
from clay_push_service.callers.request_state import Database, RequestId, Settings
from clay_push_service.destination_settings.service import DestinationSettings


def destination_settings_with(
    scope: Scope, *, org_default: OrgDefault = "only"
) -> Callable[..., Coroutine[Any, Any, DestinationSettings]]:
    """Returns a dependency: the settings service, which opens its own short transactions, for a caller with `scope`."""

    async def service(
        caller: Annotated[Caller, Depends(detached_caller_with(scope, org_default=org_default))],
        database: Database,
        host: HostCache,
        settings: Settings,
        request_id: RequestId,
    ) -> DestinationSettings:
        return DestinationSettings(database, host, actor_of(caller, request_id), settings)

    return service


ReadSettings = Annotated[DestinationSettings, Depends(destination_settings_with(Scope.READ))]
SettingsService = Annotated[DestinationSettings, Depends(destination_settings_with(Scope.CONFIG))]
