"""What the worker's enrichment code shares: database, client, clock, and the running tasks."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from clay_push_service.clay.routines_client import RoutinesClient
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.settings.pace import reserve_request
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.settings import Settings

PATIENCE_SECONDS = 2.0
"""Longest wait for a slot of the pace. A later slot is not reserved; the wake-up is repeated later."""
LEASE_MARGIN_SECONDS = 15.0
"""Time for the transaction that records the response."""


@dataclass(slots=True)
class EnrichmentContext:
    database: Database
    host: HostTableCache
    client: RoutinesClient
    box: SecretBox
    settings: Settings
    clock: DatabaseClock
    chance: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def create(
        cls,
        database: Database,
        host: HostTableCache,
        client: ClayClient,
        box: SecretBox,
        settings: Settings,
        clock: DatabaseClock,
    ) -> Self:
        def now() -> datetime:
            return clock.now()

        return cls(database, host, RoutinesClient.create(client, settings, now), box, settings, clock)

    @property
    def lease(self) -> timedelta:
        """The longest time from a commit until the response of the following request is recorded."""
        return timedelta(seconds=self.settings.longest_post_seconds + LEASE_MARGIN_SECONDS)

    async def reserve(self, org_id: UUID) -> float | None:
        """Waits for a slot of the pace, without a connection. Returns None, or the seconds until a slot can be reserved."""
        async with self.database.transaction() as connection:
            slot = await reserve_request(connection, org_id, PATIENCE_SECONDS)
        seconds = slot.wait.total_seconds()
        if not slot.is_reserved:
            return max(seconds, 0.1)
        await self.sleep(seconds)
        return None
