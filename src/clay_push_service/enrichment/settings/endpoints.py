"""`/api/clay/enrichment`: settings, their test, and an estimate: parse, call, answer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path

from clay_push_service.callers.dependencies import Authorized
from clay_push_service.callers.guarded_route import GuardedRoute, RouteLimits
from clay_push_service.callers.request_state import Clock
from clay_push_service.callers.turns import Lane
from clay_push_service.clay.dependencies import Client
from clay_push_service.destinations.dependencies import Box
from clay_push_service.enrichment.settings.dependencies import ConfigureEnrichment, ReadEnrichment
from clay_push_service.enrichment.settings.schemas import EnrichmentUpdate
from clay_push_service.enrichment.settings.trial_schemas import (
    EnrichmentTestBody,
    EnrichmentTestResult,
    EstimateBody,
    LeadEstimate,
)
from clay_push_service.enrichment.settings.try_settings import estimate, run_test
from clay_push_service.enrichment.settings.views import EnrichmentConfig, KeyRemoval
from clay_push_service.problems import CALLER, responses

WAITS_OUTSIDE = [Depends(RouteLimits(lane=Lane.SETTINGS))]
router = APIRouter(
    prefix="/api/clay/enrichment", tags=["enrichment"], dependencies=Authorized, route_class=GuardedRoute
)

NO_ITEM = EnrichmentTestBody()
PendingKeyId = Annotated[UUID, Path(description="`pending.id` of the settings.")]


@router.get("/config", summary="The organization's enrichment settings", responses=responses(*CALLER))
async def read_enrichment_config(service: ReadEnrichment) -> EnrichmentConfig:
    """The API key is masked."""
    return await service.read()


@router.put(
    "/config",
    summary="Change the enrichment settings",
    responses=responses(*CALLER, 409, 413),
    dependencies=WAITS_OUTSIDE,
)
async def write_enrichment_config(
    update: EnrichmentUpdate, service: ConfigureEnrichment, _box: Box
) -> EnrichmentConfig:
    """For an owner or admin, or a key with scope `config`. Omitted fields are unchanged."""
    return await service.write(update)


@router.delete("/config", summary="Remove the API key", responses=responses(*CALLER), dependencies=WAITS_OUTSIDE)
async def remove_enrichment_key(service: ConfigureEnrichment) -> KeyRemoval:
    """Deletes the key; routines, maps, prices and budgets are kept."""
    if await service.remove():
        return KeyRemoval(removed=True, message="The Clay API key was removed.")
    return KeyRemoval(removed=False, message="There was no Clay API key to remove.")


@router.post(
    "/config/pending/{pending_key_id}/confirm",
    summary="Use the API key found in NexusLeads' settings",
    responses=responses(*CALLER, 404, 409),
    dependencies=WAITS_OUTSIDE,
)
async def confirm_pending_key(pending_key_id: PendingKeyId, service: ConfigureEnrichment, box: Box) -> EnrichmentConfig:
    """For an owner or admin, or a key with scope `config`. A removal found there removes the key."""
    return await service.confirm(box, pending_key_id)


@router.post(
    "/config/pending/{pending_key_id}/reject",
    summary="Keep the current API key",
    responses=responses(*CALLER, 404),
    dependencies=WAITS_OUTSIDE,
)
async def reject_pending_key(pending_key_id: PendingKeyId, service: ConfigureEnrichment) -> EnrichmentConfig:
    """For an owner or admin, or a key with scope `config`. NexusLeads' settings themselves are not changed."""
    return await service.reject(pending_key_id)


@router.post(
    "/test",
    summary="Test API key and routine in stages",
    responses=responses(*CALLER, 404, 413),
    dependencies=WAITS_OUTSIDE,
)
async def check_enrichment(
    service: ConfigureEnrichment, client: Client, clock: Clock, body: Annotated[EnrichmentTestBody, Body()] = NO_ITEM
) -> EnrichmentTestResult:
    """Free without `run_item`. With it, one lead is enriched; the run is audited before it starts, and its values are not stored."""
    return await run_test(service, client, clock, body)


@router.post("/estimate", summary="Estimate what leads would cost", responses=responses(*CALLER, 404, 413))
async def estimate_enrichment(body: EstimateBody, service: ReadEnrichment) -> LeadEstimate:
    """A range in credits and actions, from the prices set for the routine or the figures of the enrichment guide."""
    return await estimate(service, body)
