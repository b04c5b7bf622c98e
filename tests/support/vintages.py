"""The application with a miniature NexusLeads of each vintage and a local webhook receiver."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx

from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.host.columns import Vintage
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.sending.drainer import Drainer
from clay_push_service.settings import Settings
from tests.support.app import AppClient, running_app
from tests.support.receiver import Receiver, receiving
from tests.support.world import World


@dataclass(frozen=True, slots=True)
class Connected:
    """What is called, and where its leads go."""

    app: AppClient
    clay: Receiver

    async def drain(self) -> None:
        """Drain every live push job, as a worker does."""
        async with self.drainer() as (world, drainer):
            await world.drain_all(drainer)

    @asynccontextmanager
    async def drainer(self) -> AsyncIterator[tuple[World, Drainer]]:
        """A drainer for the application's push jobs, and the world that runs its wake-ups."""
        settings: Settings = self.app.app.state.settings
        box = SecretBox(settings.encryption_keys)
        world = World(settings, self.app.database, HostTableCache(), box, self.app.org_id, UUID(int=0), [])
        async with world.drainer() as drainer:
            yield world, drainer


@asynccontextmanager
async def connected_app(
    database_url: str, vintage: Vintage | None = None, clay: Receiver | None = None, **settings: object
) -> AsyncIterator[Connected]:
    """No webhook is stored yet; that of `clay` may be."""
    async with receiving(clay) as receiver:
        said: dict[str, object] = {
            "allowed_webhook_hosts": f"127.0.0.1:{httpx.URL(receiver.url).port},clay.com,*.clay.com",
            "allowed_webhook_networks": "127.0.0.0/8",
            "allow_plain_http": True,
        }
        async with running_app(database_url, vintage=vintage, clock=None, **(said | settings)) as app:
            yield Connected(app, receiver)
