"""Stores one change of a locked destination, audited: a new version for a new URL or token, other fields in place."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import queue
from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.config_change import BULLET, ConfigChange, Unchanged, or_stored
from clay_push_service.destination_settings.named.neighbours import (
    has_public_neighbour,
    lock_organization,
    rate_refused,
    require_unused_webhook,
)
from clay_push_service.destination_settings.pending_webhook import settle_pending
from clay_push_service.destination_settings.webhook_form import Form, form_of
from clay_push_service.destinations.guard import CheckedUrl
from clay_push_service.destinations.pace import DEFAULT_RATE_LIMIT_MS, LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.quota import Meter, adopt, create_meter, find_meter, set_meter
from clay_push_service.destinations.secret_box import SecretBox, mask
from clay_push_service.destinations.slots import ensure_default_workspace, set_rate
from clay_push_service.destinations.state import NewVersion, insert_version, reopen_saved
from clay_push_service.destinations.stored_destination import StoredDestination
from clay_push_service.destinations.url_fingerprint import fingerprint
from clay_push_service.errors import ConflictError

CHANGED = "The Clay settings have changed since you read them: read them again."
DEFAULT_QUOTA_LIMIT = 50_000
"""Submissions in the lifetime of a Clay webhook (Clay's documentation)."""

ENSURE = Statement("""
INSERT INTO clay.destinations (org_id, workspace_id)
SELECT org_id, id FROM clay.workspaces WHERE org_id = :org_id AND is_default
ON CONFLICT (org_id) WHERE is_default DO NOTHING
""")
UPDATE_DESTINATION = Statement("""
UPDATE clay.destinations
SET version_id = :version_id, table_name = :table_name, table_epoch = :table_epoch,
    url_since_version = CASE WHEN CAST(:new_url AS boolean) THEN version.number ELSE url_since_version END,
    new_table_version = CASE WHEN CAST(:new_table AS boolean) THEN version.number ELSE new_table_version END,
    updated_at = now()
FROM clay.destination_versions AS version
WHERE destinations.org_id = :org_id AND destinations.id = :id AND version.org_id = :org_id AND version.id = :version_id
""")


async def ensure_destination(connection: AsyncConnection, org_id: UUID) -> None:
    """Create the organization's default destination with its workspace, if it has none."""
    await lock_organization(connection, org_id)
    await ensure_default_workspace(connection, org_id)
    await ENSURE.execute(connection, {"org_id": org_id})


@dataclass(frozen=True, slots=True)
class _NewValues:
    """The values to store."""

    url: str
    token: str | None
    table_name: str | None
    rate_limit_ms: int
    quota_used: int
    quota_limit: int | None


@dataclass(frozen=True, slots=True)
class SaveConfig:
    """One change of a locked destination, in the caller's transaction.

    `checked`: a URL that the guard allows. `unmasked`: the caller sent it in full; otherwise it is the stored one. `internal`:
    it leads into an allowed network.
    """

    connection: AsyncConnection
    box: SecretBox
    org_id: UUID
    actor: str
    source: str
    change: ConfigChange
    current: StoredDestination
    checked: CheckedUrl
    unmasked: bool
    internal: bool
    settles: UUID | None = None
    """The change found in the host's settings that this one confirms; None: an unmasked URL deletes any pending change."""

    async def run(self) -> None:
        current, old = self.current, self.current.webhook
        await self._settle()
        meter = await self._meter()
        new_values = self._new_values(meter, at_any_pace=await self._is_internal_workspace())
        changed = self._differences(new_values, meter)
        if "webhook_url" in changed:
            await require_unused_webhook(self.connection, self.org_id, current.id, new_values.url)
        if old is None or {"webhook_url", "webhook_token"} & changed.keys():
            version_id, changed["version"] = await self._new_version(new_values, meter)
        else:
            version_id = old.version_id
            if self._reopens_destination() and await reopen_saved(self.connection, self.org_id, version_id):
                changed["reopened"] = True
        if not changed:
            return
        if meter is not None and {"quota_used", "quota_limit"} & changed.keys():
            used, limit = or_stored(self.change.quota_used, None), or_stored(self.change.quota_limit, None)
            sets_limit = not isinstance(self.change.quota_limit, Unchanged)
            await set_meter(self.connection, self.org_id, meter.id, used=used, limit=limit, sets_limit=sets_limit)
        values = {
            "org_id": self.org_id,
            "id": current.id,
            "version_id": version_id,
            "table_name": new_values.table_name,
            "table_epoch": current.clay_table.epoch + self.change.new_table,
            "new_url": "webhook_url" in changed,
            "new_table": self.change.new_table,
        }
        await UPDATE_DESTINATION.execute(self.connection, values)
        if "rate_limit_ms" in changed:
            await set_rate(self.connection, current.workspace, new_values.rate_limit_ms)
        await queue.wake_live(self.connection, self.org_id)
        if not current.is_only:
            changed["destination_id"] = str(current.id)
        await audit(self.connection, self.org_id, self.actor, "config.changed", changed)

    async def _is_internal_workspace(self) -> bool:
        """Whether the workspace may send faster than Clay allows. Raises 422 if the caller requests it and it may not."""
        current, rate = self.current, self.change.rate_limit_ms
        is_free = self.internal and not await has_public_neighbour(
            self.connection, self.org_id, current.workspace.id, current.id
        )
        if self.internal and not is_free and not isinstance(rate, Unchanged) and rate < LEAST_RATE_LIMIT_MS:
            raise rate_refused()
        return is_free

    async def _settle(self) -> None:
        """Delete the pending change. Raises 409 `config_changed` if the one to be confirmed has been replaced by another."""
        if not self.unmasked or not self.current.is_default:
            return
        settled = await settle_pending(self.connection, self.org_id, self.settles)
        if self.settles is not None and not settled:
            raise ConflictError(CHANGED, code="config_changed")
        if settled:
            action = "config.pending_settled" if self.settles is None else "config.pending_confirmed"
            await audit(self.connection, self.org_id, self.actor, action)

    async def _meter(self) -> Meter | None:
        """The URL's meter, shared by all its versions; None if the organization never had this URL."""
        old, url = self.current.webhook, str(self.checked.url)
        if old is not None and old.url == url:
            await adopt(self.connection, self.org_id, old.meter.id, url)
        return await find_meter(self.connection, self.org_id, url)

    def _new_values(self, meter: Meter | None, *, at_any_pace: bool) -> "_NewValues":
        change, old = self.change, self.current.webhook
        new_meter = meter or (old.meter if old else None)
        url = str(self.checked.url)
        rate_limit_ms = or_stored(change.rate_limit_ms, self.current.rate_limit_ms)
        # A low rate is stored if the old URL was internal, or an earlier release saved it.
        if not at_any_pace:
            rate_limit_ms = max(rate_limit_ms, LEAST_RATE_LIMIT_MS) if rate_limit_ms else DEFAULT_RATE_LIMIT_MS
        return _NewValues(
            url=url,
            token=self._token(),
            table_name=or_stored(change.table_name, self.current.table_name),
            rate_limit_ms=rate_limit_ms,
            quota_used=or_stored(change.quota_used, meter.used if meter else 0),
            quota_limit=or_stored(change.quota_limit, new_meter.limit if new_meter else DEFAULT_QUOTA_LIMIT),
        )

    def _differences(self, new_values: "_NewValues", meter: Meter | None) -> dict[str, Detail]:
        """Returns the changes for the audit log. They show that URL or token changed, without the values."""
        current, old = self.current, self.current.webhook
        found: dict[str, Detail] = {}
        if old is None or old.url != new_values.url:
            found["webhook_url"] = "changed" if old else "set"
        if (old.token if old else None) != new_values.token:
            found["webhook_token"] = "removed" if new_values.token is None else "set"
        if current.table_name != new_values.table_name:
            found["table_name"] = new_values.table_name
        if current.rate_limit_ms != new_values.rate_limit_ms:
            found["rate_limit_ms"] = new_values.rate_limit_ms
        # Only a count that the caller set: `verify` checks the meter from this entry on.
        if not isinstance(self.change.quota_used, Unchanged) and (meter.used if meter else 0) != new_values.quota_used:
            found["quota_used"] = new_values.quota_used
        if (old.meter.limit if old else DEFAULT_QUOTA_LIMIT) != new_values.quota_limit:
            found["quota_limit"] = new_values.quota_limit
        if self.change.new_table:
            found["table_epoch"] = current.clay_table.epoch + 1
        return found

    def _token(self) -> str | None:
        """Returns the token to store. An omitted or masked token is kept only while the webhook stays at the same host: another host must not receive it."""
        new_token, old = self.change.webhook_token, self.current.webhook
        if not isinstance(new_token, Unchanged) and (new_token is None or BULLET not in new_token):
            return new_token
        if old is None or old.token is None or old.url is None:
            return None
        before = httpx.URL(old.url)
        now = self.checked.url
        return old.token if (before.scheme, before.host, before.port) == (now.scheme, now.host, now.port) else None

    def _reopens_destination(self) -> bool:
        token = self.change.webhook_token
        return self.unmasked or (isinstance(token, str) and BULLET not in token)

    async def _new_version(self, new_values: "_NewValues", meter: Meter | None) -> tuple[UUID, int]:
        version_id = uuid4()
        if meter is None:
            used, limit = new_values.quota_used, new_values.quota_limit
            meter_id = await create_meter(self.connection, self.org_id, new_values.url, used, limit)
        else:
            meter_id = meter.id
        token = None if new_values.token is None else self.box.seal(new_values.token, self.org_id, version_id)
        version = NewVersion(
            id=version_id,
            org_id=self.org_id,
            destination_id=self.current.id,
            sealed_url=self.box.seal(new_values.url, self.org_id, version_id),
            sealed_token=token,
            url_mask=mask(new_values.url),
            url_fingerprint=fingerprint(self.org_id, new_values.url),
            meter_id=meter_id,
            source=self.source,
            created_by=self.actor,
            has_unusual_form=form_of(self.checked) is not Form.WEBHOOK,
            is_internal=self.internal,
        )
        return version_id, await insert_version(self.connection, version)
