"""Creates, changes, tests and archives an organization's destinations by name, with the functions of its settings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from aiohttp.abc import AbstractResolver
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import queue
from clay_push_service.audit import Detail, audit
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import NOW, DatabaseClock
from clay_push_service.destination_settings.config_change import Unchanged
from clay_push_service.destination_settings.configure import CheckedChange, check_change, save_change
from clay_push_service.destination_settings.connection_test.result import Finding
from clay_push_service.destination_settings.named.forecast import read_forecasts
from clay_push_service.destination_settings.named.neighbours import lock_organization
from clay_push_service.destination_settings.named.schemas import (
    DestinationBody,
    DestinationList,
    DestinationUpdate,
    NamedDestination,
)
from clay_push_service.destination_settings.named.store import (
    archive_row,
    destination_archived,
    destination_not_found,
    insert_destination,
    lock_destination_row,
    make_default,
    update_destination,
)
from clay_push_service.destination_settings.named.used_by import uses_of
from clay_push_service.destination_settings.named.workspaces import apply_clay_limit, require_workspace
from clay_push_service.destination_settings.new_table import declare_new_table
from clay_push_service.destination_settings.pending_webhook import read_pending
from clay_push_service.destination_settings.remove import remove_destination
from clay_push_service.destination_settings.service import DestinationSettings
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.read import destination_view, destination_views
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.stored_destination import StoredDestination, read_destination
from clay_push_service.errors import ConflictError
from clay_push_service.mappings.assign import assign_mapping, lock_mapping


@dataclass(frozen=True, slots=True)
class NamedDestinations:
    """Each write first stores earlier changes of NexusLeads' settings page, because a change there may concern the default destination."""

    settings: DestinationSettings

    @property
    def org_id(self) -> UUID:
        return self.settings.actor.org_id

    async def list(self, *, archived: bool) -> DestinationList:
        async with self.settings.database.transaction() as connection:
            views = await destination_views(connection, self.org_id, archived=archived)
            quotas = await read_forecasts(connection, self.org_id, views, await NOW.one(connection))
        return DestinationList(destinations=[NamedDestination.of(view, quotas.get(view.id)) for view in views])

    async def read(self, destination_id: UUID) -> NamedDestination:
        """Raises 404 `destination_not_found`."""
        async with self.settings.database.transaction() as connection:
            return await _read(connection, self.org_id, destination_id)

    async def create(self, box: SecretBox, resolver: AbstractResolver, body: DestinationBody) -> NamedDestination:
        """All of it in one transaction after the check of the URL: a refusal stores nothing."""
        await self.settings.synchronise()
        policy = Policy.of(self.settings.settings)
        found = await check_change(body.webhook, None, policy, resolver)
        actor = self.settings.actor
        async with self.settings.database.transaction() as connection:
            await lock_organization(connection, self.org_id)
            if body.workspace_id is not None:
                await require_workspace(connection, self.org_id, body.workspace_id)
            if body.mapping_id is not None:
                await lock_mapping(connection, self.org_id, body.mapping_id)
            created = await insert_destination(connection, self.org_id, body.name, body.row)
            details: dict[str, Detail] = {
                "destination_id": str(created),
                "name": body.name,
                "dedupe": body.dedupe.value,
                "dedupe_column": body.dedupe_column,
                "workspace_id": None if body.workspace_id is None else str(body.workspace_id),
            }
            await audit(connection, self.org_id, actor.name, "destination.created", details)
            current = await read_destination(connection, box, self.org_id, created, lock=True)
            await save_change(connection, box, self.org_id, actor.name, body.webhook, found, current, current)
            if body.mapping_id is not None:
                await assign_mapping(connection, actor, created, body.mapping_id)
            return await _read(connection, self.org_id, created)

    async def change(
        self, box: Callable[[], SecretBox], resolver: AbstractResolver, destination_id: UUID, update: DestinationUpdate
    ) -> NamedDestination:
        """Raises 404 `destination_not_found` or `mapping_not_found`, 409 `destination_archived`, and what saving a webhook raises."""
        await self.settings.synchronise()
        webhook = update.webhook
        save: Callable[[AsyncConnection], Awaitable[None]] | None = None
        if webhook is not None:
            secret_box = box()
            seen = await self._seen(secret_box, destination_id)
            found = await check_change(webhook, seen.webhook, Policy.of(self.settings.settings), resolver)

            async def save_webhook(connection: AsyncConnection) -> None:
                await self._save(connection, secret_box, update, found, seen)

            save = save_webhook
        async with self.settings.database.transaction() as connection:
            await lock_organization(connection, self.org_id)
            if isinstance(update.mapping, UUID):
                await lock_mapping(connection, self.org_id, update.mapping)
            await self._change_row(connection, destination_id, update)
            if save is not None:
                await save(connection)
            if not isinstance(update.mapping, Unchanged):
                await assign_mapping(connection, self.settings.actor, destination_id, update.mapping)
            return await _read(connection, self.org_id, destination_id)

    async def _seen(self, box: SecretBox, destination_id: UUID) -> StoredDestination:
        async with self.settings.database.transaction() as connection:
            seen = await read_destination(connection, box, self.org_id, destination_id)
        if seen is None:
            raise destination_not_found()
        if seen.is_archived:
            raise destination_archived()
        return seen

    async def _save(
        self,
        connection: AsyncConnection,
        box: SecretBox,
        update: DestinationUpdate,
        found: CheckedChange,
        seen: StoredDestination,
    ) -> None:
        current = await read_destination(connection, box, self.org_id, seen.id, lock=True)
        assert update.webhook is not None  # noqa: S101 - the caller has checked it
        await save_change(connection, box, self.org_id, self.settings.actor.name, update.webhook, found, seen, current)

    async def _change_row(self, connection: AsyncConnection, destination_id: UUID, update: DestinationUpdate) -> None:
        stored = await lock_destination_row(connection, self.org_id, destination_id)
        row = update.row
        if not isinstance(row.workspace_id, Unchanged):
            await require_workspace(connection, self.org_id, row.workspace_id)
        changed: dict[str, Detail] = dict(await update_destination(connection, self.org_id, stored, row))
        if update.is_default and not stored.is_default:
            if await read_pending(connection, self.org_id) is not None:
                raise ConflictError(
                    "NexusLeads' settings hold a change of the default destination that is not decided. Confirm or reject it first.",
                    code="pending_change_exists",
                )
            await make_default(connection, self.org_id, destination_id)
            changed["is_default"] = True
        if not isinstance(row.workspace_id, Unchanged) and "workspace_id" in changed:
            await apply_clay_limit(connection, self.settings.actor, row.workspace_id)
            await queue.wake_live(connection, self.org_id)
        if changed:
            details = {"destination_id": str(destination_id), **changed}
            await audit(connection, self.org_id, self.settings.actor.name, "destination.changed", details)

    async def declare_new_table(self, destination_id: UUID, number: int) -> NamedDestination:
        """Raises 404 `destination_not_found`, 409 `config_changed` unless `number` is the current version."""
        await self.settings.synchronise()
        async with self.settings.database.transaction() as connection:
            await lock_destination_row(connection, self.org_id, destination_id)
            await declare_new_table(connection, self.org_id, self.settings.actor.name, number, destination_id)
            return await _read(connection, self.org_id, destination_id)

    async def test(self, box: SecretBox, client: ClayClient, clock: DatabaseClock, destination_id: UUID) -> Finding:
        """Raises 404 `destination_not_found`, 409 `destination_archived`, and what a test of the settings raises."""
        await self._seen(box, destination_id)
        return await self.settings.test(box, client, clock, destination_id)

    async def archive(self, destination_id: UUID) -> int | None:
        """Delete its webhook and end its queued deliveries; its history stays. None: it was archived already.

        Raises 404 `destination_not_found`, 409 `destination_in_use` with what uses it.
        """
        await self.settings.synchronise()
        async with self.settings.database.transaction() as connection:
            await lock_organization(connection, self.org_id)
            try:
                stored = await lock_destination_row(connection, self.org_id, destination_id)
            except ConflictError:
                return None
            uses = await uses_of(connection, self.org_id, destination_id)
            if uses:
                raise ConflictError(
                    f"“{stored.name}” is used by {', '.join(use.name for use in uses)}. Let that use another destination first.",
                    code="destination_in_use",
                    extra={"used_by": [use._asdict() for use in uses]},
                )
            actor = self.settings.actor.name
            ended = await remove_destination(connection, self.org_id, actor, destination_id)
            await archive_row(connection, self.org_id, destination_id)
            details: dict[str, Detail] = {"destination_id": str(destination_id), "ended": ended or 0}
            await audit(connection, self.org_id, actor, "destination.archived", details)
            return ended or 0


async def _read(connection: AsyncConnection, org_id: UUID, destination_id: UUID) -> NamedDestination:
    view = await destination_view(connection, org_id, destination_id)
    if view is None:
        raise destination_not_found()
    quotas = await read_forecasts(connection, org_id, [view], await NOW.one(connection))
    return NamedDestination.of(view, quotas.get(view.id))
