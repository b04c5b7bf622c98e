"""Results tokens: the secret with which Clay's tables send results. Create, list, revoke, and check. Stored as hashes, shown once.

At most two are active, so that a token can be replaced without losing a result: create, change in Clay, revoke the old one.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.errors import ConflictError, NotFoundError

TOKEN_PREFIX = "crt_"  # noqa: S105 - the public beginning of every token
"""Identifies the issuer, for people and for scanners that search for leaked secrets."""
PREFIX_BYTES = 4
SECRET_BYTES = 32
MAX_TOKEN_CHARACTERS = 128
SLOTS = (1, 2)
"""One for each active token; a unique index over organization and slot enforces the limit."""


class ResultsToken(NamedTuple):
    """A stored token: it holds only the prefix, which identifies the token to people."""

    id: UUID
    slot: int
    prefix: str
    created_by: str
    created_at: datetime
    last_used_at: datetime | None


CREATE_ENDPOINT = Statement("""
INSERT INTO clay.results_endpoints (id, org_id) VALUES (:id, :org_id) ON CONFLICT (org_id) DO NOTHING
""")
LOCK_ENDPOINT = Statement("SELECT id FROM clay.results_endpoints WHERE org_id = :org_id FOR UPDATE", UUID)
ENDPOINT = Statement("SELECT id FROM clay.results_endpoints WHERE org_id = :org_id", UUID)
COLUMNS = "id, slot, prefix, created_by, created_at, last_used_at"
LIST = Statement(
    f"""
SELECT {COLUMNS} FROM clay.results_tokens WHERE org_id = :org_id AND revoked_at IS NULL ORDER BY created_at, id
""",
    ResultsToken,
)
INSERT = Statement(
    f"""
INSERT INTO clay.results_tokens (id, org_id, endpoint_id, slot, prefix, token_hash, created_by)
VALUES (:id, :org_id, :endpoint_id, :slot, :prefix, :token_hash, :created_by) RETURNING {COLUMNS}
""",
    ResultsToken,
)
REVOKE = Statement(
    """
UPDATE clay.results_tokens SET revoked_at = now()
WHERE org_id = :org_id AND id = :id AND revoked_at IS NULL RETURNING prefix
""",
    str,
)


class _Active(NamedTuple):
    id: UUID
    org_id: UUID
    token_hash: bytes
    use_is_news: bool
    custom_names: Sequence[str] | None


# By endpoint alone: the caller is not authenticated yet. The id has 122 random bits.
ACTIVE = Statement(
    """
SELECT token.id, token.org_id, token.token_hash,
       coalesce(token.last_used_at < now() - interval '1 minute', true) AS use_is_news, custom.names AS custom_names
FROM clay.results_tokens AS token LEFT JOIN clay.custom_fields AS custom ON custom.org_id = token.org_id
WHERE token.endpoint_id = :endpoint_id AND token.revoked_at IS NULL ORDER BY token.slot
""",
    _Active,
)
USED = Statement("""
UPDATE clay.results_tokens SET last_used_at = now()
WHERE org_id = :org_id AND id = :id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
""")
_NO_HASH = bytes(32)
"""Compared when an endpoint has fewer tokens, so that the time does not show whether it exists."""


@dataclass(frozen=True, slots=True)
class NewToken:
    plain: str
    """The token itself; show it once."""
    endpoint_id: UUID
    token: ResultsToken

    def __repr__(self) -> str:
        return f"NewToken({self.token!r})"


@dataclass(frozen=True, slots=True)
class Sender:
    """An authenticated sender of results."""

    org_id: UUID
    endpoint_id: UUID
    token_id: UUID
    use_is_news: bool
    custom_names: Sequence[str]


async def read_endpoint(connection: AsyncConnection, org_id: UUID) -> UUID | None:
    return await ENDPOINT.one_or_none(connection, {"org_id": org_id})


async def list_tokens(connection: AsyncConnection, org_id: UUID) -> list[ResultsToken]:
    """The active tokens, oldest first."""
    return list(await LIST.rows(connection, {"org_id": org_id}))


async def create_token(connection: AsyncConnection, org_id: UUID, actor: str) -> NewToken:
    """Raises 409 `too_many_tokens` if two are active."""
    await CREATE_ENDPOINT.execute(connection, {"id": uuid4(), "org_id": org_id})
    endpoint_id = await LOCK_ENDPOINT.one(connection, {"org_id": org_id})
    used = {row.slot for row in await LIST.rows(connection, {"org_id": org_id})}
    slot = next((each for each in SLOTS if each not in used), None)
    if slot is None:
        raise ConflictError(
            "Two results tokens are active, which is the limit. Revoke the one that your Clay tables no longer use.",
            code="too_many_tokens",
        )
    prefix = secrets.token_hex(PREFIX_BYTES)
    plain = f"{TOKEN_PREFIX}{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    values = {
        "id": uuid4(), "org_id": org_id, "endpoint_id": endpoint_id, "slot": slot, "prefix": prefix,
        "token_hash": _hash(plain), "created_by": actor,
    }  # fmt: skip
    token = await INSERT.one(connection, values)
    await audit(connection, org_id, actor, "results_token.created", {"prefix": prefix})
    return NewToken(plain, endpoint_id, token)


async def revoke_token(connection: AsyncConnection, org_id: UUID, token_id: UUID, actor: str) -> None:
    """Raises 404 `results_token_not_found`."""
    prefix = await REVOKE.one_or_none(connection, {"org_id": org_id, "id": token_id})
    if prefix is None:
        raise NotFoundError(
            "Your organization has no active results token with this id.", code="results_token_not_found"
        )
    await audit(connection, org_id, actor, "results_token.revoked", {"prefix": prefix})


async def find_sender(connection: Connection, endpoint_id: UUID | None, tokens: Sequence[str]) -> Sender | None:
    """The sender that holds one of `tokens`, or None. An unknown endpoint and a wrong token take the same time."""
    active = await ACTIVE.rows(connection, {"endpoint_id": endpoint_id or UUID(int=0)})
    found: _Active | None = None
    for plain in tokens:
        hashed = _hash(plain[: MAX_TOKEN_CHARACTERS + 1])
        for place in range(len(SLOTS)):
            stored = bytes(active[place].token_hash) if place < len(active) else _NO_HASH
            if hmac.compare_digest(stored, hashed) and place < len(active):
                found = active[place]
    if found is None or endpoint_id is None:
        return None
    return Sender(found.org_id, endpoint_id, found.id, found.use_is_news, found.custom_names or ())


async def record_use(connection: Connection, sender: Sender) -> None:
    """Record the use, at most once a minute."""
    if sender.use_is_news:
        await USED.execute(connection, {"org_id": sender.org_id, "id": sender.token_id})


def _hash(plain: str) -> bytes:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()
