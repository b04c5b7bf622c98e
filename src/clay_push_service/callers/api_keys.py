"""Service keys: create, list, revoke, and find by hash. A key is shown once and never stored."""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.audit import Detail, audit
from clay_push_service.callers.caller import Scope
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.statement import Statement
from clay_push_service.errors import InvalidError, NotFoundError

KEY_PREFIX = "cps_"
"""Identifies the issuer, for people and for scanners that search for leaked keys."""
PREFIX_BYTES = 4
SECRET_BYTES = 32
MAX_KEY_CHARACTERS = 128
MAX_NAME_CHARACTERS = 100


class _KeyRow(NamedTuple):
    """A row of `COLUMNS`."""

    id: UUID
    name: str
    prefix: str
    key_hash: bytes
    org_ids: list[UUID]
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    should_record_use: bool


INSERT = Statement(
    """
INSERT INTO clay.api_keys (name, prefix, key_hash, org_ids, scopes)
VALUES (:name, :prefix, :key_hash, CAST(:org_ids AS uuid[]), CAST(:scopes AS text[]))
RETURNING id, name, prefix, key_hash, org_ids, scopes, created_at, last_used_at, revoked_at, true AS should_record_use
""",
    _KeyRow,
)
COLUMNS = """id, name, prefix, key_hash, org_ids, scopes, created_at, last_used_at, revoked_at,
             (last_used_at IS NULL OR last_used_at < now() - interval '1 minute') AS should_record_use"""
LIST = Statement(f"SELECT {COLUMNS} FROM clay.api_keys ORDER BY created_at, id", _KeyRow)
LIST_OF = Statement(
    f"SELECT {COLUMNS} FROM clay.api_keys WHERE :org_id = ANY(org_ids) ORDER BY created_at DESC, id", _KeyRow
)
FIND = Statement(f"SELECT {COLUMNS} FROM clay.api_keys WHERE key_hash = :key_hash AND revoked_at IS NULL", _KeyRow)
FIND_BY_ID = Statement(f"SELECT {COLUMNS} FROM clay.api_keys WHERE id = :id AND revoked_at IS NULL", _KeyRow)
REVOKE = Statement(
    f"UPDATE clay.api_keys SET revoked_at = now() WHERE prefix = :prefix AND revoked_at IS NULL RETURNING {COLUMNS}",
    _KeyRow,
)
USED = Statement("""
UPDATE clay.api_keys SET last_used_at = now()
WHERE id = :id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
""")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key: it holds only the prefix, which identifies the key to people."""

    id: UUID
    name: str
    prefix: str
    org_ids: tuple[UUID, ...]
    scopes: frozenset[Scope]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    should_record_use: bool

    @property
    def actor(self) -> str:
        return f"key:{self.prefix} ({self.name})"


@dataclass(frozen=True, slots=True)
class NewKey:
    plain: str
    """The key itself; show it once."""
    key: ApiKey

    def __repr__(self) -> str:
        return f"NewKey({self.key!r})"


def is_key(credential: str) -> bool:
    """Return whether a bearer credential is a service key rather than an access token of NexusLeads."""
    return credential.startswith(KEY_PREFIX)


async def create_key(
    connection: AsyncConnection, name: str, org_ids: Sequence[UUID], scopes: Collection[Scope], actor: str
) -> NewKey:
    """Create a key. Raises 422 without a name or a scope, or without an organization where a scope requires one."""
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidError(f"The name of a service key must have 1 to {MAX_NAME_CHARACTERS} printable characters.")
    if not scopes:
        raise InvalidError("A service key needs at least one scope: push, read, config, erase, ops, enrich or results.")
    if not org_ids and set(scopes) != {Scope.OPS}:
        raise InvalidError("A service key needs at least one organization, unless its only scope is ops.")
    prefix = secrets.token_hex(PREFIX_BYTES)
    plain = f"{KEY_PREFIX}{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    values = {
        "name": name.strip(),
        "prefix": prefix,
        "key_hash": _hash(plain),
        "org_ids": list(dict.fromkeys(org_ids)),
        "scopes": sorted(scopes),
    }
    key = _key(await INSERT.one(connection, values))
    details: dict[str, Detail] = {
        "prefix": prefix,
        "name": key.name,
        "scopes": [scope.value for scope in sorted(scopes)],
    }
    for org_id in key.org_ids or (None,):
        await audit(connection, org_id, actor, "api_key.created", details)
    return NewKey(plain, key)


async def list_keys(connection: AsyncConnection) -> Sequence[ApiKey]:
    """Return all keys, including revoked ones, oldest first."""
    return [_key(row) for row in await LIST.rows(connection)]


async def list_keys_of(connection: AsyncConnection, org_id: UUID) -> Sequence[ApiKey]:
    """Return the keys that may act for an organization, including revoked ones, newest first."""
    return [_key(row) for row in await LIST_OF.rows(connection, {"org_id": org_id})]


async def revoke_key(connection: AsyncConnection, prefix: str, actor: str) -> ApiKey:
    """Revoke a key. Raises 404 if no active key has this prefix."""
    row = await REVOKE.one_or_none(connection, {"prefix": prefix.removeprefix(KEY_PREFIX)})
    if row is None:
        raise NotFoundError("No active service key has this prefix.", code="api_key_not_found")
    key = _key(row)
    for org_id in key.org_ids or (None,):
        await audit(connection, org_id, actor, "api_key.revoked", {"prefix": key.prefix, "name": key.name})
    return key


async def find_key(connection: AsyncConnection, plain: str) -> ApiKey | None:
    """Return the active key, or None. It compares hashes of 256 random bits, so the timing reveals nothing."""
    if len(plain) > MAX_KEY_CHARACTERS or not plain.isascii():
        return None
    hashed = _hash(plain)
    row = await FIND.one_or_none(connection, {"key_hash": hashed})
    return _key(row) if row is not None and hmac.compare_digest(bytes(row.key_hash), hashed) else None


async def find_key_by_id(connection: AsyncConnection, key_id: UUID) -> ApiKey | None:
    """Return the active key that a console session was started with, or None."""
    row = await FIND_BY_ID.one_or_none(connection, {"id": key_id})
    return None if row is None else _key(row)


async def record_use(database: Database, key_id: UUID) -> None:
    """Record the use after the response, in a separate transaction. A failure loses only the time of last use."""
    try:
        async with database.transaction() as connection:
            await USED.execute(connection, {"id": key_id})
    except (SQLAlchemyError, OSError) as error:
        log.warning("api_key.use_not_recorded", key_id=str(key_id), **failure(error))


def _hash(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()


def _key(row: _KeyRow) -> ApiKey:
    return ApiKey(
        row.id, row.name, row.prefix, tuple(row.org_ids), frozenset(Scope(scope) for scope in row.scopes),
        row.created_at, row.last_used_at, row.revoked_at, row.should_record_use,
    )  # fmt: skip
