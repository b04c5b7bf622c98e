"""Endpoints that the unmodified NexusLeads frontend calls for Clay, with its paths and formats; they add no rules.

Without X-Org-Id they use the user's first organization, as the host's backend does.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, RouteLimits
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

SETTINGS_LANE = [Depends(RouteLimits(lane=Lane.SETTINGS))]
FirstReader = Annotated[PushService, Depends(push_service_with(Scope.READ, org_default="first"))]
FirstPusher = Annotated[PushService, Depends(push_service_with(Scope.PUSH, org_default="first"))]
FirstSettingsReader = Annotated[
    DestinationSettings, Depends(destination_settings_with(Scope.READ, org_default="first"))
]
FirstSettings = Annotated[DestinationSettings, Depends(destination_settings_with(Scope.CONFIG, org_default="first"))]


@router.get("/status", summary="List integrations", responses=responses(*CALLER))
async def frontend_status(service: FirstReader) -> IntegrationsStatus:
    """State of the integrations; this service implements Clay only."""
    return IntegrationsStatus.of(
        await service.read_status(),
        billing_enabled=service.settings.billing_enabled,
        is_enterprise=await is_enterprise(service.connection, service.tables, service.actor.org_id),
    )


@router.get("/clay/config", summary="Get the Clay settings", responses=responses(*CALLER))
async def frontend_config(service: FirstSettingsReader) -> FrontendConfig:
    """The webhook URL is masked."""
    return FrontendConfig.of(await service.read())


@router.put(
    "/clay/config", summary="Save the webhook URL", responses=responses(*CALLER, 409, 413), dependencies=SETTINGS_LANE
)
async def frontend_save_config(
    body: FrontendConfigBody, service: FirstSettings, box: Box, resolver: Resolver
) -> FrontendConfig:
    """An empty URL removes the webhook, the masked URL changes nothing, another URL replaces it."""
    if body.webhook_url:
        return FrontendConfig.of(await service.write(box, resolver, ConfigChange(webhook_url=body.webhook_url)))
    await service.remove()
    return FrontendConfig.of(await service.read())


async def frontend_test(service: FirstSettings, box: Box, client: Client, clock: Clock) -> FrontendTest:
    """Returns 200 also on failure: the page shows `message` unless `status` is `ok`."""
    return FrontendTest.of(await service.test(box, client, clock))


router.add_api_route(
    "/clay/test",
    frontend_test,
    methods=["POST"],
    summary="Send a sample row",
    responses=responses(*CALLER),
    route_class_override=PageRoute,
    dependencies=SETTINGS_LANE,
)


@router.get("/clay/stats", summary="Count pushed and failed leads", responses=responses(*CALLER))
async def frontend_stats(service: FirstReader) -> FrontendStats:
    """Totals of all push jobs."""
    return FrontendStats.of(await service.read_status())


@router.get("/clay/activity", summary="List recent deliveries", responses=responses(*CALLER))
async def frontend_activity(
    service: FirstReader,
    limit: Annotated[int, Query(ge=1, le=MAX_ACTIVITY, description="Maximum number of deliveries.")] = 20,
) -> Sequence[Activity]:
    """Newest first, without skipped leads."""
    return await read_activity(service.connection, service.actor.org_id, limit)


@router.post(
    "/clay/push", status_code=202, summary="Push selected leads", responses=responses(*CALLER, 404, 409, 413),
    dependencies=[Depends(RouteLimits(BodySize.SETTING, Lane.COSTLY))],
)  # fmt: skip
async def frontend_push(body: FrontendPushBody, service: FirstPusher) -> PushAnswer:
    """Without `project_id`, the normal case, each lead counts for the project where its score is highest."""
    return PushAnswer.model_validate(queued_response(await service.push(body.push_body())).body)
