"""Fingerprint of an organization's three host settings: detects a change, without storing a value that can be read.

Each value by itself: a new table name there must not bring back a webhook URL that was replaced here. A random salt a
time, so that neither equal URLs of two organizations nor guesses made in advance tell anything; a Clay URL is 122 random bits.
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
    """Which of the values are what they were. `refused`: the URL was seen and not taken."""

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


def compare(settings: ClaySettings, kept: bytes) -> Seen:
    if len(kept) != LENGTH:
        return Seen()
    salt = kept[:SALT_BYTES]
    places = range(SALT_BYTES, LENGTH - 1, DIGEST_BYTES)
    url, table_name, rate = (
        hmac.compare_digest(digest, kept[start : start + DIGEST_BYTES])
        for digest, start in zip(_digests(settings, salt), places, strict=True)
    )
    return Seen(url, table_name, rate, refused=bool(kept[-1]))


def _digests(settings: ClaySettings, salt: bytes) -> list[bytes]:
    named = (("url", settings.webhook_url), ("table", settings.table_name), ("rate", settings.rate_limit_ms))
    # "surrogatepass": PostgreSQL stores none, and this must not be where one is found out.
    return [
        hmac.digest(
            salt, f"{name}\0{'' if value is None else '=' + value}".encode("utf-8", "surrogatepass"), hashlib.sha256
        )
        for name, value in named
    ]
