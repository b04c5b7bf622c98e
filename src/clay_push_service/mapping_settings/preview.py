"""Renders up to five real leads with a mapping, with sizes and warnings. Reads only; nothing is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_rows
from clay_push_service.deliveries.eligibility import is_erased
from clay_push_service.errors import NotFoundError
from clay_push_service.host.lead_filters import LeadCriteria, read_page
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.leads import select_by_id
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.mapping.columns import Column, clay_fields, parse_columns
from clay_push_service.leads.mapping.compile import ClayValues, CompiledMapping
from clay_push_service.leads.mapping.values import ColumnType, EmptyValue, is_empty
from clay_push_service.leads.payload import NIL
from clay_push_service.leads.payload_fields import PayloadError
from clay_push_service.leads.sample_payload import SAMPLE
from clay_push_service.mappings.clay_values import LeadKey, read_clay_values

MOST_LEADS = 5
CELL_BYTES = 8_000
"""Bytes of a cell of Clay. A longer text breaks when it is extracted to a column."""


class CellWarning(NamedTuple):
    key: str
    message: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """One lead. `problem`: why it could not be sent."""

    lead_id: UUID | None
    username: str | None
    size: int
    payload: dict[str, object] | None
    warnings: Sequence[CellWarning]
    problem: str | None = None


async def render(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    columns: Sequence[Column],
    project_id: UUID | None,
    lead_ids: Sequence[UUID] | None,
    now: datetime,
) -> list[Rendered]:
    """Renders the leads. `columns` are valid. Without a project and leads, renders the sample lead of connection tests."""
    rows = await _read_rows(connection, tables, org_id, project_id, lead_ids)
    parsed, _ = parse_columns(columns)
    leads = [LeadKey(org_id, row.lead_id) for row in rows]
    found = await read_clay_values(connection, leads, clay_fields(parsed))
    mapping = CompiledMapping(parsed)
    # The same columns without types: shows which values the type of a column empties.
    plain, _ = parse_columns([replace(each, type=ColumnType.JSON, empty=EmptyValue.AS_IS) for each in columns])
    untyped = CompiledMapping(plain)
    return [_render(row, columns, mapping, untyped, found.get(LeadKey(org_id, row.lead_id), {}), now) for row in rows]


class _Chosen(NamedTuple):
    lead_id: UUID
    project_id: UUID


async def _read_rows(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    project_id: UUID | None,
    lead_ids: Sequence[UUID] | None,
) -> list[LeadRow]:
    """Reads the given leads, or the first ones of the project by score, without erased ones."""
    if lead_ids is None and project_id is None:
        return [SAMPLE]
    is_named = lead_ids is not None
    if lead_ids is None and project_id is not None:
        page = await read_page(connection, tables, org_id, project_id, LeadCriteria(), None, MOST_LEADS)
        lead_ids = [each.lead_id for each in page]
    by_id = select_by_id(tables, org_id, lead_ids or [], project_id).subquery("wanted")
    query = select(by_id.c.lead_id, by_id.c.project_id).where(is_erased(by_id.c.lead_id, org_id).is_not(True))
    chosen = {row.lead_id: row.project_id for row in await select_rows(connection, query, _Chosen)}
    if is_named and lead_ids is not None and (missing := [each for each in lead_ids if each not in chosen]):
        raise NotFoundError(
            "These leads are not leads of your organization's project, or were erased.", code="lead_not_found",
            extra={"lead_ids": [str(each) for each in missing]},
        )  # fmt: skip
    rows: dict[UUID, LeadRow] = {}
    for each in sorted(set(chosen.values())):
        ids = [lead_id for lead_id, of in chosen.items() if of == each]
        rows.update(await read_lead_rows(connection, tables, org_id, each, ids))
    return [rows[each] for each in lead_ids or () if each in rows]


def _render(
    row: LeadRow,
    columns: Sequence[Column],
    mapping: CompiledMapping,
    untyped: CompiledMapping,
    values: ClayValues,
    now: datetime,
) -> Rendered:
    lead_id = None if row is SAMPLE else row.lead_id
    try:
        payload = mapping.build(row, NIL, now, values)
        raw = _read(untyped.build(row, NIL, now, values).body)
    except PayloadError as error:
        return Rendered(lead_id, row.username, 0, None, [], error.detail)
    written = _read(payload.body)
    warnings = [
        CellWarning(column.key, message)
        for column in columns
        for message in _warnings(column, written[column.key], raw[column.key])
    ]
    return Rendered(lead_id, row.username, len(payload.body), written, warnings)


def _read(body: bytes) -> dict[str, object]:
    return cast("dict[str, object]", orjson.loads(body))


def _warnings(column: Column, value: object, raw: object) -> list[str]:
    found = []
    size = len(value.encode()) if isinstance(value, str) else len(orjson.dumps(value))
    if size > CELL_BYTES and not isinstance(value, dict):
        found.append(
            f"has {size:,} bytes; a cell of Clay holds 8 KB, so it breaks when it is extracted. Add `truncate`."
        )
    if value in (None, "") and not is_empty(raw):  # type: ignore[arg-type]  # JSON
        found.append(f"is empty, because the value is no {column.type}")
    if (
        column.type is ColumnType.URL
        and isinstance(value, str)
        and value
        and not value.startswith(("http://", "https://"))
    ):
        found.append("is no web address: Clay may not recognise it without https://")
    if column.type is ColumnType.EMAIL and isinstance(value, str) and value and "@" not in value:
        found.append("is no e-mail address")
    return found
