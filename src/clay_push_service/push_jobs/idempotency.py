"""Idempotency-Key: returns the stored first response to a repeated request; per organization, for 24 hours.

The key is written in the transaction that queues the leads, so a key and its push exist together or not at all. While the
first request runs, its transaction holds an advisory lock, which a crash releases.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.errors import BadRequestError, ConflictError, InvalidError

VALID = re.compile(r"[\x21-\x7e]{1,255}")

TRY_LOCK = Statement("SELECT pg_try_advisory_xact_lock(hashtextextended(:org_id || ' ' || :key, 0))", bool)
# A client may use personal data, such as an e-mail address, as a key; see `hide_keys`.
HIDDEN = "'hidden:' || encode(sha256(convert_to(CAST(org_id AS text) || ' ' || {key}, 'UTF8')), 'hex')"


class _FirstResponse(NamedTuple):
    request_hash: bytes
    status: int
    response: dict[str, object]
    location: str | None


FIND = Statement(
    f"""
SELECT request_hash, status, response, location FROM clay.idempotency_keys
WHERE org_id = :org_id AND key IN (:key, {HIDDEN.format(key="CAST(:key AS text)")})
  AND created_at > now() - interval '24 hours'
ORDER BY created_at DESC LIMIT 1
""",
    _FirstResponse,
)
HIDE = Statement(f"""
UPDATE clay.idempotency_keys SET key = {HIDDEN.format(key="key")} WHERE org_id = :org_id AND key NOT LIKE 'hidden:%'
""")
STORE = Statement("""
INSERT INTO clay.idempotency_keys (org_id, key, request_hash, status, response, location)
VALUES (:org_id, :key, :request_hash, :status, CAST(:response AS jsonb), :location)
ON CONFLICT (org_id, key) DO UPDATE SET request_hash = excluded.request_hash, status = excluded.status,
    response = excluded.response, location = excluded.location, created_at = now()
""")


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The response to a push, stored for repeated requests."""

    status: int
    body: dict[str, object]
    location: str | None


def fingerprint(endpoint: str, body: BaseModel) -> bytes:
    """Hashes the meaning of a request, not its spelling."""
    return hashlib.sha256(f"{endpoint}\n{body.model_dump_json()}".encode()).digest()


async def find_response(
    connection: AsyncConnection, org_id: UUID, key: str, request_hash: bytes
) -> StoredResponse | None:
    """Raises 400 `idempotency_key_invalid`, 409 `idempotency_key_in_use`, 422 `idempotency_key_reused`."""
    if not VALID.fullmatch(key):
        raise BadRequestError(
            "Invalid Idempotency-Key: use 1 to 255 visible ASCII characters.", code="idempotency_key_invalid"
        )
    if not await TRY_LOCK.one(connection, {"org_id": str(org_id), "key": key}):
        raise ConflictError(
            "The first request with this Idempotency-Key is still running. Retry in a second.",
            code="idempotency_key_in_use",
            headers={"Retry-After": "1"},
        )
    row = await FIND.one_or_none(connection, {"org_id": org_id, "key": key})
    if row is None:
        return None
    if row.request_hash != request_hash:
        raise InvalidError(
            "This Idempotency-Key was used for another request in the last 24 hours.", code="idempotency_key_reused"
        )
    return StoredResponse(row.status, row.response, row.location)


async def hide_keys(connection: AsyncConnection, org_id: UUID) -> None:
    """Replace the keys of an organization by their hashes. A repeated request still finds its response."""
    await HIDE.execute(connection, {"org_id": org_id})


async def store_response(
    connection: AsyncConnection, org_id: UUID, key: str, request_hash: bytes, response: StoredResponse
) -> None:
    """Call it in the transaction of the push."""
    await STORE.execute(
        connection,
        {
            "org_id": org_id,
            "key": key,
            "request_hash": request_hash,
            "status": response.status,
            "response": json.dumps(response.body),
            "location": response.location,
        },
    )
