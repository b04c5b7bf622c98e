"""What the host's own frontend calls for Clay, unmodified: its paths and its shapes over our functions, and no rule of its own.

Without X-Org-Id the user's first organization, as the host's backend takes it.
"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from clay_push_service.callers.caller import Scope
from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import BodySize, GuardedRoute, Takes
from clay_push_service.callers.strict_query import ignore_unknown_parameters
from clay_push_service.callers.turns import Lane
from clay_push_service.deliveries.dependencies import Client
from clay_push_service.dependencies import Clock
from clay_push_service.destinations.config_change import ConfigChange
from clay_push_service.destinations.dependencies import Box, Resolver
from clay_push_service.host.billing import is_enterprise
from clay_push_service.nexusleads.activity import Activity, read_activity
from clay_push_service.nexusleads.frontend_models import (
    FrontendConfig,
    FrontendConfigBody,
    FrontendPushBody,
    FrontendStats,
    FrontendTest,
    IntegrationsStatus,
)
from clay_push_service.nexusleads.page_route import PageRoute
from clay_push_service.problems import CALLER, responses
from clay_push_service.push_jobs.ask import Desk, answer_of
from clay_push_service.push_jobs.dependencies import desk_with, settings_desk_with
from clay_push_service.push_jobs.schemas import PushAnswer
from clay_push_service.push_jobs.settings_desk import SettingsDesk, read_config

router = APIRouter(
    prefix="/api/integrations",
    tags=["NexusLeads' frontend"],
    dependencies=[*Authorized, Depends(ignore_unknown_parameters)],
    route_class=GuardedRoute,
)

MAX_ACTIVITY = 100

WAITS_OUTSIDE = [Depends(Takes(lane=Lane.SETTINGS))]
FirstReadDesk = Annotated[Desk, Depends(desk_with(Scope.READ, org_default="first"))]
FirstPushDesk = Annotated[Desk, Depends(desk_with(Scope.PUSH, org_default="first"))]
FirstSettingsDesk = Annotated[SettingsDesk, Depends(settings_desk_with(Scope.CONFIG, org_default="first"))]


@router.get("/status", summary="All integrations", responses=responses(*CALLER))
async def frontend_status(desk: FirstReadDesk) -> IntegrationsStatus:
    """What the integrations page shows; only Clay is built."""
    return IntegrationsStatus.of(
        await desk.status(),
        billing_enabled=desk.settings.billing_enabled,
        is_enterprise=await is_enterprise(desk.connection, desk.tables, desk.asker.org_id),
    )


@router.get("/clay/config", summary="The Clay settings", responses=responses(*CALLER))
async def frontend_config(desk: FirstReadDesk) -> FrontendConfig:
    """With the URL masked."""
    return FrontendConfig.of(await read_config(desk))


@router.put(
    "/clay/config", summary="Save the webhook URL", responses=responses(*CALLER, 409, 413), dependencies=WAITS_OUTSIDE
)
async def frontend_save_config(
    body: FrontendConfigBody, desk: FirstSettingsDesk, box: Box, resolver: Resolver
) -> FrontendConfig:
    """An empty URL removes, the masked one changes nothing, a new one replaces."""
    if body.webhook_url:
        return FrontendConfig.of(await desk.write(box, resolver, ConfigChange(webhook_url=body.webhook_url)))
    await desk.remove()
    return FrontendConfig.of(await desk.read())


async def frontend_test(desk: FirstSettingsDesk, box: Box, client: Client, clock: Clock) -> FrontendTest:
    """200 also where it is refused or does not work: the page shows `message` unless `status` is `ok`."""
    return FrontendTest.of(await desk.test(box, client, clock))


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
async def frontend_stats(desk: FirstReadDesk) -> FrontendStats:
    """Of all push jobs."""
    return FrontendStats.of(await desk.status())


@router.get("/clay/activity", summary="The last leads that went to Clay", responses=responses(*CALLER))
async def frontend_activity(
    desk: FirstReadDesk, limit: Annotated[int, Query(ge=1, le=MAX_ACTIVITY, description="Leads at most.")] = 20
) -> Sequence[Activity]:
    """Newest first; leads that were skipped are no activity."""
    return await read_activity(desk.connection, desk.asker.org_id, limit)


@router.post(
    "/clay/push", status_code=202, summary="Push selected leads", responses=responses(*CALLER, 404, 409, 413),
    dependencies=[Depends(Takes(BodySize.SETTING, Lane.COSTLY))],
)  # fmt: skip
async def frontend_push(body: FrontendPushBody, desk: FirstPushDesk) -> PushAnswer:
    """Without `project_id`, which is the normal case, each lead counts for the project where its score is highest."""
    return PushAnswer.model_validate(answer_of(await desk.push(body.push_body())).answer)
