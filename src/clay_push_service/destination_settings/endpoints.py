"""The HTTP endpoints `/api/clay/config` and `/api/clay/test`: read, change, test and remove the Clay settings."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path

from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Clock
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.dependencies import Client
from clay_push_service.destination_settings.connection_test.result import TestResult
from clay_push_service.destination_settings.dependencies import ReadSettings, SettingsService
from clay_push_service.destination_settings.schemas import (
    Config,
    ConfigUpdate,
    ConfirmBody,
    NewTableBody,
    Removal,
)
from clay_push_service.destinations.dependencies import Box, Resolver
from clay_push_service.problems import CALLER, responses

SETTINGS_LANE = [Depends(RouteLimits(lane=Lane.SETTINGS))]
router = APIRouter(prefix="/api/clay", tags=["settings"], dependencies=Authorized, route_class=GuardedRoute)

PendingId = Annotated[UUID, Path(description="`pending.id` of the settings.")]


@router.get("/config", summary="Get the Clay settings", responses=responses(*CALLER))
async def read_config(service: ReadSettings) -> Config:
    """The webhook URL is masked. `has_token` shows whether a token is stored."""
    return await service.read()


@router.put(
    "/config", summary="Change the Clay settings", responses=responses(*CALLER, 409, 413), dependencies=SETTINGS_LANE
)
async def write_config(update: ConfigUpdate, service: SettingsService, box: Box, resolver: Resolver) -> Config:
    """Requires an owner or admin, or a key with scope `config`. Omitted fields are unchanged."""
    return await service.write(box, resolver, update.change())


@router.post(
    "/config/pending/{pending_id}/confirm",
    summary="Use the webhook found in NexusLeads' settings",
    responses=responses(*CALLER, 404, 409, 413),
    dependencies=SETTINGS_LANE,
)
async def confirm_pending_change(
    pending_id: PendingId,
    service: SettingsService,
    box: Box,
    resolver: Resolver,
    body: Annotated[ConfirmBody | None, Body()] = None,
) -> Config:
    """Requires an owner or admin, or a key with scope `config`. If the webhook was removed there, it is removed here."""
    return await service.confirm(box, resolver, pending_id, new_table=body.new_table if body else False)


@router.post(
    "/config/pending/{pending_id}/reject",
    summary="Keep the current webhook",
    responses=responses(*CALLER, 404),
    dependencies=SETTINGS_LANE,
)
async def reject_pending_change(pending_id: PendingId, service: SettingsService) -> Config:
    """Requires an owner or admin, or a key with scope `config`. Does not change NexusLeads' settings."""
    return await service.reject(pending_id)


@router.post(
    "/config/new-table",
    summary="Declare that the webhook feeds a new table",
    responses=responses(*CALLER, 409, 413),
    dependencies=SETTINGS_LANE,
)
async def declare_new_table(body: NewTableBody, service: SettingsService) -> Config:
    """No lead counts as already in Clay afterwards. A second call for the same webhook URL changes nothing."""
    return await service.declare_new_table(body.version)


@router.delete("/config", summary="Remove the webhook", responses=responses(*CALLER), dependencies=SETTINGS_LANE)
async def remove_config(service: SettingsService) -> Removal:
    """Deletes the URL and the token. Queued leads fail as `destination_removed`; requests in flight are still recorded."""
    ended = await service.remove()
    if ended is None:
        return Removal(removed=False, ended_count=0, message="There was no Clay webhook to remove.")
    return Removal(removed=True, ended_count=ended, message="The Clay webhook was removed.")


@router.post(
    "/test",
    summary="Send a sample row to the stored webhook",
    responses=responses(*CALLER, 409),
    dependencies=SETTINGS_LANE,
)
async def test_connection(service: SettingsService, box: Box, client: Client, clock: Clock) -> TestResult:
    """Uses one of the webhook's lifetime submissions. A successful test opens a closed destination."""
    return TestResult.of(await service.test(box, client, clock))
