"""Synchronises the Clay settings of NexusLeads' own settings page into this service; refuses what the guard refuses.

Runs before a destination is read. An old value of the page never undoes a change made here. The organization's first values
are used at once. Later any member can change them on the page, but here only an owner or admin decides where leads go: so
another URL, or its removal, is stored as pending until one of these confirms it, with the table name of that URL. Pace and
table name of the present webhook are used at once: they send no lead elsewhere and lose none.
"""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, queue
from clay_push_service.audit import Detail, audit
from clay_push_service.destination_settings.config_change import KEEP, ConfigChange, Keep
from clay_push_service.destination_settings.host_fingerprint import Seen, compare, fingerprint
from clay_push_service.destination_settings.host_values import (
    NO_KEYS,
    is_internal_address,
    pending_message,
    problem_of,
    rate_of,
    refusal_of,
    table_name_of,
)
from clay_push_service.destination_settings.pending_webhook import put_pending, settle_pending
from clay_push_service.destination_settings.save_config import DEFAULT_RATE_LIMIT_MS, SaveConfig, ensure_destination
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy, check_url
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.secret_box import SecretBox, mask
from clay_push_service.destinations.slots import WorkspaceKey, set_rate
from clay_push_service.destinations.unsealed import StoredDestination, read_destination
from clay_push_service.host.org_settings import ClaySettings, clay_settings
from clay_push_service.host.tables import HostTables, SettingsAccess
from clay_push_service.settings import Settings

ACTOR: Final = "host:org_settings"
SOURCE: Final = "host"
OUR_SOURCE: Final = "api"

READ = text("""
SELECT destination.host_fingerprint, destination.version_id, version.source,
       EXISTS (SELECT 1 FROM clay.destination_versions
               WHERE org_id = destination.org_id AND destination_id = destination.id) AS had_webhook,
       pending.id AS pending_id, pending.url_mask AS pending_mask
FROM clay.destinations AS destination
LEFT JOIN clay.destination_versions AS version
       ON version.org_id = destination.org_id AND version.id = destination.version_id
LEFT JOIN clay.pending_webhooks AS pending ON pending.org_id = destination.org_id
WHERE destination.org_id = :org_id AND destination.is_default
""")
LOCK = text(f"{READ.text} FOR UPDATE OF destination")
READ_NAME_AND_RATE = text("""
SELECT destination.table_name, destination.workspace_id, workspace.rate_limit_ms
FROM clay.destinations AS destination
JOIN clay.workspaces AS workspace ON workspace.org_id = destination.org_id AND workspace.id = destination.workspace_id
WHERE destination.org_id = :org_id AND destination.is_default
""")
UPDATE_TABLE_NAME = text("""
UPDATE clay.destinations SET table_name = :table_name, updated_at = now() WHERE org_id = :org_id AND is_default
""")
STORE_FINGERPRINT = text(
    "UPDATE clay.destinations SET host_fingerprint = :fingerprint WHERE org_id = :org_id AND is_default"
)

log = logs.get(__name__)


async def sync_host_settings(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings
) -> str | None:
    """Store changes of the page, in the caller's transaction. Two reads where nothing has changed.

    Returns what the page holds that is not in use, in one sentence; None: all of it is in use.
    """
    if not tables.has("org_settings") or tables.settings is SettingsAccess.NONE:
        return None
    host = await clay_settings(connection, tables, org_id)
    kept = (await connection.execute(READ, {"org_id": org_id})).one_or_none()
    if kept is None and host == ClaySettings(None, None, None):
        return None
    waits = None if kept is None or kept.pending_id is None else pending_message(kept.pending_mask)
    known = kept is not None and kept.host_fingerprint is not None
    seen = compare(host, kept.host_fingerprint) if kept is not None and known else _compare_with_nothing(host)
    refusal = refusal_of(host, settings)
    if known and seen.all and (refusal is not None or not seen.refused):
        return waits or problem_of(host, refusal if seen.refused else None, settings)
    if host.webhook_url is not None and refusal is None and not seen.webhook_url and not settings.encryption_keys:
        log.warning("host_settings.no_encryption_keys", org_id=str(org_id), remedy="set CLAY_PUSH_ENCRYPTION_KEYS")
        return NO_KEYS  # no fingerprint is stored: with a key, a later call uses the URL
    change = _Change(connection, org_id, settings, host, refusal)
    return await change.run()


@dataclass(frozen=True, slots=True)
class _Change:
    """One organization whose values on the page have changed, or were refused and are allowed now."""

    connection: AsyncConnection
    org_id: UUID
    settings: Settings
    host: ClaySettings
    refusal: BlockedError | None

    async def run(self) -> str | None:
        await ensure_destination(self.connection, self.org_id)
        await self.connection.execute(LOCK, {"org_id": self.org_id})
        row = (await self.connection.execute(READ, {"org_id": self.org_id})).one()  # read again under the lock
        kept: bytes | None = row.host_fingerprint
        seen = compare(self.host, kept) if kept is not None else _compare_with_nothing(self.host)
        # Saved here before the page was first read: this is the newer change.
        if kept is None and row.version_id is not None:
            await self._store_fingerprint(refused=False)
            return problem_of(self.host, None, self.settings)
        if kept is not None and seen.all and not seen.refused:  # another transaction has stored the change
            return problem_of(self.host, None, self.settings)
        # A URL that was refused and is allowed now is used only if no webhook was saved here meanwhile.
        is_new = not seen.webhook_url or (seen.refused and row.source != OUR_SOURCE)
        waits = None
        if self.host.webhook_url is not None and self.refusal is None and is_new:
            waits = await self._use_url(
                check_url(self.host.webhook_url, Policy.of(self.settings)), seen, row.had_webhook
            )
        elif not seen.webhook_url:
            # The page's webhook was removed there, or is refused. A webhook that was saved here stays.
            if self.host.webhook_url is None and row.source == SOURCE:
                waits = await self._put_pending(None)
            else:
                await self._withdraw_pending()
            await self._save_name_and_rate(seen)
        else:
            waits = None if row.pending_id is None else pending_message(row.pending_mask)
            await self._save_name_and_rate(replace(seen, table_name=seen.table_name or row.pending_mask is not None))
        if self.refusal is not None and not seen.webhook_url:
            await audit(self.connection, self.org_id, ACTOR, "config.refused", {"reason": self.refusal.reason})
            log.warning("host_settings.refused", org_id=str(self.org_id), reason=self.refusal.reason)
        await self._store_fingerprint(refused=self.refusal is not None)
        return waits or problem_of(self.host, self.refusal, self.settings)

    async def _use_url(self, checked: CheckedUrl, seen: Seen, had_webhook: bool) -> str | None:
        """Save the first URL, or the present one again. Another URL becomes pending: returns the message about it."""
        box = SecretBox(self.settings.encryption_keys)
        current = await read_destination(self.connection, box, self.org_id, lock=True)
        assert current is not None  # noqa: S101 - ensured and locked above
        is_present = current.webhook is not None and current.webhook.url == str(checked.url)
        if had_webhook and not is_present:
            waits = await self._put_pending(str(checked.url))
            await self._save_name_and_rate(replace(seen, table_name=True))
            return waits
        await self._withdraw_pending()
        await self._save(box, current, checked, seen, unmasked=not is_present)
        return None

    async def _put_pending(self, url: str | None) -> str:
        box = None if url is None else SecretBox(self.settings.encryption_keys)
        pending_id = await put_pending(self.connection, box, self.org_id, url)
        details: dict[str, Detail] = {"webhook_url": "changed" if url else "removed", "pending_id": str(pending_id)}
        await audit(self.connection, self.org_id, ACTOR, "config.pending_found", details)
        log.warning("host_settings.change_pending", org_id=str(self.org_id), pending_id=str(pending_id))
        return pending_message(None if url is None else mask(url))

    async def _withdraw_pending(self) -> None:
        """Delete the pending change: the page does not hold it any more."""
        if await settle_pending(self.connection, self.org_id):
            await audit(self.connection, self.org_id, ACTOR, "config.pending_withdrawn")

    async def _save(
        self, box: SecretBox, current: StoredDestination, checked: CheckedUrl, seen: Seen, *, unmasked: bool
    ) -> None:
        change = ConfigChange(
            webhook_url=self.host.webhook_url or KEEP,
            table_name=KEEP if seen.table_name else table_name_of(self.host),
            rate_limit_ms=KEEP if seen.rate_limit_ms else self._rate_limit_ms(checked),
        )
        save = SaveConfig(
            self.connection, box, self.org_id, ACTOR, SOURCE, change, current, checked,
            unmasked=unmasked, internal=is_internal_address(checked, self.settings),
        )  # fmt: skip
        await save.run()

    async def _save_name_and_rate(self, seen: Seen) -> None:
        """Save the table name and the delay without the webhook URL."""
        if seen.table_name and seen.rate_limit_ms:
            return
        row = (
            await self.connection.execute(
                READ_NAME_AND_RATE,
                {"org_id": self.org_id},
            )
        ).one()
        rate = self._rate_limit_ms(None)
        wanted: dict[str, Detail] = {
            "table_name": row.table_name if seen.table_name else table_name_of(self.host),
            "rate_limit_ms": row.rate_limit_ms if seen.rate_limit_ms or isinstance(rate, Keep) else rate,
        }
        changed = {key: value for key, value in wanted.items() if value != getattr(row, key)}
        if not changed:
            return
        await self.connection.execute(UPDATE_TABLE_NAME, {"table_name": wanted["table_name"], "org_id": self.org_id})
        if "rate_limit_ms" in changed:
            await set_rate(
                self.connection, WorkspaceKey(self.org_id, row.workspace_id), int(str(wanted["rate_limit_ms"]))
            )
        await queue.wake_live(self.connection, self.org_id)
        await audit(self.connection, self.org_id, ACTOR, "config.changed", changed)

    async def _store_fingerprint(self, *, refused: bool) -> None:
        values = {"org_id": self.org_id, "fingerprint": fingerprint(self.host, refused=refused)}
        await self.connection.execute(STORE_FINGERPRINT, values)

    def _rate_limit_ms(self, checked: CheckedUrl | None) -> int | Keep:
        if self.host.rate_limit_ms is None:
            return DEFAULT_RATE_LIMIT_MS
        rate = rate_of(self.host.rate_limit_ms)
        if rate is None or (checked is not None and is_internal_address(checked, self.settings)):
            return KEEP if rate is None else rate
        if rate < LEAST_RATE_LIMIT_MS:
            log.warning(
                "host_settings.rate_raised", org_id=str(self.org_id), written_ms=rate, used_ms=LEAST_RATE_LIMIT_MS
            )
        return max(rate, LEAST_RATE_LIMIT_MS)


def _compare_with_nothing(host: ClaySettings) -> Seen:
    """Compare with settings that held no value: a value that is absent has not changed."""
    return Seen(host.webhook_url is None, host.table_name is None, host.rate_limit_ms is None)
