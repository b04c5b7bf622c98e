"""Ends host job rows that have no push job (nothing to send, not configured, detached), always with a message."""

import json
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from clay_push_service import logs
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import is_about_the_data
from clay_push_service.database.statement import Statement
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach.attachment import try_lock_host_rows
from clay_push_service.host_integration.attach.host_schema import read_host_schema
from clay_push_service.host_integration.mirror.rows import MANAGED_BY
from clay_push_service.host_integration.mirror.write import end_row, set_writer
from clay_push_service.states import JobStatus

BATCH = 50

log = logs.get(__name__)


class _UnwrittenEnd(NamedTuple):
    id: int
    host_job_id: UUID
    push_mode: str | None
    end_status: str
    end_message: str


UNWRITTEN = Statement(
    f"""
SELECT id, host_job_id, push_mode, end_status, end_message FROM clay.inbox
WHERE end_status IS NOT NULL AND written_at IS NULL AND due_at <= now() ORDER BY id LIMIT {BATCH}
""",
    _UnwrittenEnd,
)
POSTPONE = Statement("UPDATE clay.inbox SET due_at = now() + interval '1 minute' WHERE id = :id")
WRITTEN = Statement("UPDATE clay.inbox SET written_at = now() WHERE id = :id")


async def end_host_jobs(database: Database, host: HostTableCache) -> None:
    """Ends rows in one transaction, if this process gets the lock; the next call continues."""
    async with database.transaction() as connection:
        if not await UNWRITTEN.rows(connection) or not await try_lock_host_rows(connection, host.schema):
            return
        await set_writer(connection)
        host_schema = await read_host_schema(connection, await host.tables(connection))
        for row in await UNWRITTEN.rows(connection):
            metadata = json.dumps({"managed_by": MANAGED_BY, "push_mode": row.push_mode, "summary": row.end_message})
            status = JobStatus(row.end_status)
            try:
                async with connection.begin_nested():
                    await end_row(connection, host_schema, row.host_job_id, status, row.end_message, metadata)
                    await WRITTEN.execute(connection, {"id": row.id})
            except DBAPIError as error:
                # A check or trigger of the host refuses the row. Postponed, so that it does not block the rows after it.
                if not is_about_the_data(error):
                    raise
                log.warning("inbox.end_not_written", host_job_id=str(row.host_job_id), **failure(error))
                await POSTPONE.execute(connection, {"id": row.id})
