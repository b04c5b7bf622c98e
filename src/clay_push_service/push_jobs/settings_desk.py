"""Where Clay settings are read, changed and tested: in short transactions, none of them open while somebody waits on the network."""

from dataclasses import dataclass

from aiohttp.abc import AbstractResolver

from clay_push_service.database import Database, on_fresh_plan
from clay_push_service.deliveries.clay_client import ClayClient
from clay_push_service.deliveries.try_webhook import Finding, try_webhook
from clay_push_service.destinations.config_change import ConfigChange
from clay_push_service.destinations.configure import configure
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.read import destination_view
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.stored import StoredDestination, read_destination
from clay_push_service.errors import ConflictError
from clay_push_service.host.connected import Host
from clay_push_service.push_jobs.accept import NOT_CONFIGURED, Asker
from clay_push_service.push_jobs.ask import Desk
from clay_push_service.push_jobs.destination_models import Config
from clay_push_service.push_jobs.remove_destination import remove_destination
from clay_push_service.settings import Settings


@dataclass(frozen=True, slots=True)
class SettingsDesk:
    """Every one of its acts begins with what NexusLeads' own settings page may have changed."""

    database: Database
    host: Host
    asker: Asker
    settings: Settings

    async def read(self) -> Config:
        return await on_fresh_plan(self._read)

    async def _read(self) -> Config:
        async with self.database.transaction() as connection:
            desk = await Desk.open(connection, await self.host.tables(connection), self.asker, self.settings)
            return await read_config(desk)

    async def write(self, box: SecretBox, resolver: AbstractResolver, change: ConfigChange) -> Config:
        """Raises what `configure` raises. What NexusLeads' page said until now is older than this."""
        await self.read()
        policy = Policy.of(self.settings)
        await configure(self.database, box, policy, resolver, self.asker.org_id, self.asker.actor, change)
        return await self.read()

    async def remove(self) -> int | None:
        """Returns the number of deliveries that were ended; None when there was no webhook to remove."""
        await self.read()
        async with self.database.transaction() as connection:
            return await remove_destination(connection, self.asker.org_id, self.asker.actor)

    async def test(self, box: SecretBox, client: ClayClient) -> Finding:
        """Raises 403 `enterprise_required`, 409 `clay_not_configured`, 429 `pace_busy`."""
        destination = await on_fresh_plan(lambda: self._tested(box))
        if destination is None or destination.webhook is None:
            raise ConflictError(NOT_CONFIGURED, code="clay_not_configured")
        policy = Policy.of(self.settings)
        return await try_webhook(
            self.database, client, policy, self.asker.org_id, self.asker.actor, destination.webhook
        )  # fmt: skip

    async def _tested(self, box: SecretBox) -> StoredDestination | None:
        async with self.database.transaction() as connection:
            desk = await Desk.open(connection, await self.host.tables(connection), self.asker, self.settings)
            await desk.require_available()
            return await read_destination(connection, box, self.asker.org_id)


async def read_config(desk: Desk) -> Config:
    return Config.of(await destination_view(desk.connection, desk.asker.org_id), desk.taken_over.problem)
