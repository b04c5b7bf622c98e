"""Receives one result: checks the token, reads and parses the body within limits, and commits it before the response.

It applies nothing (see `applier`). One look-up and one INSERT, each its own transaction, so that 100 results a second are accepted.
"""

import re
from collections.abc import Sequence
from uuid import UUID

from starlette.requests import Request

from clay_push_service import metrics
from clay_push_service.callers.request_body import read_json
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.destinations.dependencies import require_box
from clay_push_service.enrichment.inbound import results
from clay_push_service.enrichment.inbound.body import MAX_BYTES, parse_body
from clay_push_service.enrichment.inbound.quarantine import EXPLANATIONS
from clay_push_service.enrichment.inbound.read_result import ReadResult, UnusableResult, read_result
from clay_push_service.enrichment.inbound.results import ResultCause, StoreResult
from clay_push_service.enrichment.inbound.schemas import ReceivedResult
from clay_push_service.enrichment.inbound.tokens import Sender, find_sender, record_use
from clay_push_service.enrichment.values.fields import FieldNames
from clay_push_service.errors import InvalidError, UnauthorizedError

TOKEN_HEADER = "X-Clay-Push-Token"  # noqa: S105 - a header's name
UNAUTHORIZED = (
    "The results token is missing or wrong. In Clay, set the header `Authorization` to `Bearer ` and the token, or"
    f" `{TOKEN_HEADER}` to the token."
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)


async def receive(
    request: Request, database: Database, clock: DatabaseClock, endpoint_id: str, body_seconds: float
) -> ReceivedResult:
    """Raises 401 (the same for an unknown endpoint and a wrong token), 408, 413, 415 and 422. Never 429: Clay would lose the row."""
    sender = await _authenticate(request, database, endpoint_id)
    box = require_box(request)
    body = await read_json(request, MAX_BYTES, body_seconds)
    if not body:
        raise InvalidError("The body is empty.", errors=[{"field": "body", "message": "The body is empty"}])
    read = read_result(parse_body(body), FieldNames(sender.custom_names), clock.now())
    result_id = results.id_of(sender.org_id, sender.endpoint_id, body)
    sealed = box.seal(body.decode(), sender.org_id, result_id)
    async with database.driver() as connection:
        stored = await results.store(connection, sender.org_id, sender.endpoint_id, result_id, sealed, read.delivery_id)
        await record_use(connection, sender)
    metrics.RESULTS_STORED.labels(repeated=str(stored.seen_count > 1).lower()).inc()
    return _answer(read, stored)


async def _authenticate(request: Request, database: Database, endpoint_id: str) -> Sender:
    parsed_id = UUID(endpoint_id) if _UUID.fullmatch(endpoint_id) else None
    async with database.driver() as connection:
        sender = await find_sender(connection, parsed_id, _tokens(request))
    if sender is None:
        raise UnauthorizedError(UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
    return sender


def _tokens(request: Request) -> Sequence[str]:
    """Returns the token of each header. Without a header it returns an empty token, whose comparison takes the same time."""
    scheme, _, credential = request.headers.get("authorization", "").strip().partition(" ")
    bearer = credential.strip() if scheme.lower() == "bearer" else ""
    return bearer, request.headers.get(TOKEN_HEADER, "").strip()


def _answer(read: ReadResult, stored: StoreResult) -> ReceivedResult:
    return ReceivedResult(
        received=True,
        result_id=stored.id,
        known=stored.is_known,
        repeated=stored.seen_count > 1,
        message=_message(read, stored),
        recognised=read.found,
        not_found=read.not_found,
        ignored=list(read.ignored),
        warnings=list(read.warnings),
    )


def _message(read: ReadResult, stored: StoreResult) -> str:
    match read.problem:
        case UnusableResult.NOT_AN_OBJECT:
            return EXPLANATIONS[ResultCause.NOT_AN_OBJECT]
        case UnusableResult.COLUMN_NOT_PICKED:
            return EXPLANATIONS[ResultCause.COLUMN_NOT_PICKED]
        case UnusableResult.NO_ID:
            return EXPLANATIONS[ResultCause.NO_ID]
    if read.delivery_id is not None and not stored.is_known and read.lead_id is None:
        return EXPLANATIONS[ResultCause.UNKNOWN_ID]
    if not read.found:
        return "Received, without a value of a known field."
    number = len(read.found)
    return f"Received {number} {'value' if number == 1 else 'values'}: {', '.join(read.found)}."
