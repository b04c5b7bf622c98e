"""Reads the deliveries of a push job, page by page or as a CSV file without executable spreadsheet formulas."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import pagination as cursor
from clay_push_service.clay.cause import Cause
from clay_push_service.database.database import Database
from clay_push_service.database.failures import on_fresh_plan
from clay_push_service.database.statement import Statement
from clay_push_service.push_jobs.queries.jobs import not_found
from clay_push_service.push_jobs.views import DeliveryPage, DeliveryView, LeadRef
from clay_push_service.states import DeliveryStatus

PAGE_OF_CSV = 2000
BOM = "\ufeff"
"""Without it, Excel reads UTF-8 in the regional character set."""
FORMULA = re.compile(r"""(^|[,;|\t\r\n])([\s\x00-\x1f\u200b\ufeff"']*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])""")
"""The places where a formula can begin, for each separator that a spreadsheet may split by: it may ignore our quotes, and lead
data is untrusted. Excel treats the full-width characters of the last group like the ASCII ones."""
COLUMNS = (
    "delivery_id", "lead_id", "username", "full_name", "status", "cause", "error_message", "clay_response_status",
    "attempts", "pushed_at", "uncertain_attempts", "confirmed_at",
)  # fmt: skip

EXISTS = Statement("SELECT 1 FROM clay.push_jobs WHERE org_id = :org_id AND id = :job_id", int)


class DeliveryRow(NamedTuple):
    id: UUID
    seq: int
    contributor_id: UUID
    username: str | None
    full_name: str | None
    status: str
    cause: str | None
    error_message: str | None
    clay_response_status: int | None
    attempts: int
    uncertain_attempts: int
    pushed_at: datetime | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """None: no condition."""

    status: DeliveryStatus | None = None
    cause: Cause | None = None
    search: str | None = None


READ = Statement(
    """
SELECT id, seq, contributor_id, username, full_name, status, cause, error_message, clay_response_status, attempts,
       uncertain_attempts, pushed_at, confirmed_at
FROM clay.clay_push_log
WHERE job_id = :job_id AND org_id = :org_id AND seq > :after
  AND (CAST(:status AS text) IS NULL OR status = :status) AND (CAST(:cause AS text) IS NULL OR cause = :cause)
  AND (CAST(:search AS text) IS NULL OR strpos(lower(concat_ws(' ', username, full_name)), lower(:search)) > 0)
ORDER BY seq LIMIT :limit
""",
    DeliveryRow,
)


async def require_job(connection: AsyncConnection, org_id: UUID, job_id: UUID) -> None:
    """Raises 404 `job_not_found`, also for a job of another organization."""
    if not await EXISTS.rows(connection, {"org_id": org_id, "job_id": job_id}):
        raise not_found()


async def read_deliveries(
    connection: AsyncConnection,
    org_id: UUID,
    job_id: UUID,
    *,
    status: DeliveryStatus | None = None,
    cause: Cause | None = None,
    search: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> DeliveryPage:
    """A page of deliveries, in the order they are sent. `search`: a part of the user name or name. Raises 404 `job_not_found`."""
    await require_job(connection, org_id, job_id)
    seq = 0
    if after is not None:
        [key] = cursor.decode(after, 1)
        seq = cursor.serial(key)
    rows = await _rows(connection, org_id, job_id, seq, limit + 1, DeliveryFilter(status, cause, search))
    page = rows[:limit]
    return DeliveryPage(
        leads=[
            DeliveryView(
                delivery_id=row.id,
                lead=LeadRef(id=row.contributor_id, username=row.username, full_name=row.full_name),
                status=DeliveryStatus(row.status),
                cause=None if row.cause is None else Cause(row.cause),
                error_message=row.error_message,
                clay_response_status=row.clay_response_status,
                attempts=row.attempts,
                uncertain_attempts=row.uncertain_attempts,
                pushed_at=row.pushed_at,
                confirmed_at=row.confirmed_at,
            )
            for row in page
        ],
        next_cursor=cursor.encode(page[-1].seq) if len(rows) > limit else None,
    )


async def _rows(
    connection: AsyncConnection,
    org_id: UUID,
    job_id: UUID,
    after: int,
    limit: int,
    wanted: DeliveryFilter,
) -> Sequence[DeliveryRow]:
    values = {
        "org_id": org_id, "job_id": job_id, "after": after, "limit": limit, "status": wanted.status, "cause": wanted.cause,
        "search": wanted.search or None,
    }  # fmt: skip
    return await READ.rows(connection, values)


async def csv_lines(database: Database, org_id: UUID, job_id: UUID, wanted: DeliveryFilter) -> AsyncIterator[str]:
    """The whole job as CSV, in chunks; no connection is held while a slow client reads."""
    yield BOM + csv_text([COLUMNS])
    after = 0
    while True:
        rows = await on_fresh_plan(partial(_page, database, org_id, job_id, after, wanted))
        if not rows:
            return
        yield csv_text(
            (row.id, row.contributor_id, row.username, row.full_name, row.status, row.cause, row.error_message,
             row.clay_response_status, row.attempts, row.pushed_at.isoformat() if row.pushed_at else None,
             row.uncertain_attempts, row.confirmed_at.isoformat() if row.confirmed_at else None)
            for row in rows
        )  # fmt: skip
        after = rows[-1].seq


async def _page(
    database: Database, org_id: UUID, job_id: UUID, after: int, wanted: DeliveryFilter
) -> Sequence[DeliveryRow]:
    async with database.transaction() as connection:
        return await _rows(connection, org_id, job_id, after, PAGE_OF_CSV, wanted)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows([[escape_cell(cell) for cell in row] for row in rows])
    return written.getvalue()


def escape_cell(cell: object) -> str:
    """A cell that a spreadsheet displays and does not compute, for every separator (OWASP, CSV injection).

    Inserts an apostrophe before each character that could begin a formula.
    """
    return "" if cell is None else FORMULA.sub(r"\1\2'", str(cell))
