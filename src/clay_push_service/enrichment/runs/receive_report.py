"""Receives the event of a finished run: checks its signature, stores the run's id, and lets a worker read the run.

The signature covers the body and has no timestamp, so an event can be replayed. Therefore all events of one run have one effect.
"""

import hashlib
import hmac
import re
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from clay_push_service import queue
from clay_push_service.callers.request_body import read_json
from clay_push_service.clay.routines_body import MAX_ID_CHARACTERS
from clay_push_service.database.database import Database
from clay_push_service.destinations.dependencies import require_box
from clay_push_service.destinations.secret_box import SecretError
from clay_push_service.enrichment.ledger.run_rows import poll_now
from clay_push_service.enrichment.runs.reports import Endpoint, ReportState, find_endpoint, has_open_start, store_report
from clay_push_service.errors import InvalidError, UnauthorizedError

SIGNATURE_HEADER = "X-Clay-Signature"
MAX_BYTES = 16_384
UNAUTHORIZED = "The signature is missing or wrong, or no webhook of finished runs is set."
NO_SECRET = b"\x00" * 32
"""Compared for an unknown path, so that the response takes the same time."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_RUN_ID = re.compile(rf"[!-~]{{1,{MAX_ID_CHARACTERS}}}", re.ASCII)


async def receive_report(request: Request, database: Database, endpoint_id: str, body_seconds: float) -> bool:
    """Returns whether the event names a run; a test event names none. Raises 401, 408, 413, 415 and 422."""
    async with database.transaction() as connection:
        endpoint = await find_endpoint(connection, UUID(endpoint_id)) if _UUID.fullmatch(endpoint_id) else None
    body = await read_json(request, MAX_BYTES, body_seconds)
    if not is_signed(body, _secret(request, endpoint), request.headers.get(SIGNATURE_HEADER, "")) or endpoint is None:
        raise UnauthorizedError(UNAUTHORIZED)
    run_id = read_run_id(body)
    if run_id is None:
        return False
    async with database.transaction() as connection:
        await _store(connection, endpoint.org_id, run_id)
    return True


async def _store(connection: AsyncConnection, org_id: UUID, clay_run_id: str) -> None:
    if await poll_now(connection, org_id, clay_run_id):
        state = ReportState.KNOWN
    elif await has_open_start(connection, org_id):
        state = ReportState.WAITING
    else:  # of another client; waiting reports are limited
        state = ReportState.UNRELATED
    await store_report(connection, org_id, clay_run_id, state)
    await queue.wake_enrichment(connection, org_id)


def _secret(request: Request, endpoint: Endpoint | None) -> bytes | None:
    if endpoint is None or endpoint.sealed_webhook_secret is None:
        return None
    try:
        return require_box(request).open(endpoint.sealed_webhook_secret, endpoint.org_id, endpoint.id).encode()
    except SecretError:
        return None


def is_signed(body: bytes, secret: bytes | None, signature: str) -> bool:
    """Compares in constant time. `signature`: `sha256=` and the HMAC of the body in hexadecimal digits."""
    expected = "sha256=" + hmac.new(secret or NO_SECRET, body, hashlib.sha256).hexdigest()
    is_equal = hmac.compare_digest(expected.encode(), signature.strip().lower().encode(errors="surrogateescape"))
    return is_equal and secret is not None


def read_run_id(body: bytes) -> str | None:
    """Returns None for a test event, whose `data` is empty. Raises 422 for a body that is not an event."""
    try:
        event: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        event = None
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(data, dict):
        raise InvalidError(
            "The body is not an event of a finished run.", errors=[{"field": "data", "message": "An object"}]
        )
    run_id = data.get("routine_run_id")
    return run_id if isinstance(run_id, str) and _RUN_ID.fullmatch(run_id) and run_id not in {".", ".."} else None
