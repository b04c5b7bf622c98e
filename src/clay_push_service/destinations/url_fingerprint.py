"""Knows a webhook URL again when it comes back, by a hash from which it cannot be read.

The organization is part of the hash, so that equal URLs of two organizations do not look alike; a Clay URL holds 122 random
bits. Versions from before migration 0010 have a hash with a random salt instead.
"""

import hashlib
import hmac
from uuid import UUID

SALT_BYTES = 16
DIGEST_BYTES = 32


def fingerprint(org_id: UUID, url: str) -> bytes:
    return hmac.digest(org_id.bytes, url.encode(), hashlib.sha256)


def is_salted_of(url: str, kept: bytes) -> bool:
    """Whether a fingerprint of before migration 0010 is of this URL."""
    if len(kept) != SALT_BYTES + DIGEST_BYTES:
        return False
    return hmac.compare_digest(kept[SALT_BYTES:], hmac.digest(kept[:SALT_BYTES], url.encode(), hashlib.sha256))
