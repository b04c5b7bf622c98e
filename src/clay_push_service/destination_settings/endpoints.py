"""`/api/clay/config` and `/api/clay/test`: parse, call, answer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path

from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import GuardedRoute, Takes
from clay_push_service.callers.request_state import Clock
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.dependencies import Client
from clay_push_service.destination_settings.dependencies import ReadSettings, SettingsService
from clay_push_service.destination_settings.schemas import (
    Config,
    ConfigUpdate,
    ConfirmBody,
    NewTableBody,
    Removal,
    TestResult,
)
from clay_push_service.destinations.dependencies import Box, Resolver
from clay_push_service.problems import CALLER, responses

WAITS_OUTSIDE = [Depends(Takes(lane=Lane.SETTINGS))]
router = APIRouter(prefix="/api/clay", tags=["settings"], dependencies=Authorized, route_class=GuardedRoute)

PendingId = Annotated[UUID, Path(description="`pending.id` of the settings.")]


@router.get("/config", summary="The organization's Clay settings", responses=responses(*CALLER))
async def read_config(service: ReadSettings) -> Config:
    """The webhook URL is masked; of its token the answer shows only whether one is stored."""
    return await service.read()


@router.put(
    "/config", summary="Change the Clay settings", responses=responses(*CALLER, 409, 413), dependencies=WAITS_OUTSIDE
)
async def write_config(update: ConfigUpdate, service: SettingsService, box: Box, resolver: Resolver) -> Config:
    """For an owner or admin, or a key with scope `config`. Omitted fields are unchanged."""
    return await service.write(box, resolver, update.change())


@router.post(
    "/config/pending/{pending_id}/confirm",
    summary="Use the webhook found in NexusLeads' settings",
    responses=responses(*CALLER, 404, 409, 413),
    dependencies=WAITS_OUTSIDE,
)
async def confirm_pending_change(
    pending_id: PendingId,
    service: SettingsService,
    box: Box,
    resolver: Resolver,
    body: Annotated[ConfirmBody | None, Body()] = None,
) -> Config:
    """For an owner or admin, or a key with scope `config`. A removal found there removes the webhook."""
    return await service.confirm(box, resolver, pending_id, new_table=body.new_table if body else False)


@router.post(
    "/config/pending/{pending_id}/reject",
    summary="Keep the present webhook",
    responses=responses(*CALLER, 404),
    dependencies=WAITS_OUTSIDE,
)
async def reject_pending_change(pending_id: PendingId, service: SettingsService) -> Config:
    """For an owner or admin, or a key with scope `config`. NexusLeads' settings themselves are not changed."""
    return await service.reject(pending_id)


@router.post(
    "/config/new-table",
    summary="Declare that the webhook feeds a new table",
    responses=responses(*CALLER, 409, 413),
    dependencies=WAITS_OUTSIDE,
)
async def declare_new_table(body: NewTableBody, service: SettingsService) -> Config:
    """Afterwards no lead counts as already in Clay. Once per webhook URL: a second call changes nothing."""
    return await service.declare_new_table(body.version)


@router.delete("/config", summary="Remove the webhook", responses=responses(*CALLER), dependencies=WAITS_OUTSIDE)
async def remove_config(service: SettingsService) -> Removal:
    """Deletes URL and token. Queued leads fail as `destination_removed`; requests in flight are still recorded."""
    ended = await service.remove()
    if ended is None:
        return Removal(removed=False, ended_count=0, message="There was no Clay webhook to remove.")
    return Removal(removed=True, ended_count=ended, message="The Clay webhook was removed.")


@router.post(
    "/test",
    summary="Send a sample row to the stored webhook",
    responses=responses(*CALLER, 409),
    dependencies=WAITS_OUTSIDE,
)
async def test_connection(service: SettingsService, box: Box, client: Client, clock: Clock) -> TestResult:
    """Uses one of the webhook's lifetime submissions. A successful test opens a closed destination."""
    return TestResult.of(await service.test(box, client, clock))
