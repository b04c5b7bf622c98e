"""Reads, changes and tests an organization's Clay settings, in short transactions; none is open during a network call."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp.abc import AbstractResolver
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.destination_settings.config_change import UNCHANGED, ConfigChange
from clay_push_service.destination_settings.configure import configure
from clay_push_service.destination_settings.connection_test.result import Finding
from clay_push_service.destination_settings.connection_test.send_row import try_webhook
from clay_push_service.destination_settings.host_sync import read_host_problem, sync_host_settings
from clay_push_service.destination_settings.host_values import table_name_of
from clay_push_service.destination_settings.new_table import LOCK, declare_new_table
from clay_push_service.destination_settings.pending_webhook import pending_url, read_pending, settle_pending
from clay_push_service.destination_settings.remove import remove_destination
from clay_push_service.destination_settings.schemas import Config
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.read import NOT_CONFIGURED, destination_view
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.stored_destination import StoredDestination, read_destination
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.gate import require_available
from clay_push_service.host.org_settings import clay_settings
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.settings import Settings


@dataclass(frozen=True, slots=True)
class DestinationSettings:
    """A read writes nothing. Each write first stores earlier changes of NexusLeads' own settings page, because the write is newer."""

    database: Database
    host: HostTableCache
    actor: Actor
    settings: Settings

    async def read(self) -> Config:
        return await self.host.on_fresh_tables(self._read)

    async def _read(self) -> Config:
        async with self.database.transaction() as connection:
            tables = await self.host.tables(connection)
            host_problem = await read_host_problem(connection, tables, self.actor.org_id, self.settings)
            view = await destination_view(connection, self.actor.org_id)
            return Config.of(view, host_problem, await read_pending(connection, self.actor.org_id))

    async def write(self, box: SecretBox, resolver: AbstractResolver, change: ConfigChange) -> Config:
        """Raises what `configure` raises."""
        await self.synchronise()
        policy = Policy.of(self.settings)
        await configure(self.database, box, policy, resolver, self.actor.org_id, self.actor.name, change)
        await (
            self.synchronise()
        )  # the page is read for the first time if the destination is new: later changes are newer
        return await self.read()

    async def remove(self) -> int | None:
        """Returns the number of deliveries that were ended; None when there was no webhook to remove."""
        await self.synchronise()
        async with self.database.transaction() as connection:
            return await remove_destination(connection, self.actor.org_id, self.actor.name)

    async def confirm(self, box: SecretBox, resolver: AbstractResolver, pending_id: UUID, *, new_table: bool) -> Config:
        """Save the pending change of NexusLeads' settings. Raises 404 when it is not pending, and what `configure` raises."""
        await self.synchronise()
        async with self.database.transaction() as connection:
            try:
                url = await pending_url(connection, box, self.actor.org_id, pending_id)
            except LookupError:
                raise _no_such_change() from None
            if url is None:
                await self._settle(connection, pending_id, "config.pending_confirmed")
                await remove_destination(connection, self.actor.org_id, self.actor.name)
            tables = await self.host.tables(connection)
            host = await clay_settings(connection, tables, [self.actor.org_id])
        if url is not None:
            name = table_name_of(host[self.actor.org_id])
            change = ConfigChange(webhook_url=url, table_name=UNCHANGED if name is None else name, new_table=new_table)
            await configure(
                self.database, box, Policy.of(self.settings), resolver, self.actor.org_id, self.actor.name, change,
                source="host", settles=pending_id,
            )  # fmt: skip
        return await self.read()

    async def reject(self, pending_id: UUID) -> Config:
        """Keeps the current webhook until NexusLeads' settings change again. Raises 404 when the change is not pending."""
        await self.synchronise()
        async with self.database.transaction() as connection:
            await self._settle(connection, pending_id, "config.pending_rejected")
        return await self.read()

    async def declare_new_table(self, number: int) -> Config:
        """Raises 409 `config_changed` unless `number` is the current version."""
        await self.synchronise()
        async with self.database.transaction() as connection:
            await declare_new_table(connection, self.actor.org_id, self.actor.name, number)
        return await self.read()

    async def synchronise(self) -> None:
        """Stores earlier changes of NexusLeads' settings page, in a transaction of its own. It commits even if the write is refused afterwards."""

        async def store_changes() -> None:
            async with self.database.transaction() as connection:
                tables = await self.host.tables(connection)
                await sync_host_settings(connection, tables, self.actor.org_id, self.settings)

        await self.host.on_fresh_tables(store_changes)

    async def _settle(self, connection: AsyncConnection, pending_id: UUID, action: str) -> None:
        await LOCK.execute(connection, {"org_id": self.actor.org_id, "destination_id": None})
        if not await settle_pending(connection, self.actor.org_id, pending_id):
            raise _no_such_change()
        await audit(connection, self.actor.org_id, self.actor.name, action)

    async def test(
        self, box: SecretBox, client: ClayClient, clock: DatabaseClock, destination_id: UUID | None = None
    ) -> Finding:
        """Test the default destination, or this one. Raises 403 `enterprise_required`, 409 `clay_not_configured`, 429 `pace_busy`."""
        await self.synchronise()
        destination = await self.host.on_fresh_tables(lambda: self._tested(box, destination_id))
        if destination is None or destination.webhook is None:
            raise ConflictError(NOT_CONFIGURED, code="clay_not_configured")
        policy = Policy.of(self.settings)
        return await try_webhook(
            self.database, client, policy, self.actor.org_id, self.actor.name, destination.webhook, clock
        )  # fmt: skip

    async def _tested(self, box: SecretBox, destination_id: UUID | None) -> StoredDestination | None:
        async with self.database.transaction() as connection:
            await require_available(
                connection,
                await self.host.tables(connection),
                self.actor.org_id,
                billing_enabled=self.settings.billing_enabled,
                upgrade_url=self.settings.upgrade_url,
            )
            return await read_destination(connection, box, self.actor.org_id, destination_id)


def _no_such_change() -> NotFoundError:
    return NotFoundError("No pending change of the webhook has this id.", code="pending_change_not_found")
