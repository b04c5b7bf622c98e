"""Decides what a change of the Clay settings on NexusLeads' settings page does to the stored settings. Pure.

`host_sync` applies the decision before a write and in the sweep; a read only reports it. An old value of the page never undoes
a change made here. The organization's first values are used at once. Later any member can change them on the page, but here
only an owner or admin decides where leads go: so another URL, or its removal, is stored as pending until one of these confirms
it, with the table name of that URL. Pace and table name of the current webhook are used at once: they send no lead elsewhere
and lose none.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from uuid import UUID

from clay_push_service.destination_settings.config_change import UNCHANGED, Unchanged
from clay_push_service.destination_settings.host_values import raised_rate, rate_of, refusal_of, table_name_of
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy, check_url
from clay_push_service.destinations.pace import DEFAULT_RATE_LIMIT_MS
from clay_push_service.host.org_settings import NO_SETTINGS, ClaySettings
from clay_push_service.settings import Settings

SOURCE: Final = "host"
OUR_SOURCE: Final = "api"
SALT_BYTES = 16
DIGEST_BYTES = 32
LENGTH = SALT_BYTES + 3 * DIGEST_BYTES + 1


def _no_url() -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Stored:
    """The stored settings of an organization. The defaults are those of an organization without a destination."""

    exists: bool = False
    fingerprint: bytes | None = None
    """Fingerprint of the page's values as they were last read; None: they were never read."""
    source: str | None = None
    """Where the current webhook was set; None: there is no webhook."""
    unseal_url: Callable[[], str | None] = _no_url
    """Returns the URL of the current webhook; None: there is none, or it cannot be unsealed. Called only if the page has another URL."""
    had_webhook: bool = False
    table_name: str | None = None
    workspace_id: UUID | None = None
    """The workspace that owns the pace."""
    rate_limit_ms: int = DEFAULT_RATE_LIMIT_MS
    has_pending: bool = False
    pending_mask: str | None = None
    """The masked URL of the pending change; None: there is no such change, or it is a removal."""


class WebhookStep(Enum):
    KEEP = auto()
    SAVE = auto()
    PROPOSE = auto()
    """Store the URL of the page as a pending change."""
    PROPOSE_REMOVAL = auto()
    WITHDRAW = auto()
    """Delete the pending change: the page does not hold it any more."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`stores`: something must be written, at least the fingerprint. All other changes are only made if it is true."""

    host: ClaySettings
    stored: Stored
    stores: bool = False
    lacks_keys: bool = False
    """A webhook URL cannot be stored, because no encryption key is set. It is used as soon as one is set."""
    refusal: BlockedError | None = None
    """Why the guard refuses the URL of the page."""
    is_new_refusal: bool = False
    webhook: WebhookStep = WebhookStep.KEEP
    checked: CheckedUrl | None = None
    """The URL of the page, if the guard allows it."""
    is_present: bool = False
    """The URL of the page is that of the current webhook."""
    table_name: str | Unchanged | None = UNCHANGED
    rate_limit_ms: int | Unchanged = UNCHANGED

    @property
    def is_visible(self) -> bool:
        """Whether a reader of the settings sees a difference when the change is applied."""
        removes_pending = self.webhook in {WebhookStep.SAVE, WebhookStep.WITHDRAW} and self.stored.has_pending
        changes_webhook = self.webhook in {WebhookStep.PROPOSE, WebhookStep.PROPOSE_REMOVAL} or self.saves_webhook
        return not self.is_for_writes_only and (changes_webhook or removes_pending or self.changes_values)

    @property
    def saves_webhook(self) -> bool:
        return self.webhook is WebhookStep.SAVE and not self.is_present

    @property
    def changes_values(self) -> bool:
        return self.table_name is not UNCHANGED or self.rate_limit_ms is not UNCHANGED

    @property
    def is_for_writes_only(self) -> bool:
        """Whether only a write applies the values: without a webhook and a destination, table name and pace have no effect until a write stores a webhook.

        The sweep skips them: a global pace would otherwise create a destination for every organization.
        """
        return not self.stored.exists and self.host.webhook_url is None


def decide(host: ClaySettings, stored: Stored, settings: Settings) -> Decision:
    if not stored.exists and host == NO_SETTINGS:
        return Decision(host, stored)
    stored_fingerprint = stored.fingerprint
    seen = _compare_with_nothing(host) if stored_fingerprint is None else compare(host, stored_fingerprint)
    if stored_fingerprint is not None and seen.all and not seen.refused:
        return Decision(host, stored)
    refusal = refusal_of(host, settings)
    if stored_fingerprint is not None and seen.all and refusal is not None:
        return Decision(host, stored, refusal=refusal)
    has_new_url = host.webhook_url is not None and refusal is None and not seen.webhook_url
    if has_new_url and not settings.encryption_keys:
        return Decision(host, stored, lacks_keys=True)
    if stored_fingerprint is None and stored.source is not None:
        # Saved here before the page was first read: this is the newer change.
        return Decision(host, stored, stores=True)
    return _decide_new_values(host, stored, seen, refusal, settings)


def _decide_new_values(
    host: ClaySettings, stored: Stored, seen: "UnchangedValues", refusal: BlockedError | None, settings: Settings
) -> Decision:
    is_allowed = host.webhook_url is not None and refusal is None
    # A URL that was refused and is allowed now is used only if no webhook was saved here meanwhile.
    is_new = not seen.webhook_url or (seen.refused and stored.source != OUR_SOURCE)
    checked = check_url(host.webhook_url, Policy.of(settings)) if host.webhook_url is not None and is_allowed else None
    is_present = checked is not None and is_new and stored.unseal_url() == str(checked.url)
    step = WebhookStep.KEEP
    if checked is not None and is_new:
        step = WebhookStep.PROPOSE if stored.had_webhook and not is_present else WebhookStep.SAVE
    elif not seen.webhook_url:
        # The page's webhook was removed there, or is refused. A webhook that was saved here stays.
        is_removal = host.webhook_url is None and stored.source == SOURCE
        step = WebhookStep.PROPOSE_REMOVAL if is_removal else WebhookStep.WITHDRAW
    waits = step is WebhookStep.PROPOSE or (step is WebhookStep.KEEP and stored.pending_mask is not None)
    name = stored.table_name if seen.table_name or waits else table_name_of(host)
    rate = stored.rate_limit_ms if seen.rate_limit_ms else _rate(host, checked, step, stored, settings)
    return Decision(
        host,
        stored,
        stores=True,
        refusal=refusal,
        is_new_refusal=refusal is not None and not seen.webhook_url,
        webhook=step,
        checked=checked,
        is_present=is_present,
        table_name=UNCHANGED if name == stored.table_name else name,
        rate_limit_ms=UNCHANGED if rate == stored.rate_limit_ms else rate,
    )


def _rate(host: ClaySettings, checked: CheckedUrl | None, step: WebhookStep, stored: Stored, settings: Settings) -> int:
    if host.rate_limit_ms is None:
        return DEFAULT_RATE_LIMIT_MS
    rate = rate_of(host.rate_limit_ms)
    if rate is None:
        return stored.rate_limit_ms
    return raised_rate(rate, checked if step is WebhookStep.SAVE else None, settings)


@dataclass(frozen=True, slots=True)
class UnchangedValues:
    """Which values of the page are unchanged since it was last read. `refused`: the URL was refused then."""

    webhook_url: bool = False
    table_name: bool = False
    rate_limit_ms: bool = False
    refused: bool = False

    @property
    def all(self) -> bool:
        return self.webhook_url and self.table_name and self.rate_limit_ms


def fingerprint(host: ClaySettings, salt: bytes, *, refused: bool) -> bytes:
    """Detects a change without storing a value that can be read: a hash of each value, and whether the URL was refused.

    Each value by itself, so that a new table name does not bring back a webhook URL that was replaced here. With a random salt
    of SALT_BYTES, equal URLs of two organizations differ, and hashes of guesses cannot be computed in advance.
    """
    return salt + b"".join(_digests(host, salt)) + bytes([refused])


def compare(host: ClaySettings, stored_fingerprint: bytes) -> UnchangedValues:
    if len(stored_fingerprint) != LENGTH:
        return UnchangedValues()
    digests = _digests(host, stored_fingerprint[:SALT_BYTES])
    places = range(SALT_BYTES, LENGTH - 1, DIGEST_BYTES)
    url, table_name, rate = (
        hmac.compare_digest(digest, stored_fingerprint[start : start + DIGEST_BYTES])
        for digest, start in zip(digests, places, strict=True)
    )
    return UnchangedValues(url, table_name, rate, refused=bool(stored_fingerprint[-1]))


def _compare_with_nothing(host: ClaySettings) -> UnchangedValues:
    """Compare with settings that held no value: a value that is absent has not changed."""
    return UnchangedValues(host.webhook_url is None, host.table_name is None, host.rate_limit_ms is None)


def _digests(host: ClaySettings, salt: bytes) -> list[bytes]:
    named = (("url", host.webhook_url), ("table", host.table_name), ("rate", host.rate_limit_ms))
    # "surrogatepass": PostgreSQL stores no lone surrogate, and this is not the place to refuse one.
    return [
        hmac.digest(
            salt, f"{name}\0{'' if value is None else '=' + value}".encode("utf-8", "surrogatepass"), hashlib.sha256
        )
        for name, value in named
    ]
