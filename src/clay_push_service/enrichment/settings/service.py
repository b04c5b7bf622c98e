"""Reads, changes and tests an organization's enrichment settings, in short transactions; none is open during a network call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.callers.actor import Actor
from clay_push_service.database.database import Database
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.enrichment.settings.credentials import environment_key
from clay_push_service.enrichment.settings.host_key import KeyDecision, KeyStep
from clay_push_service.enrichment.settings.host_sync import lacks_keys, read_key_states, sync_api_key
from clay_push_service.enrichment.settings.pending_key import PendingKey, pending_key, read_pending, settle_pending
from clay_push_service.enrichment.settings.save import SaveSettings
from clay_push_service.enrichment.settings.schemas import EnrichmentUpdate
from clay_push_service.enrichment.settings.table import KeySource, lock_settings, read_routines, read_settings
from clay_push_service.enrichment.settings.views import EnrichmentConfig
from clay_push_service.errors import UNFINISHED, NotFoundError, UnavailableError
from clay_push_service.gate import require_available
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import HostTables
from clay_push_service.settings import Settings

NOT_APPLIED: Final = (
    "The Clay API key in NexusLeads' settings has changed. This service applies the change within a minute."
)
NO_KEYS: Final = f"The Clay API key in NexusLeads' settings cannot be used yet. {UNFINISHED}"
SEVERAL_ORGANIZATIONS: Final = (
    "CLAY_API_KEY of the installation is not used, because the installation has several organizations and data from Clay must"
    " not be resold. Save the API key of your own Clay workspace."
)


@dataclass(frozen=True, slots=True)
class EnrichmentSettings:
    """A read writes nothing. Each write first stores an earlier change of NexusLeads' own settings page."""

    database: Database
    host: HostTableCache
    actor: Actor
    settings: Settings
    box: SecretBox | None

    async def read(self) -> EnrichmentConfig:
        return await self.host.on_fresh_tables(self._read)

    async def write(self, update: EnrichmentUpdate) -> EnrichmentConfig:
        """Raises 403 `enterprise_required`, 409 `config_changed`, 422 for what is not valid."""
        await self._require_available()
        await self.synchronise()
        async with self.database.transaction() as connection:
            await SaveSettings(connection, self.box, self.actor.org_id, self.actor.name).update(update)
            # For new settings, the page is read for the first time here: its later changes are newer.
            await sync_api_key(connection, await self.host.tables(connection), self.actor.org_id, self.box)
        return await self.read()

    async def remove(self) -> bool:
        """Returns whether there was a key to remove. Not gated: a key can be removed on any plan."""
        await self.synchronise()
        async with self.database.transaction() as connection:
            return await SaveSettings(connection, self.box, self.actor.org_id, self.actor.name).remove_key()

    async def confirm(self, box: SecretBox, pending_id: UUID) -> EnrichmentConfig:
        """Use the pending key of NexusLeads' settings. Raises 404 when it is not pending."""
        await self._require_available()
        await self.synchronise()
        async with self.database.transaction() as connection:
            await lock_settings(connection, self.actor.org_id)
            try:
                key = await pending_key(connection, box, self.actor.org_id, pending_id)
            except LookupError:
                raise _no_such_change() from None
            except SecretError:
                raise UnavailableError(
                    f"The pending key cannot be decrypted. {UNFINISHED}", code="encryption_keys_missing"
                ) from None
            await SaveSettings(connection, box, self.actor.org_id, self.actor.name).use_pending(key, pending_id)
        return await self.read()

    async def reject(self, pending_id: UUID) -> EnrichmentConfig:
        """Keeps the current key until NexusLeads' settings change again. Raises 404 when the change is not pending."""
        await self.synchronise()
        async with self.database.transaction() as connection:
            await lock_settings(connection, self.actor.org_id)
            if not await settle_pending(connection, self.actor.org_id, pending_id):
                raise _no_such_change()
            await audit(connection, self.actor.org_id, self.actor.name, "enrichment.pending_rejected")
        return await self.read()

    async def synchronise(self) -> None:
        """Stores earlier changes of NexusLeads' page in a transaction of its own, which commits even if the write is refused afterwards."""

        async def synchronise() -> None:
            async with self.database.transaction() as connection:
                await sync_api_key(connection, await self.host.tables(connection), self.actor.org_id, self.box)

        await self.host.on_fresh_tables(synchronise)

    async def _read(self) -> EnrichmentConfig:
        async with self.database.transaction() as connection:
            tables = await self.host.tables(connection)
            return await read_config(connection, tables, self.actor.org_id, self.settings, self.box)

    async def _require_available(self) -> None:
        async def require() -> None:
            async with self.database.transaction() as connection:
                await require_plan(connection, await self.host.tables(connection), self.actor.org_id, self.settings)

        await self.host.on_fresh_tables(require)


async def read_config(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings, box: SecretBox | None
) -> EnrichmentConfig:
    """The settings as the API and the console show them."""
    row = (await read_settings(connection, [org_id])).get(org_id)
    pending = await read_pending(connection, org_id)
    states = await read_key_states(connection, tables, [org_id], box)
    source = None if row is None or row.key_source is None else KeySource(row.key_source)
    problems = _problems([state.decision for state in states], pending, box)
    if source is None and settings.clay_api_key is not None:
        has_key = await environment_key(connection, tables, settings) is not None
        source = KeySource.ENVIRONMENT if has_key else None
        problems += [] if has_key else [SEVERAL_ORGANIZATIONS]
    routines = await read_routines(connection, org_id)
    return EnrichmentConfig.of(row, routines, pending, source, " ".join(problems) or None)


def _problems(decisions: Sequence[KeyDecision], pending: PendingKey | None, box: SecretBox | None) -> list[str]:
    """Returns which values of NexusLeads' page are not in use, or not yet."""
    found = []
    for decision in decisions:
        if lacks_keys(decision, box):
            found.append(NO_KEYS)
        elif decision.step is not KeyStep.KEEP:
            found.append(NOT_APPLIED)
        elif pending is not None:
            found.append(_pending_message(pending))
        if decision.malformed is not None:
            found.append(f"The Clay API key in NexusLeads' settings is not used: it {decision.malformed}")
    return found


async def require_plan(connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings) -> None:
    """Raises 403 `enterprise_required`."""
    await require_available(
        connection, tables, org_id, billing_enabled=settings.billing_enabled, upgrade_url=settings.upgrade_url
    )


def _pending_message(pending: PendingKey) -> str:
    what = (
        "The Clay API key was removed in NexusLeads' settings"
        if pending.key_mask is None
        else f"NexusLeads' settings hold another Clay API key ({pending.key_mask})"
    )
    return f"{what}. The change waits until an owner or admin confirms it here."


def _no_such_change() -> NotFoundError:
    return NotFoundError("No pending change of the API key has this id.", code="pending_change_not_found")
