"""Encrypts webhook URLs and tokens at rest: AES-256-GCM, bound to organization and row. Secrets appear in no message."""

import base64
import re
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from clay_push_service.key_ring import KEY_BYTES, KEY_ID, KeyRingError, read_ring

VERSION = 1
NONCE_BYTES = 12
TAG_BYTES = 16
SHOWN_CHARACTERS = 4
"""Shown characters of the last path segment of a webhook: enough to distinguish two URLs, too few of 36 to use one."""

_VERSION_SEGMENT = re.compile(r"v[0-9]{1,3}", re.ASCII)


class SecretError(Exception):
    """A value cannot be decrypted, or the key ring is invalid. The message contains at most the id of a key."""


class SecretBox:
    """A ring of keys `id:base64`: the first encrypts, each of them decrypts. To rotate: put a new key first, reseal, remove the old one.

    Format: version (1 byte), length of the key id (1), the id, nonce (12), ciphertext with tag. The header is authenticated
    together with organization and row, so a value that was copied to another row cannot be decrypted.
    """

    __slots__ = ("_first", "_keys")

    def __init__(self, ring: Sequence[SecretStr]) -> None:
        if not ring:
            raise SecretError("there is no encryption key (make one: clay-push secrets new)")
        try:
            self._keys = {key_id: AESGCM(key) for key_id, key in read_ring(ring).items()}
        except KeyRingError as error:
            raise SecretError(str(error)) from None
        self._first = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"SecretBox(keys={list(self._keys)})"

    @property
    def first_key_id(self) -> str:
        """The key that encrypts; a value with another `key_id_of` needs resealing."""
        return self._first

    @property
    def key_ids(self) -> Sequence[str]:
        """The ids of all keys, the encrypting key first."""
        return tuple(self._keys)

    @property
    def header(self) -> bytes:
        """The first bytes of each value that the first key has encrypted."""
        return bytes([VERSION, len(self._first)]) + self._first.encode("ascii")

    def seal(self, plain: str, org_id: UUID, row_id: UUID) -> bytes:
        header = self.header
        nonce = secrets.token_bytes(NONCE_BYTES)
        try:
            data = plain.encode()
        except UnicodeEncodeError:
            raise SecretError("the value is not valid text") from None
        return header + nonce + self._keys[self._first].encrypt(nonce, data, _bound(header, org_id, row_id))

    def open(self, sealed: bytes, org_id: UUID, row_id: UUID) -> str:
        key_id = self.key_id_of(sealed)
        if (key := self._keys.get(key_id)) is None:
            raise SecretError(f"encryption key {key_id!r} is not in the ring")
        start = 2 + len(key_id)
        nonce, ciphertext = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return key.decrypt(nonce, ciphertext, _bound(sealed[:start], org_id, row_id)).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise SecretError("the value was sealed with another key, for another row, or was altered") from None

    @staticmethod
    def key_id_of(sealed: bytes) -> str:
        """Returns the id of the key that encrypted a value. Raises SecretError if it is not an encrypted value."""
        if len(sealed) < 2 or sealed[0] != VERSION:  # noqa: PLR2004 - version and length
            raise SecretError("this is no sealed value of a known version")
        key_id = SecretBox.key_id_of_header(sealed)
        if key_id is None or len(sealed) < 2 + len(key_id) + NONCE_BYTES + TAG_BYTES:
            raise SecretError("the sealed value is cut short or altered")
        return key_id

    @staticmethod
    def key_id_of_header(header: bytes) -> str | None:
        """Returns the key id from the first bytes of a sealed value of VERSION, or None if they are truncated or altered."""
        key_id = header[2 : 2 + header[1]].decode("ascii", "replace")
        return key_id if KEY_ID.fullmatch(key_id) and len(header) >= 2 + header[1] else None


def _bound(header: bytes, org_id: UUID, row_id: UUID) -> bytes:
    return b"clay-push\0" + header + org_id.bytes + row_id.bytes


def generate_key() -> str:
    """A new `id:base64` entry for the ring."""
    return f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode('ascii')}"


def mask(url: str) -> str:
    """Returns a form that identifies the webhook but cannot be used: `https://api.clay.com/v3/…/••••abcd`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "••••"
    if parts.scheme not in {"https", "http"} or not host:
        return "••••"
    segments = [segment for segment in parts.path.split("/") if segment]
    version = f"{segments[0]}/" if len(segments) > 1 and _VERSION_SEGMENT.fullmatch(segments[0]) else ""
    last = segments[-1] if segments else ""
    tail = last[-SHOWN_CHARACTERS:] if len(last) >= 4 * SHOWN_CHARACTERS else ""
    place = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{place}{f':{port}' if port else ''}/{version}…/••••{tail}"
