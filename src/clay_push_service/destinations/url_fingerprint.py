"""Recognizes a webhook URL that was saved before, by a hash that does not reveal the URL.

The organization is part of the hash, so that equal URLs of two organizations have different hashes; a Clay URL contains 122
random bits. Versions from before migration 0010 have a hash with a random salt instead.
"""

import hashlib
import hmac
from uuid import UUID

SALT_BYTES = 16
DIGEST_BYTES = 32


def fingerprint(org_id: UUID, url: str) -> bytes:
    return hmac.digest(org_id.bytes, url.encode(), hashlib.sha256)


def is_salted_of(url: str, stored: bytes) -> bool:
    """Return whether a fingerprint from before migration 0010 belongs to this URL."""
    if len(stored) != SALT_BYTES + DIGEST_BYTES:
        return False
    return hmac.compare_digest(stored[SALT_BYTES:], hmac.digest(stored[:SALT_BYTES], url.encode(), hashlib.sha256))
