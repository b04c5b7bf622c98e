"""Parses the ring of encryption keys (`id:base64` each). Errors show the id of a key, never the key."""

import base64
import binascii
import re
from collections.abc import Sequence

from pydantic import SecretStr

KEY_BYTES = 32
MINIMUM_DIFFERENT = 12
"""Minimum number of different bytes. 32 random bytes have about 30; zeros or a repeated word are a placeholder."""
KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)


class KeyRingError(ValueError):
    """The ring is unusable. A ValueError, so pydantic reports it with the other bad settings."""


def read_ring(ring: Sequence[SecretStr]) -> dict[str, bytes]:
    """Return the keys by id, in the order of the ring."""
    keys: dict[str, bytes] = {}
    for entry in ring:
        key_id, key = _parse(entry.get_secret_value())
        if key_id in keys:
            raise KeyRingError(f"encryption key id {key_id!r} appears twice")
        keys[key_id] = key
    return keys


def _parse(entry: str) -> tuple[str, bytes]:
    key_id, colon, encoded = entry.partition(":")
    if not colon or not KEY_ID.fullmatch(key_id):
        raise KeyRingError("an encryption key is written id:base64, the id in 1 to 32 letters, digits, _ . -")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyRingError(f"encryption key {key_id!r} is not {KEY_BYTES} bytes in base64")
    if len(set(key)) < MINIMUM_DIFFERENT:
        raise KeyRingError(f"encryption key {key_id!r} is not random: create one with `clay-push secrets new`")
    return key_id, key
