"""`/api/clay/config` and `/api/clay/test`: parse, call, answer."""

from fastapi import APIRouter

from clay_push_service.callers.dependencies import (
    Authorized,
    Configurer,
    DetachedConfigurer,
    Host,
    Reader,
)
from clay_push_service.deliveries.dependencies import Client
from clay_push_service.deliveries.try_webhook import try_webhook
from clay_push_service.dependencies import Database, Settings, Transaction
from clay_push_service.destinations.configure import configure
from clay_push_service.destinations.dependencies import Box, Resolver
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.read import destination_view
from clay_push_service.destinations.stored import read_destination
from clay_push_service.errors import ConflictError
from clay_push_service.problems import CALLER, responses
from clay_push_service.push_jobs.accept import NOT_CONFIGURED, require_available
from clay_push_service.push_jobs.destination_models import Config, ConfigUpdate, Removal, TestResult
from clay_push_service.push_jobs.remove_destination import remove_destination

router = APIRouter(prefix="/api/clay", tags=["settings"], dependencies=Authorized)


@router.get("/config", summary="The organization's Clay settings", responses=responses(*CALLER))
async def read_config(caller: Reader, connection: Transaction) -> Config:
    """The webhook URL is masked, its token only said to be there."""
    return Config.of(await destination_view(connection, caller.org_id))


@router.put("/config", summary="Change the Clay settings", responses=responses(*CALLER, 409, 413))
async def write_config(
    update: ConfigUpdate,
    caller: DetachedConfigurer,
    database: Database,
    box: Box,
    resolver: Resolver,
    settings: Settings,
) -> Config:
    """For an owner or admin, or a key with scope `config`. What is not named stays as it is."""
    await configure(database, box, Policy.of(settings), resolver, caller.org_id, caller.actor, update.change())
    async with database.transaction() as connection:
        return Config.of(await destination_view(connection, caller.org_id))


@router.delete("/config", summary="Remove the webhook", responses=responses(*CALLER))
async def remove_config(caller: Configurer, connection: Transaction) -> Removal:
    """Forgets URL and token. What is queued fails as `destination_removed`; what is under way is still recorded."""
    ended = await remove_destination(connection, caller.org_id, caller.actor)
    if ended is None:
        return Removal(removed=False, ended_count=0, message="There was no Clay webhook to remove.")
    return Removal(removed=True, ended_count=ended, message="The Clay webhook was removed.")


@router.post("/test", summary="Send a sample row to the stored webhook", responses=responses(*CALLER, 409, 429))
async def test_connection(
    caller: DetachedConfigurer, database: Database, host: Host, box: Box, client: Client, settings: Settings
) -> TestResult:
    """Costs one of the webhook's lifetime submissions. A good test opens a closed destination."""
    async with database.transaction() as connection:
        await require_available(
            connection,
            await host.tables(connection),
            caller.org_id,
            billing_enabled=settings.billing_enabled,
            upgrade_url=settings.upgrade_url,
        )
        destination = await read_destination(connection, box, caller.org_id)
    if destination is None or destination.webhook is None:
        raise ConflictError(NOT_CONFIGURED, code="clay_not_configured")
    finding = await try_webhook(database, client, Policy.of(settings), caller.org_id, caller.actor, destination.webhook)
    return TestResult.of(finding)
