"""What the host's own frontend calls for Clay, unmodified: its paths and its shapes over our functions, and no rule of its own.

Without X-Org-Id the user's first organization, as the host's backend takes it.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, Takes
from clay_push_service.callers.request_state import Clock
from clay_push_service.callers.strict_query import ignore_unknown_parameters
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.dependencies import Client
from clay_push_service.destination_settings.config_change import ConfigChange
from clay_push_service.destination_settings.dependencies import destination_settings_with
from clay_push_service.destination_settings.service import DestinationSettings
from clay_push_service.destinations.dependencies import Box, Resolver
from clay_push_service.host.billing import is_enterprise
from clay_push_service.host_integration.frontend.activity import Activity, read_activity
from clay_push_service.host_integration.frontend.page_route import PageRoute
from clay_push_service.host_integration.frontend.schemas import (
    FrontendConfig,
    FrontendConfigBody,
    FrontendPushBody,
    FrontendStats,
    FrontendTest,
    IntegrationsStatus,
)
from clay_push_service.problems import CALLER, responses
from clay_push_service.push_jobs.dependencies import push_service_with
from clay_push_service.push_jobs.push_service import PushService, queued_response
from clay_push_service.push_jobs.schemas import PushAnswer

router = APIRouter(
    prefix="/api/integrations",
    tags=["NexusLeads' frontend"],
    dependencies=[*Authorized, Depends(ignore_unknown_parameters)],
    route_class=GuardedRoute,
)

MAX_ACTIVITY = 100

WAITS_OUTSIDE = [Depends(Takes(lane=Lane.SETTINGS))]
FirstReader = Annotated[PushService, Depends(push_service_with(Scope.READ, org_default="first"))]
FirstPusher = Annotated[PushService, Depends(push_service_with(Scope.PUSH, org_default="first"))]
FirstSettingsReader = Annotated[
    DestinationSettings, Depends(destination_settings_with(Scope.READ, org_default="first"))
]
FirstSettings = Annotated[DestinationSettings, Depends(destination_settings_with(Scope.CONFIG, org_default="first"))]


@router.get("/status", summary="All integrations", responses=responses(*CALLER))
async def frontend_status(service: FirstReader) -> IntegrationsStatus:
    """What the integrations page shows; only Clay is built."""
    return IntegrationsStatus.of(
        await service.read_status(),
        billing_enabled=service.settings.billing_enabled,
        is_enterprise=await is_enterprise(service.connection, service.tables, service.actor.org_id),
    )


@router.get("/clay/config", summary="The Clay settings", responses=responses(*CALLER))
async def frontend_config(service: FirstSettingsReader) -> FrontendConfig:
    """With the URL masked."""
    return FrontendConfig.of(await service.read())


@router.put(
    "/clay/config", summary="Save the webhook URL", responses=responses(*CALLER, 409, 413), dependencies=WAITS_OUTSIDE
)
async def frontend_save_config(
    body: FrontendConfigBody, service: FirstSettings, box: Box, resolver: Resolver
) -> FrontendConfig:
    """An empty URL removes, the masked one changes nothing, a new one replaces."""
    if body.webhook_url:
        return FrontendConfig.of(await service.write(box, resolver, ConfigChange(webhook_url=body.webhook_url)))
    await service.remove()
    return FrontendConfig.of(await service.read())


async def frontend_test(service: FirstSettings, box: Box, client: Client, clock: Clock) -> FrontendTest:
    """200 also where it is refused or does not work: the page shows `message` unless `status` is `ok`."""
    return FrontendTest.of(await service.test(box, client, clock))


router.add_api_route(
    "/clay/test",
    frontend_test,
    methods=["POST"],
    summary="Send a sample row",
    responses=responses(*CALLER),
    route_class_override=PageRoute,
    dependencies=WAITS_OUTSIDE,
)


@router.get("/clay/stats", summary="How many leads went to Clay", responses=responses(*CALLER))
async def frontend_stats(service: FirstReader) -> FrontendStats:
    """Of all push jobs."""
    return FrontendStats.of(await service.read_status())


@router.get("/clay/activity", summary="The last leads that went to Clay", responses=responses(*CALLER))
async def frontend_activity(
    service: FirstReader, limit: Annotated[int, Query(ge=1, le=MAX_ACTIVITY, description="Leads at most.")] = 20
) -> Sequence[Activity]:
    """Newest first; leads that were skipped are no activity."""
    return await read_activity(service.connection, service.actor.org_id, limit)


@router.post(
    "/clay/push", status_code=202, summary="Push selected leads", responses=responses(*CALLER, 404, 409, 413),
    dependencies=[Depends(Takes(BodySize.SETTING, Lane.COSTLY))],
)  # fmt: skip
async def frontend_push(body: FrontendPushBody, service: FirstPusher) -> PushAnswer:
    """Without `project_id`, which is the normal case, each lead counts for the project where its score is highest."""
    return PushAnswer.model_validate(queued_response(await service.push(body.push_body())).answer)
