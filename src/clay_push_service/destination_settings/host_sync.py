"""Synchronises the Clay settings of NexusLeads' own settings page into this service: before writes and in the sweep.

`host_change` decides what a change does. A read never writes: it only reports the decision.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, queue
from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.config_change import UNCHANGED, ConfigChange, Unchanged
from clay_push_service.destination_settings.host_change import (
    SALT_BYTES,
    SOURCE,
    Decision,
    Stored,
    WebhookStep,
    decide,
    fingerprint,
)
from clay_push_service.destination_settings.host_problem import problem_of
from clay_push_service.destination_settings.host_values import is_internal_address, rate_of
from clay_push_service.destination_settings.pending_webhook import put_pending, settle_pending
from clay_push_service.destination_settings.save_config import SaveConfig, ensure_destination
from clay_push_service.destinations.guard import CheckedUrl
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.destinations.slots import WorkspaceKey, set_rate
from clay_push_service.destinations.stored_destination import read_destination
from clay_push_service.host.org_settings import ClaySettings, clay_settings
from clay_push_service.host.tables import HostTables, SettingsAccess
from clay_push_service.settings import Settings

ACTOR: Final = "host:org_settings"


class DestinationRow(NamedTuple):
    """The stored settings of an organization that has a destination."""

    org_id: UUID
    host_fingerprint: bytes | None
    table_name: str | None
    workspace_id: UUID
    rate_limit_ms: int
    version_id: UUID | None
    source: str | None
    sealed_url: bytes | None
    had_webhook: bool
    pending_id: UUID | None
    pending_mask: str | None

    def stored(self, settings: Settings) -> Stored:
        return Stored(
            exists=True,
            fingerprint=self.host_fingerprint,
            source=self.source,
            unseal_url=partial(self.unseal_url, settings),
            had_webhook=self.had_webhook,
            table_name=self.table_name,
            workspace_id=self.workspace_id,
            rate_limit_ms=self.rate_limit_ms,
            has_pending=self.pending_id is not None,
            pending_mask=self.pending_mask,
        )

    def unseal_url(self, settings: Settings) -> str | None:
        if self.sealed_url is None or self.version_id is None:
            return None
        try:
            return SecretBox(settings.encryption_keys).open(self.sealed_url, self.org_id, self.version_id)
        except SecretError:
            return None


class SettingsState(NamedTuple):
    """The settings of one organization: those of NexusLeads' page and those of this service."""

    org_id: UUID
    host: ClaySettings
    stored: Stored


READ = Statement(
    """
SELECT destination.org_id, destination.host_fingerprint, destination.table_name, destination.workspace_id,
       workspace.rate_limit_ms,
       version.id AS version_id, version.source, version.sealed_url,
       EXISTS (SELECT 1 FROM clay.destination_versions
               WHERE org_id = destination.org_id AND destination_id = destination.id) AS had_webhook,
       pending.id AS pending_id, pending.url_mask AS pending_mask
FROM clay.destinations AS destination
JOIN clay.workspaces AS workspace ON workspace.org_id = destination.org_id AND workspace.id = destination.workspace_id
LEFT JOIN clay.destination_versions AS version
       ON version.org_id = destination.org_id AND version.id = destination.version_id
LEFT JOIN clay.pending_webhooks AS pending ON pending.org_id = destination.org_id
WHERE destination.org_id = ANY(CAST(:org_ids AS uuid[])) AND destination.is_default
""",
    DestinationRow,
)
# All of them, in the order that pushes and erasures use: a push locks them after this in the same transaction.
LOCK = Statement("SELECT 1 FROM clay.destinations WHERE org_id = :org_id ORDER BY id FOR UPDATE")
UPDATE_TABLE_NAME = Statement("""
UPDATE clay.destinations SET table_name = :table_name, updated_at = now() WHERE org_id = :org_id AND is_default
""")
STORE_FINGERPRINT = Statement(
    "UPDATE clay.destinations SET host_fingerprint = :fingerprint WHERE org_id = :org_id AND is_default"
)

log = logs.get(__name__)


async def sync_host_settings(connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings) -> bool:
    """Stores changes of the page, in the caller's transaction. Costs two reads if nothing has changed. Returns whether it stored a change."""
    decision = await read_decision(connection, tables, org_id, settings)
    if decision is not None and decision.lacks_keys:
        log.warning("host_settings.no_encryption_keys", org_id=str(org_id), remedy="set CLAY_PUSH_ENCRYPTION_KEYS")
    if decision is None or not decision.stores:
        return False
    await ensure_destination(connection, org_id)
    await LOCK.execute(connection, {"org_id": org_id})
    decision = await read_decision(connection, tables, org_id, settings)  # again, under the lock
    if decision is None or not decision.stores:  # another transaction has stored the change
        return False
    await _Change(connection, org_id, settings, decision).store()
    return True


async def read_host_problem(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings
) -> str | None:
    """Returns which values of the page are not in use, or not yet; None: all of them are in use. Writes nothing."""
    decision = await read_decision(connection, tables, org_id, settings)
    return None if decision is None else problem_of(decision, settings)


async def read_decision(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings
) -> Decision | None:
    """Returns what a synchronisation of this organization would change now; None: the role cannot read the page's values."""
    states = await read_states(connection, tables, [org_id], settings)
    return decide(states[0].host, states[0].stored, settings) if states else None


async def read_states(
    connection: AsyncConnection, tables: HostTables, org_ids: Sequence[UUID], settings: Settings
) -> Sequence[SettingsState]:
    """Reads the settings of the page and of this service for each organization, with two statements. Returns an empty list as `read_decision` returns None."""
    if tables.settings is SettingsAccess.NONE:
        return []
    host = await clay_settings(connection, tables, org_ids)
    stored = {row.org_id: row.stored(settings) for row in await READ.rows(connection, {"org_ids": org_ids})}
    return [SettingsState(org_id, host[org_id], stored.get(org_id, Stored())) for org_id in org_ids]


@dataclass(frozen=True, slots=True)
class _Change:
    """Stores one decision. The caller's transaction holds the destination's row."""

    connection: AsyncConnection
    org_id: UUID
    settings: Settings
    decision: Decision

    async def store(self) -> None:
        decision = self.decision
        match decision.webhook:
            case WebhookStep.SAVE if decision.checked is not None:
                await self._withdraw_pending()
                await self._save(decision.checked)
            case WebhookStep.PROPOSE if decision.checked is not None:
                await self._put_pending(str(decision.checked.url))
                await self._save_name_and_rate()
            case WebhookStep.PROPOSE_REMOVAL:
                await self._put_pending(None)
                await self._save_name_and_rate()
            case WebhookStep.WITHDRAW:
                await self._withdraw_pending()
                await self._save_name_and_rate()
            case _:
                await self._save_name_and_rate()
        if decision.refusal is not None and decision.is_new_refusal:
            reason = decision.refusal.reason
            await audit(self.connection, self.org_id, ACTOR, "config.refused", {"reason": reason})
            log.warning("host_settings.refused", org_id=str(self.org_id), reason=reason)
        self._log_raised_rate()
        salt = secrets.token_bytes(SALT_BYTES)
        value = fingerprint(decision.host, salt, refused=decision.refusal is not None)
        await STORE_FINGERPRINT.execute(self.connection, {"org_id": self.org_id, "fingerprint": value})

    async def _put_pending(self, url: str | None) -> None:
        box = None if url is None else SecretBox(self.settings.encryption_keys)
        pending_id = await put_pending(self.connection, box, self.org_id, url)
        details: dict[str, Detail] = {"webhook_url": "changed" if url else "removed", "pending_id": str(pending_id)}
        await audit(self.connection, self.org_id, ACTOR, "config.pending_found", details)
        log.warning("host_settings.change_pending", org_id=str(self.org_id), pending_id=str(pending_id))

    async def _withdraw_pending(self) -> None:
        """Deletes the pending change, because the page no longer contains it."""
        if await settle_pending(self.connection, self.org_id):
            await audit(self.connection, self.org_id, ACTOR, "config.pending_withdrawn")

    async def _save(self, checked: CheckedUrl) -> None:
        """Saves the first URL, or the current one again, with table name and pace."""
        decision, box = self.decision, SecretBox(self.settings.encryption_keys)
        current = await read_destination(self.connection, box, self.org_id, lock=True)
        assert current is not None  # noqa: S101 - the caller ensured and locked it
        change = ConfigChange(
            webhook_url=decision.host.webhook_url or UNCHANGED,
            table_name=decision.table_name,
            rate_limit_ms=decision.rate_limit_ms,
        )
        save = SaveConfig(
            self.connection, box, self.org_id, ACTOR, SOURCE, change, current, checked,
            unmasked=not decision.is_present, internal=is_internal_address(checked, self.settings),
        )  # fmt: skip
        await save.run()

    async def _save_name_and_rate(self) -> None:
        """Save the table name and the pace without the webhook URL."""
        decision = self.decision
        if not decision.changes_values:
            return
        changed: dict[str, Detail] = {}
        if not isinstance(decision.table_name, Unchanged):
            changed["table_name"] = decision.table_name
            values = {"table_name": decision.table_name, "org_id": self.org_id}
            await UPDATE_TABLE_NAME.execute(self.connection, values)
        if not isinstance(decision.rate_limit_ms, Unchanged):
            changed["rate_limit_ms"] = decision.rate_limit_ms
            assert decision.stored.workspace_id is not None  # noqa: S101 - the caller ensured and locked the destination
            workspace = WorkspaceKey(self.org_id, decision.stored.workspace_id)
            await set_rate(self.connection, workspace, decision.rate_limit_ms)
        await queue.wake_live(self.connection, self.org_id)
        await audit(self.connection, self.org_id, ACTOR, "config.changed", changed)

    def _log_raised_rate(self) -> None:
        used = self.decision.rate_limit_ms
        written = None if self.decision.host.rate_limit_ms is None else rate_of(self.decision.host.rate_limit_ms)
        if not isinstance(used, Unchanged) and written is not None and written < used:
            log.warning("host_settings.rate_raised", org_id=str(self.org_id), written_ms=written, used_ms=used)
