"""Where Clay settings are read, changed and tested: in short transactions, none of them open while somebody waits on the network."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp.abc import AbstractResolver
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.database import Database, on_fresh_plan
from clay_push_service.database_clock import DatabaseClock
from clay_push_service.deliveries.clay_client import ClayClient
from clay_push_service.deliveries.try_webhook import Finding, try_webhook
from clay_push_service.destinations.config_change import KEEP, ConfigChange
from clay_push_service.destinations.configure import configure
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.new_table import LOCK, declare_new_table
from clay_push_service.destinations.pending_webhook import pending_url, read_pending, settle_pending
from clay_push_service.destinations.read import destination_view
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.stored import StoredDestination, read_destination
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.host.connected import Host
from clay_push_service.host.org_settings import clay_settings
from clay_push_service.push_jobs.accept import NOT_CONFIGURED, Asker
from clay_push_service.push_jobs.ask import Desk
from clay_push_service.push_jobs.destination_models import Config
from clay_push_service.push_jobs.remove_destination import remove_destination
from clay_push_service.push_jobs.take_over import table_name_of
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

    async def confirm(self, box: SecretBox, resolver: AbstractResolver, pending_id: UUID, *, new_table: bool) -> Config:
        """Take over the change found in NexusLeads' settings. Raises 404 when it does not wait, and what `configure` raises."""
        await self.read()
        async with self.database.transaction() as connection:
            try:
                url = await pending_url(connection, box, self.asker.org_id, pending_id)
            except LookupError:
                raise _no_such_change() from None
            if url is None:
                await self._settle(connection, pending_id, "config.pending_confirmed")
                await remove_destination(connection, self.asker.org_id, self.asker.actor)
            tables = await self.host.tables(connection)
            name = table_name_of(await clay_settings(connection, tables, self.asker.org_id))
        if url is not None:
            change = ConfigChange(webhook_url=url, table_name=KEEP if name is None else name, new_table=new_table)
            await configure(
                self.database, box, Policy.of(self.settings), resolver, self.asker.org_id, self.asker.actor, change,
                source="host", settles=pending_id,
            )  # fmt: skip
        return await self.read()

    async def reject(self, pending_id: UUID) -> Config:
        """Everything stays as it is, until NexusLeads' settings change again. Raises 404 when it does not wait."""
        async with self.database.transaction() as connection:
            await self._settle(connection, pending_id, "config.pending_rejected")
        return await self.read()

    async def declare_new_table(self, number: int) -> Config:
        """Raises 409 `config_changed` unless `number` is the present version."""
        await self.read()
        async with self.database.transaction() as connection:
            await declare_new_table(connection, self.asker.org_id, self.asker.actor, number)
        return await self.read()

    async def _settle(self, connection: AsyncConnection, pending_id: UUID, action: str) -> None:
        await connection.execute(LOCK, {"org_id": self.asker.org_id})
        if not await settle_pending(connection, self.asker.org_id, pending_id):
            raise _no_such_change()
        await audit(connection, self.asker.org_id, self.asker.actor, action)

    async def test(self, box: SecretBox, client: ClayClient, clock: DatabaseClock) -> Finding:
        """Raises 403 `enterprise_required`, 409 `clay_not_configured`, 429 `pace_busy`."""
        destination = await on_fresh_plan(lambda: self._tested(box))
        if destination is None or destination.webhook is None:
            raise ConflictError(NOT_CONFIGURED, code="clay_not_configured")
        policy = Policy.of(self.settings)
        return await try_webhook(
            self.database, client, policy, self.asker.org_id, self.asker.actor, destination.webhook, clock
        )  # fmt: skip

    async def _tested(self, box: SecretBox) -> StoredDestination | None:
        async with self.database.transaction() as connection:
            desk = await Desk.open(connection, await self.host.tables(connection), self.asker, self.settings)
            await desk.require_available()
            return await read_destination(connection, box, self.asker.org_id)


async def read_config(desk: Desk) -> Config:
    view = await destination_view(desk.connection, desk.asker.org_id)
    return Config.of(view, desk.taken_over.problem, await read_pending(desk.connection, desk.asker.org_id))


def _no_such_change() -> NotFoundError:
    return NotFoundError("No change of the webhook with this id waits.", code="pending_change_not_found")
