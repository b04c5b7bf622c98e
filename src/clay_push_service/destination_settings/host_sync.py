"""Takes over what NexusLeads' own settings page says about Clay, when it is new; never sends to what the guard refuses.

Called wherever a destination is about to be read. What was changed here is not undone by an old value there. An
organization's first values are taken when we first see them. Later any member can change them there, and here only an
owner or admin may say where leads go: so another URL, or its removal, waits for one of these, with the table name of that
URL. The pace and the name of the present table are taken over at once: they send no lead elsewhere, and lose none.
"""

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, queue
from clay_push_service.audit import Detail, audit
from clay_push_service.destination_settings.config_change import KEEP, ConfigChange, Keep
from clay_push_service.destination_settings.host_fingerprint import Seen, compare, fingerprint
from clay_push_service.destination_settings.pending_webhook import put_pending, settle_pending
from clay_push_service.destination_settings.save_config import DEFAULT_RATE_LIMIT_MS, ENSURE, SaveConfig
from clay_push_service.destination_settings.webhook_form import check_new_url
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy, check_url
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.secret_box import SecretBox, mask
from clay_push_service.destinations.slots import set_rate
from clay_push_service.destinations.unsealed import StoredDestination, read_destination
from clay_push_service.errors import UNFINISHED
from clay_push_service.host.org_settings import ClaySettings, clay_settings
from clay_push_service.host.tables import HostTables, SettingsAccess
from clay_push_service.settings import Settings

ACTOR: Final = "host:org_settings"
SOURCE: Final = "host"
OUR_SOURCE: Final = "api"
MAX_RATE_LIMIT_MS: Final = 60_000
MAX_TABLE_NAME: Final = 200
BAD_RATE: Final = (
    "The delay between leads in NexusLeads' settings is not used: it is no whole number from 1 to 60,000 ms."
)
SMALL_RATE: Final = (
    "The delay between leads in NexusLeads' settings is shorter than Clay's limit allows (10 requests/s per workspace), so it"
    f" was raised to {LEAST_RATE_LIMIT_MS} ms."
)
NO_KEYS: Final = f"The webhook URL in NexusLeads' settings cannot be used yet. {UNFINISHED}"

LOOK = text("""
SELECT destination.host_fingerprint, destination.version_id, version.source,
       EXISTS (SELECT 1 FROM clay.destination_versions WHERE org_id = destination.org_id) AS had_webhook,
       pending.id AS pending_id, pending.url_mask AS pending_mask
FROM clay.destinations AS destination
LEFT JOIN clay.destination_versions AS version
       ON version.org_id = destination.org_id AND version.id = destination.version_id
LEFT JOIN clay.pending_webhooks AS pending ON pending.org_id = destination.org_id
WHERE destination.org_id = :org_id
""")
LOCK = text(f"{LOOK.text} FOR UPDATE OF destination")
SAVE_BESIDES = text("""
UPDATE clay.destinations SET table_name = :table_name, updated_at = now() WHERE org_id = :org_id
""")
REMEMBER = text("UPDATE clay.destinations SET host_fingerprint = :fingerprint WHERE org_id = :org_id")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """`problem`: what NexusLeads' settings page says that cannot be used, in one sentence; None when all is well."""

    problem: str | None = None


NOTHING: Final = TakenOver()


async def take_over(connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings) -> TakenOver:
    """In the caller's transaction. Two reads where nothing has changed."""
    if not tables.has("org_settings") or tables.settings is SettingsAccess.NONE:
        return NOTHING
    host = await clay_settings(connection, tables, org_id)
    kept = (await connection.execute(LOOK, {"org_id": org_id})).one_or_none()
    if kept is None and host == ClaySettings(None, None, None):
        return NOTHING
    waits = None if kept is None or kept.pending_id is None else _waiting(kept.pending_mask)
    known = kept is not None and kept.host_fingerprint is not None
    seen = compare(host, kept.host_fingerprint) if kept is not None and known else _first_sight(host)
    refusal = _refusal(host, settings)
    if known and seen.all and (refusal is not None or not seen.refused):
        return TakenOver(waits or _problem(host, refusal if seen.refused else None, settings))
    if host.webhook_url is not None and refusal is None and not seen.webhook_url and not settings.encryption_keys:
        log.warning("host_settings.no_encryption_keys", org_id=str(org_id), remedy="set CLAY_PUSH_ENCRYPTION_KEYS")
        return TakenOver(NO_KEYS)  # not remembered: once there is a key, it is taken over
    change = _Change(connection, org_id, settings, host, refusal)
    return await change.run()


@dataclass(frozen=True, slots=True)
class _Change:
    """One organization whose values there are not (all) what they were, or were refused and would not be now."""

    connection: AsyncConnection
    org_id: UUID
    settings: Settings
    host: ClaySettings
    refusal: BlockedError | None

    async def run(self) -> TakenOver:
        await self.connection.execute(ENSURE, {"org_id": self.org_id})
        await self.connection.execute(LOCK, {"org_id": self.org_id})
        row = (await self.connection.execute(LOOK, {"org_id": self.org_id})).one()  # as it is once the lock is held
        kept: bytes | None = row.host_fingerprint
        seen = compare(self.host, kept) if kept is not None else _first_sight(self.host)
        if kept is None and row.version_id is not None:  # set here before we ever looked there: this is the newer act
            await self._remember(refused=False)
            return TakenOver(_problem(self.host, None, self.settings))
        if kept is not None and seen.all and not seen.refused:  # somebody else was faster
            return TakenOver(_problem(self.host, None, self.settings))
        # What was refused and would not be now is taken only where nothing was set here meanwhile.
        is_new = not seen.webhook_url or (seen.refused and row.source != OUR_SOURCE)
        waits = None
        if self.host.webhook_url is not None and self.refusal is None and is_new:
            waits = await self._take_url(
                check_url(self.host.webhook_url, Policy.of(self.settings)), seen, row.had_webhook
            )
        elif not seen.webhook_url:
            # What was taken over from there was removed there, or is one that is not used. What was set here stays.
            if self.host.webhook_url is None and row.source == SOURCE:
                waits = await self._wait(None)
            else:
                await self._withdraw()
            await self._save_besides(seen)
        else:
            waits = None if row.pending_id is None else _waiting(row.pending_mask)
            await self._save_besides(replace(seen, table_name=seen.table_name or row.pending_mask is not None))
        if self.refusal is not None and not seen.webhook_url:
            await audit(self.connection, self.org_id, ACTOR, "config.refused", {"reason": self.refusal.reason})
            log.warning("host_settings.refused", org_id=str(self.org_id), reason=self.refusal.reason)
        await self._remember(refused=self.refusal is not None)
        return TakenOver(waits or _problem(self.host, self.refusal, self.settings))

    async def _take_url(self, checked: CheckedUrl, seen: Seen, had_webhook: bool) -> str | None:
        """At first set-up, or the present URL again. Another one waits: returns the sentence that says so."""
        box = SecretBox(self.settings.encryption_keys)
        current = await read_destination(self.connection, box, self.org_id, lock=True)
        assert current is not None  # noqa: S101 - ensured and locked above
        is_present = current.webhook is not None and current.webhook.url == str(checked.url)
        if had_webhook and not is_present:
            waits = await self._wait(str(checked.url))
            await self._save_besides(replace(seen, table_name=True))
            return waits
        await self._withdraw()
        await self._save(box, current, checked, seen, written_out=not is_present)
        return None

    async def _wait(self, url: str | None) -> str:
        box = None if url is None else SecretBox(self.settings.encryption_keys)
        pending_id = await put_pending(self.connection, box, self.org_id, url)
        details: dict[str, Detail] = {"webhook_url": "changed" if url else "removed", "pending_id": str(pending_id)}
        await audit(self.connection, self.org_id, ACTOR, "config.pending_found", details)
        log.warning("host_settings.change_waits", org_id=str(self.org_id), pending_id=str(pending_id))
        return _waiting(None if url is None else mask(url))

    async def _withdraw(self) -> None:
        """What waited does not stand there any more."""
        if await settle_pending(self.connection, self.org_id):
            await audit(self.connection, self.org_id, ACTOR, "config.pending_withdrawn")

    async def _save(
        self, box: SecretBox, current: StoredDestination, checked: CheckedUrl, seen: Seen, *, written_out: bool
    ) -> None:
        change = ConfigChange(
            webhook_url=self.host.webhook_url or KEEP,
            table_name=KEEP if seen.table_name else table_name_of(self.host),
            rate_limit_ms=KEEP if seen.rate_limit_ms else self._rate(checked),
        )
        save = SaveConfig(
            self.connection, box, self.org_id, ACTOR, SOURCE, change, current, checked,
            written_out=written_out, internal=_is_internal(checked, self.settings),
        )  # fmt: skip
        await save.run()

    async def _save_besides(self, seen: Seen) -> None:
        """Table name and pace, where the URL is not ours to change."""
        if seen.table_name and seen.rate_limit_ms:
            return
        row = (
            await self.connection.execute(
                text("SELECT table_name, rate_limit_ms FROM clay.destinations WHERE org_id = :org_id"),
                {"org_id": self.org_id},
            )
        ).one()
        rate = self._rate(None)
        wanted: dict[str, Detail] = {
            "table_name": row.table_name if seen.table_name else table_name_of(self.host),
            "rate_limit_ms": row.rate_limit_ms if seen.rate_limit_ms or isinstance(rate, Keep) else rate,
        }
        changed = {key: value for key, value in wanted.items() if value != getattr(row, key)}
        if not changed:
            return
        await self.connection.execute(SAVE_BESIDES, {"table_name": wanted["table_name"], "org_id": self.org_id})
        if "rate_limit_ms" in changed:
            await set_rate(self.connection, self.org_id, int(str(wanted["rate_limit_ms"])))
        await queue.wake_live(self.connection, self.org_id)
        await audit(self.connection, self.org_id, ACTOR, "config.changed", changed)

    async def _remember(self, *, refused: bool) -> None:
        values = {"org_id": self.org_id, "fingerprint": fingerprint(self.host, refused=refused)}
        await self.connection.execute(REMEMBER, values)

    def _rate(self, checked: CheckedUrl | None) -> int | Keep:
        if self.host.rate_limit_ms is None:
            return DEFAULT_RATE_LIMIT_MS
        rate = _number(self.host.rate_limit_ms)
        if rate is None or (checked is not None and _is_internal(checked, self.settings)):
            return KEEP if rate is None else rate
        if rate < LEAST_RATE_LIMIT_MS:
            log.warning(
                "host_settings.rate_raised", org_id=str(self.org_id), written_ms=rate, used_ms=LEAST_RATE_LIMIT_MS
            )
        return max(rate, LEAST_RATE_LIMIT_MS)


def _is_internal(checked: CheckedUrl, settings: Settings) -> bool:
    """Without a look-up, which must not hold a transaction: only where the host is written as an address."""
    try:
        address = ip_address(checked.host)
    except ValueError:
        return False
    return any(address in network for network in settings.networks)


def _first_sight(host: ClaySettings) -> Seen:
    """What is not there has not changed."""
    return Seen(host.webhook_url is None, host.table_name is None, host.rate_limit_ms is None)


def _waiting(url_mask: str | None) -> str:
    what = (
        "The webhook was removed in NexusLeads' settings"
        if url_mask is None
        else f"NexusLeads' settings name another webhook ({url_mask})"
    )
    return f"{what}. The change waits until an owner or admin confirms it here."


def table_name_of(host: ClaySettings) -> str | None:
    """As it may be shown: printable, and no longer than our own."""
    if host.table_name is None:
        return None
    return "".join(character for character in host.table_name if character.isprintable())[:MAX_TABLE_NAME] or None


def _number(written: str) -> int | None:
    """None for what is no whole number of milliseconds in range."""
    if not (written.isascii() and written.isdecimal() and len(written) <= len(str(MAX_RATE_LIMIT_MS))):
        return None
    return int(written) if int(written) <= MAX_RATE_LIMIT_MS else None


def _refusal(host: ClaySettings, settings: Settings) -> BlockedError | None:
    if host.webhook_url is None:
        return None
    try:
        check_new_url(host.webhook_url, Policy.of(settings))
    except BlockedError as error:
        return error
    return None


def _problem(host: ClaySettings, refusal: BlockedError | None, settings: Settings) -> str | None:
    if refusal is not None:
        return f"The webhook URL in NexusLeads' settings is not used: {refusal.detail}"
    if host.rate_limit_ms is None:
        return None
    rate = _number(host.rate_limit_ms)
    if rate is None:
        return BAD_RATE
    if rate >= LEAST_RATE_LIMIT_MS or _leads_inside(host, settings):
        return None
    return SMALL_RATE


def _leads_inside(host: ClaySettings, settings: Settings) -> bool:
    try:
        return host.webhook_url is not None and _is_internal(check_url(host.webhook_url, Policy.of(settings)), settings)
    except BlockedError:
        return False
