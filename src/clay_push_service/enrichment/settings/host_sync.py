"""Synchronises the API key of NexusLeads' settings page into this service: before writes and in the sweep, never in a read.

`host_key` decides what a change does.
"""

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.enrichment.settings.host_key import (
    SALT_BYTES,
    KeyDecision,
    KeyStep,
    StoredKey,
    decide,
    fingerprint,
)
from clay_push_service.enrichment.settings.pending_key import put_pending, settle_pending
from clay_push_service.enrichment.settings.table import (
    KeySource,
    SettingsRow,
    increase_version,
    lock_settings,
    read_settings,
    set_key,
    store_fingerprint,
)
from clay_push_service.host.org_settings import clay_api_keys
from clay_push_service.host.tables import HostTables, SettingsAccess
from clay_push_service.setting_checks.api_key_form import mask_key

ACTOR: Final = "host:org_settings"

log = logs.get(__name__)


class KeyStateOfOrganization(NamedTuple):
    """The API key of one organization: that of NexusLeads' page and that of this service."""

    org_id: UUID
    key: str | None
    """The page's value, unchanged."""
    stored: StoredKey

    def __repr__(self) -> str:
        return f"KeyStateOfOrganization(org_id={self.org_id})"

    @property
    def decision(self) -> KeyDecision:
        return decide(self.key, self.stored)


PENDING = Statement("SELECT org_id FROM clay.pending_api_keys WHERE org_id = ANY(CAST(:org_ids AS uuid[]))", UUID)


async def read_key_states(
    connection: AsyncConnection, tables: HostTables, org_ids: Sequence[UUID], box: SecretBox | None
) -> Sequence[KeyStateOfOrganization]:
    """Returns an empty list if the role cannot read the page's values."""
    if not tables.has("org_settings") or tables.settings is SettingsAccess.NONE:
        return []
    keys = await clay_api_keys(connection, tables, org_ids)
    rows = await read_settings(connection, org_ids)
    pending = set(await PENDING.rows(connection, {"org_ids": org_ids}))
    return [
        KeyStateOfOrganization(org_id, keys.get(org_id), _stored(rows.get(org_id), box, org_id in pending))
        for org_id in org_ids
    ]


def _stored(row: SettingsRow | None, box: SecretBox | None, has_pending: bool) -> StoredKey:
    if row is None:
        return StoredKey()
    return StoredKey(
        exists=True,
        fingerprint=row.host_fingerprint,
        source=None if row.key_source is None else KeySource(row.key_source),
        had_key=row.key_number > 0,
        has_pending=has_pending,
        open_key=partial(_open, row, box),
    )


def _open(row: SettingsRow, box: SecretBox | None) -> str | None:
    if row.sealed_api_key is None or box is None:
        return None
    try:
        return box.open(row.sealed_api_key, row.org_id, row.id)
    except SecretError:
        return None


def lacks_keys(decision: KeyDecision, box: SecretBox | None) -> bool:
    """Whether the decision needs an encryption key that this process does not have."""
    return box is None and decision.step in {KeyStep.SAVE, KeyStep.PROPOSE}


async def sync_api_key(connection: AsyncConnection, tables: HostTables, org_id: UUID, box: SecretBox | None) -> bool:
    """Stores a change of the page, in the caller's transaction. Returns whether it stored a change."""
    if not await _needs_storing(connection, tables, org_id, box):
        return False
    row = await lock_settings(connection, org_id)
    found = await _needs_storing(connection, tables, org_id, box)  # again, under the lock
    if found is None:  # another transaction has stored the change
        return False
    await _store(connection, row, found, box)
    value = fingerprint(found.key, secrets.token_bytes(SALT_BYTES))
    await store_fingerprint(connection, org_id, value)
    return True


async def _needs_storing(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, box: SecretBox | None
) -> KeyStateOfOrganization | None:
    states = await read_key_states(connection, tables, [org_id], box)
    if not states:
        return None
    if lacks_keys(states[0].decision, box):
        log.warning("enrichment_key.no_encryption_keys", org_id=str(org_id), remedy="set CLAY_PUSH_ENCRYPTION_KEYS")
        return None
    return states[0] if states[0].decision.stores else None


async def _store(
    connection: AsyncConnection, row: SettingsRow, state: KeyStateOfOrganization, box: SecretBox | None
) -> None:
    org_id, decision = row.org_id, state.decision
    match decision.step:
        case KeyStep.SAVE if state.key is not None and box is not None:
            sealed = box.seal(state.key, org_id, row.id)
            await set_key(connection, org_id, sealed, mask_key(state.key), KeySource.HOST)
            version = await increase_version(connection, org_id, ACTOR)
            await audit(connection, org_id, ACTOR, "enrichment.changed", {"api_key": "set", "version": version})
        case KeyStep.PROPOSE:
            await _propose(connection, box, org_id, state.key)
        case KeyStep.PROPOSE_REMOVAL:
            await _propose(connection, None, org_id, None)
        case KeyStep.WITHDRAW:
            if await settle_pending(connection, org_id):
                await audit(connection, org_id, ACTOR, "enrichment.pending_withdrawn")
        case _:
            pass
    if decision.malformed is not None:
        await audit(connection, org_id, ACTOR, "enrichment.key_refused", {"reason": "malformed"})
        log.warning("enrichment_key.refused", org_id=str(org_id), reason="malformed")


async def _propose(connection: AsyncConnection, box: SecretBox | None, org_id: UUID, key: str | None) -> None:
    pending_id = await put_pending(connection, box, org_id, key)
    details: dict[str, Detail] = {"api_key": "changed" if key else "removed", "pending_id": str(pending_id)}
    await audit(connection, org_id, ACTOR, "enrichment.pending_found", details)
    log.warning("enrichment_key.change_pending", org_id=str(org_id), pending_id=str(pending_id))
