"""Decides what a change of the API key on NexusLeads' settings page does. Pure: fingerprints, form and steps, no I/O.

The organization's first key is used at once. Later any member can change it on the page, but only an owner or admin decides
which workspace pays: another key, or its removal, waits for confirmation. An old value of the page never undoes a change
made here.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from clay_push_service.enrichment.settings.table import KeySource
from clay_push_service.setting_checks.api_key_form import malformation

SALT_BYTES = 16
LENGTH = SALT_BYTES + 32


class KeyStep(Enum):
    KEEP = auto()
    SAVE = auto()
    PROPOSE = auto()
    PROPOSE_REMOVAL = auto()
    WITHDRAW = auto()
    """The settings page no longer contains the pending change."""


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """The stored key of one organization."""

    exists: bool = False
    fingerprint: bytes | None = None
    """Fingerprint of the value that was last read from the page; None: never read."""
    source: KeySource | None = None
    """Where the current key was set; None: there is no key."""
    had_key: bool = False
    has_pending: bool = False
    open_key: Callable[[], str | None] = _nothing
    """Unseals the current key. Returns None also when it cannot be unsealed."""

    def __repr__(self) -> str:
        return f"StoredKey(exists={self.exists}, source={self.source})"


@dataclass(frozen=True, slots=True)
class KeyDecision:
    step: KeyStep
    stores: bool
    """Whether a write is needed, at least of the fingerprint."""
    malformed: str | None = None
    """Why the page's key is not used, as the end of a sentence."""


def fingerprint(key: str | None, salt: bytes) -> bytes:
    """A salted digest detects a change, and stores no value that can be read."""
    value = b"" if key is None else b"=" + key.encode("utf-8", "surrogatepass")
    return salt + hmac.digest(salt, b"api_key\0" + value, hashlib.sha256)


def is_same(key: str | None, stored: bytes | None) -> bool:
    if stored is None or len(stored) != LENGTH:
        return False
    return hmac.compare_digest(fingerprint(key, stored[:SALT_BYTES]), stored)


def decide(key: str | None, stored: StoredKey) -> KeyDecision:
    """`key`: the page's value, unchanged; None if it is missing or blank."""
    malformed = None if key is None else malformation(key)
    if is_same(key, stored.fingerprint):
        return KeyDecision(KeyStep.KEEP, stores=False, malformed=malformed)
    withdraw = KeyStep.WITHDRAW if stored.has_pending else KeyStep.KEEP
    if malformed is not None:
        return KeyDecision(withdraw, stored.exists, malformed)
    if key is None:
        # A key that was saved here stays. On the first read, the page has never held one.
        was_from_page = stored.source is KeySource.HOST and stored.fingerprint is not None
        return KeyDecision(KeyStep.PROPOSE_REMOVAL if was_from_page else withdraw, stored.exists)
    if stored.source is not None and stored.fingerprint is None:
        return KeyDecision(KeyStep.KEEP, stores=True)  # saved here before the page was first read: the newer change
    if stored.source is not None and stored.open_key() == key:
        return KeyDecision(withdraw, stores=True)
    return KeyDecision(KeyStep.PROPOSE if stored.had_key else KeyStep.SAVE, stores=True)
