"""Fingerprint of an organization's three NexusLeads settings: detects which of them changed without storing readable values.

Each value has its own digest: a new table name there must not restore a webhook URL that was replaced here. Each fingerprint has
a random salt: equal URLs of two organizations have different digests, and digests cannot be computed in advance. A Clay URL
contains 122 random bits.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from clay_push_service.host.org_settings import ClaySettings

SALT_BYTES = 16
DIGEST_BYTES = 32
LENGTH = SALT_BYTES + 3 * DIGEST_BYTES + 1


@dataclass(frozen=True, slots=True)
class Seen:
    """Which values are unchanged since the fingerprint was stored. `refused`: the guard refused the URL then."""

    webhook_url: bool = False
    table_name: bool = False
    rate_limit_ms: bool = False
    refused: bool = False

    @property
    def all(self) -> bool:
        return self.webhook_url and self.table_name and self.rate_limit_ms


def fingerprint(settings: ClaySettings, *, refused: bool) -> bytes:
    salt = secrets.token_bytes(SALT_BYTES)
    return salt + b"".join(_digests(settings, salt)) + bytes([refused])


def compare(settings: ClaySettings, stored: bytes) -> Seen:
    if len(stored) != LENGTH:
        return Seen()
    salt = stored[:SALT_BYTES]
    places = range(SALT_BYTES, LENGTH - 1, DIGEST_BYTES)
    url, table_name, rate = (
        hmac.compare_digest(digest, stored[start : start + DIGEST_BYTES])
        for digest, start in zip(_digests(settings, salt), places, strict=True)
    )
    return Seen(url, table_name, rate, refused=bool(stored[-1]))


def _digests(settings: ClaySettings, salt: bytes) -> list[bytes]:
    values = (("url", settings.webhook_url), ("table", settings.table_name), ("rate", settings.rate_limit_ms))
    # "surrogatepass": PostgreSQL stores no lone surrogates; one from another source must not fail here.
    return [
        hmac.digest(
            salt, f"{name}\0{'' if value is None else '=' + value}".encode("utf-8", "surrogatepass"), hashlib.sha256
        )
        for name, value in values
    ]
