"""Stores one change of a locked destination: another version for another URL or token, the rest in place, all of it audited."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import queue
from clay_push_service.audit import Detail, audit
from clay_push_service.destinations.config_change import BULLET, ConfigChange, Keep, or_stored
from clay_push_service.destinations.guard import CheckedUrl
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.secret_box import SecretBox, mask
from clay_push_service.destinations.slots import set_rate
from clay_push_service.destinations.stored import StoredDestination
from clay_push_service.destinations.url_fingerprint import fingerprint, is_of

DEFAULT_RATE_LIMIT_MS = 200
DEFAULT_FUEL_LIMIT = 50_000
"""Submissions in the lifetime of a Clay webhook (Clay's documentation)."""

ENSURE = text("INSERT INTO clay.destinations (org_id) VALUES (:org_id) ON CONFLICT (org_id) DO NOTHING")
INSERT_VERSION = text("""
INSERT INTO clay.destination_versions
    (id, org_id, destination_id, number, sealed_url, sealed_token, url_mask, url_fingerprint, fuel_used, fuel_limit,
     source, created_by)
SELECT :id, :org_id, :destination_id, coalesce(max(number), 0) + 1, :sealed_url, :sealed_token, :url_mask,
       :url_fingerprint, :fuel_used, :fuel_limit, :source, :created_by
FROM clay.destination_versions WHERE destination_id = :destination_id
RETURNING number
""")
UPDATE_DESTINATION = text("""
UPDATE clay.destinations
SET version_id = :version_id, table_name = :table_name, table_epoch = :table_epoch, updated_at = now()
WHERE org_id = :org_id
""")
# Only what was named: the worker counts on meanwhile, and what was read before would take its counts back.
UPDATE_FUEL = text("""
UPDATE clay.destination_versions
SET fuel_used = coalesce(CAST(:fuel_used AS integer), fuel_used),
    fuel_limit = CASE WHEN :sets_limit THEN CAST(:fuel_limit AS integer) ELSE fuel_limit END
WHERE org_id = :org_id AND id = :version_id
""")
METERS = text("""
SELECT url_fingerprint, fuel_used FROM clay.destination_versions
WHERE org_id = :org_id AND destination_id = :destination_id AND url_fingerprint IS NOT NULL
""")
REOPEN = text("""
UPDATE clay.destination_versions
SET state = 'open', state_reason = NULL, refusals = 0, outages = 0, probe_at = NULL, state_since = now()
WHERE org_id = :org_id AND id = :version_id AND state <> 'open' AND sealed_url IS NOT NULL
RETURNING id
""")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is stored in the end."""

    url: str
    token: str | None
    table_name: str | None
    rate_limit_ms: int
    fuel_used: int
    fuel_limit: int | None


@dataclass(frozen=True, slots=True)
class SaveConfig:
    """One change of a locked destination, in the caller's transaction.

    `checked`: a URL that the guard has passed, `written_out` by the caller or the stored one; `internal`: it leads into an
    allowed network.
    """

    connection: AsyncConnection
    box: SecretBox
    org_id: UUID
    actor: str
    source: str
    change: ConfigChange
    current: StoredDestination
    checked: CheckedUrl
    written_out: bool
    internal: bool

    async def run(self) -> None:
        current, old = self.current, self.current.webhook
        wanted = self._wanted(await self._meter())
        changed = self._differences(wanted)
        if old is None or {"webhook_url", "webhook_token"} & changed.keys():
            version_id, changed["version"] = await self._new_version(wanted)
        else:
            version_id = old.version_id
            which = {"org_id": self.org_id, "version_id": version_id}
            if {"fuel_used", "fuel_limit"} & changed.keys():
                fuel = {
                    "fuel_used": or_stored(self.change.fuel_used, None),
                    "fuel_limit": or_stored(self.change.fuel_limit, None),
                    "sets_limit": not isinstance(self.change.fuel_limit, Keep),
                }
                await self.connection.execute(UPDATE_FUEL, which | fuel)
            if self._asks_to_open() and (await self.connection.execute(REOPEN, which)).one_or_none() is not None:
                changed["reopened"] = True
        if not changed:
            return
        values = {
            "org_id": self.org_id,
            "version_id": version_id,
            "table_name": wanted.table_name,
            "table_epoch": current.table_epoch + self.change.new_table,
        }
        await self.connection.execute(UPDATE_DESTINATION, values)
        if "rate_limit_ms" in changed:
            await set_rate(self.connection, self.org_id, wanted.rate_limit_ms)
        await queue.wake_live(self.connection, self.org_id)
        await audit(self.connection, self.org_id, self.actor, "config.changed", changed)

    async def _meter(self) -> int:
        """What is used of the webhook. Another URL is another webhook, and full; one that comes back has gone on counting."""
        old, url = self.current.webhook, str(self.checked.url)
        if old is not None and old.url == url:
            return old.fuel_used
        values = {"org_id": self.org_id, "destination_id": self.current.id}
        rows = await self.connection.execute(METERS, values)
        return max((row.fuel_used for row in rows if is_of(url, row.url_fingerprint)), default=0)

    def _wanted(self, fuel_used: int) -> "_Wanted":
        change, old = self.change, self.current.webhook
        url = str(self.checked.url)
        rate_limit_ms = or_stored(change.rate_limit_ms, self.current.rate_limit_ms)
        if (
            not self.internal
        ):  # the old URL was internal and the new one is not, or a release before this check saved it
            rate_limit_ms = max(rate_limit_ms, LEAST_RATE_LIMIT_MS) if rate_limit_ms else DEFAULT_RATE_LIMIT_MS
        return _Wanted(
            url=url,
            token=self._token(),
            table_name=or_stored(change.table_name, self.current.table_name),
            rate_limit_ms=rate_limit_ms,
            fuel_used=or_stored(change.fuel_used, fuel_used),
            fuel_limit=or_stored(change.fuel_limit, old.fuel_limit if old else DEFAULT_FUEL_LIMIT),
        )

    def _differences(self, wanted: "_Wanted") -> dict[str, Detail]:
        """For the audit log, which learns that URL and token changed, and not from what to what."""
        current, old = self.current, self.current.webhook
        found: dict[str, Detail] = {}
        if old is None or old.url != wanted.url:
            found["webhook_url"] = "changed" if old else "set"
        if (old.token if old else None) != wanted.token:
            found["webhook_token"] = "removed" if wanted.token is None else "set"
        if current.table_name != wanted.table_name:
            found["table_name"] = wanted.table_name
        if current.rate_limit_ms != wanted.rate_limit_ms:
            found["rate_limit_ms"] = wanted.rate_limit_ms
        # Only what somebody set: `verify` checks the meter from there on.
        if not isinstance(self.change.fuel_used, Keep) and (old.fuel_used if old else 0) != wanted.fuel_used:
            found["fuel_used"] = wanted.fuel_used
        if (old.fuel_limit if old else DEFAULT_FUEL_LIMIT) != wanted.fuel_limit:
            found["fuel_limit"] = wanted.fuel_limit
        if self.change.new_table:
            found["table_epoch"] = current.table_epoch + 1
        return found

    def _token(self) -> str | None:
        """Not mentioned or masked: it stays, while the webhook stays at its host. Another host must not be shown it."""
        given, old = self.change.webhook_token, self.current.webhook
        if not isinstance(given, Keep) and (given is None or BULLET not in given):
            return given
        if old is None or old.token is None or old.url is None:
            return None
        before = httpx.URL(old.url)
        now = self.checked.url
        return old.token if (before.scheme, before.host, before.port) == (now.scheme, now.host, now.port) else None

    def _asks_to_open(self) -> bool:
        token = self.change.webhook_token
        return self.written_out or (isinstance(token, str) and BULLET not in token)

    async def _new_version(self, wanted: "_Wanted") -> tuple[UUID, int]:
        version_id = uuid4()
        values = {
            "id": version_id,
            "org_id": self.org_id,
            "destination_id": self.current.id,
            "sealed_url": self.box.seal(wanted.url, self.org_id, version_id),
            "sealed_token": None if wanted.token is None else self.box.seal(wanted.token, self.org_id, version_id),
            "url_mask": mask(wanted.url),
            "url_fingerprint": fingerprint(wanted.url),
            "fuel_used": wanted.fuel_used,
            "fuel_limit": wanted.fuel_limit,
            "source": self.source,
            "created_by": self.actor,
        }
        number: int = (await self.connection.execute(INSERT_VERSION, values)).scalar_one()
        return version_id, number
