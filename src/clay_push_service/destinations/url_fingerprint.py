"""Knows a webhook URL again when it comes back, by a salted hash from which it cannot be read.

A random salt a time, so that equal URLs of two organizations do not look alike; a Clay URL holds 122 random bits.
"""

import hashlib
import hmac
import secrets

SALT_BYTES = 16


def fingerprint(url: str) -> bytes:
    salt = secrets.token_bytes(SALT_BYTES)
    return salt + _digest(url, salt)


def is_of(url: str, kept: bytes) -> bool:
    return hmac.compare_digest(kept[SALT_BYTES:], _digest(url, kept[:SALT_BYTES]))


def _digest(url: str, salt: bytes) -> bytes:
    return hmac.digest(salt, url.encode(), hashlib.sha256)
