"""Lists results, and applies one from quarantine on request (replay)."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination as cursor
from clay_push_service.audit import audit
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.enrichment.inbound import results
from clay_push_service.enrichment.inbound.apply import apply_results
from clay_push_service.enrichment.inbound.body import parse_body
from clay_push_service.enrichment.inbound.read_result import ReadResult, read_result
from clay_push_service.enrichment.inbound.results import Finished, ResultCause, ResultRow, ResultState, WaitingResult
from clay_push_service.enrichment.inbound.schemas import ResultPage, ResultView
from clay_push_service.enrichment.values import store
from clay_push_service.enrichment.values.custom_fields import read_custom_fields
from clay_push_service.enrichment.values.fields import FieldNames
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.host.tables import HostTables

EXPLANATIONS: Mapping[ResultCause, str] = MappingProxyType(
    {
        ResultCause.NO_ID: "The body names no lead. Add `delivery_id` to the body of the HTTP API column, and pick the column"
        " that holds it.",
        ResultCause.UNKNOWN_ID: "The ids in the body belong to no delivery or lead of your organization. Check that the row came"
        " from this service, and that the token belongs to the right organization.",
        ResultCause.NOT_AN_OBJECT: "The body is not a JSON object. Send one object for each row.",
        ResultCause.COLUMN_NOT_PICKED: "The body holds the name of a column as text where an id should be. In Clay, type / and"
        " pick the column from the list.",
        ResultCause.SECRET_UNREADABLE: "The stored body cannot be decrypted. The NexusLeads operator must restore the encryption"
        " key, then apply the result.",
        ResultCause.ERROR: "An unexpected error occurred. Apply the result again after the next release, or report it.",
        ResultCause.ERASED: "The lead was erased. Nothing of the result is kept.",
    }
)


async def list_results(
    connection: AsyncConnection,
    box: SecretBox | None,
    org_id: UUID,
    state: ResultState | None,
    after: str | None,
    limit: int,
) -> ResultPage:
    """A page, newest first. Raises 400 `cursor_invalid`."""
    before = None
    if after is not None:
        [key] = cursor.decode(after, 1)
        before = cursor.serial(key)
    values = {"org_id": org_id, "state": state, "before": before, "limit": limit + 1}
    rows = await results.READ.rows(connection, values)
    names = FieldNames(await read_custom_fields(connection, org_id))
    page = rows[:limit]
    return ResultPage(
        results=[_view(row, _content(box, org_id, row.id, row.sealed_body, names, row.received_at)) for row in page],
        next_cursor=cursor.encode(page[-1].seq) if len(rows) > limit else None,
    )


async def apply_one(
    connection: AsyncConnection, tables: HostTables, box: SecretBox, org_id: UUID, actor: str, result_id: UUID
) -> Finished:
    """Apply a result from quarantine, or one that the worker has not applied yet.

    Raises 404 `result_not_found`, 409 `result_applied` or `result_not_applicable`.
    """
    await store.lock(connection, org_id)
    row = await results.TAKE_ONE.one_or_none(connection, {"org_id": org_id, "id": result_id})
    if row is None:
        raise NotFoundError("Your organization has no result with this id.", code="result_not_found")
    if row.state in {ResultState.APPLIED, ResultState.NOTHING_NEW}:
        raise ConflictError("This result was applied already.", code="result_applied")
    if row.sealed_body is None:
        raise ConflictError(
            "The body of this result is no longer kept. Run the row again in Clay.", code="result_not_applicable"
        )
    waiting = WaitingResult(row.id, row.received_at, row.sealed_body)
    [finished] = await apply_results(connection, tables, box, org_id, [waiting])
    details = {"result_id": str(result_id), "state": finished.state.value}
    await audit(connection, org_id, actor, "result.applied", details)
    return finished


async def read_one(connection: AsyncConnection, box: SecretBox, org_id: UUID, result_id: UUID) -> ResultView:
    """Reads a result that exists."""
    row = await results.READ_ONE.one(connection, {"org_id": org_id, "id": result_id})
    names = FieldNames(await read_custom_fields(connection, org_id))
    return _view(row, _content(box, org_id, row.id, row.sealed_body, names, row.received_at))


def _content(
    box: SecretBox | None, org_id: UUID, result_id: UUID, sealed: bytes | None, names: FieldNames, at: datetime
) -> ReadResult | None:
    if box is None or sealed is None:
        return None
    try:
        body = box.open(sealed, org_id, result_id)
    except SecretError:
        return None
    return read_result(parse_body(body.encode()), names, at)


def _view(row: ResultRow, content: ReadResult | None) -> ResultView:
    cause = None if row.cause is None else ResultCause(row.cause)
    return ResultView(
        id=row.id,
        state=ResultState(row.state),
        cause=cause,
        explanation=None if cause is None else EXPLANATIONS[cause],
        received_at=row.received_at,
        last_seen_at=row.last_seen_at,
        seen_count=row.seen_count,
        applied_at=row.applied_at,
        delivery_id=row.delivery_id or (content.delivery_id if content is not None else None),
        lead_id=row.lead_id or (content.lead_id if content is not None else None),
        item_id=content.item_id if content is not None else None,
        fields=content.found if content is not None else None,
    )
