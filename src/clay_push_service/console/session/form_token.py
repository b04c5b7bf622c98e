"""Form tokens show that a form comes from a page of this session. Each is derived from the cookie's secret, so none is stored.

Each page masks the token with random bytes: pages are compressed, and the length of a compressed page must not reveal it.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

FIELD: Final = "form_token"
TOKEN_BYTES: Final = 32


def make_form_token(secret: str) -> str:
    mask = secrets.token_bytes(TOKEN_BYTES)
    return base64.urlsafe_b64encode(mask + _xor(mask, _token(secret))).decode()


def is_form_token(secret: str, token: str) -> bool:
    """False also without a secret: a request without a cookie has no valid form."""
    try:
        packed = base64.urlsafe_b64decode(token)
    except (binascii.Error, ValueError):
        return False
    if not secret or len(packed) != 2 * TOKEN_BYTES:
        return False
    return hmac.compare_digest(_xor(packed[:TOKEN_BYTES], packed[TOKEN_BYTES:]), _token(secret))


def _token(secret: str) -> bytes:
    return hmac.digest(secret.encode(), b"clay-push console form", hashlib.sha256)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
