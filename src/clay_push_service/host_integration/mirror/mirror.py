"""Shows push jobs in NexusLeads: on its Jobs page and as "Pushed to Clay". Runs after our own commit and never delays a push.

Each pass compares and writes the differences, one transaction per push job, one writer at a time. It catches up after any
outage, and repairs rows that the host's processor changed. A lock held by the host delays a pass by one second at most.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.callers.actor import Actor
from clay_push_service.database.clock import NOW
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.errors import ClayPushError
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach.attachment import may_write_host_rows, try_lock_host_rows
from clay_push_service.host_integration.attach.host_schema import HostSchema, read_host_schema
from clay_push_service.host_integration.mirror import read as mirror_read
from clay_push_service.host_integration.mirror.marks import has_unmarked_successes, mark_successes
from clay_push_service.host_integration.mirror.read import Pair, read_due, read_pair
from clay_push_service.host_integration.mirror.rows import host_row
from clay_push_service.host_integration.mirror.write import SETTLE, UNSETTLE, set_writer, write_job
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.states import JobStatus

PASS_SECONDS = 1.0
UNATTACHED_SECONDS = 5.0
"""Also after a failed pass: the host's tables are locked, or the database is unreachable."""
CHECK_SECONDS = 10.0
"""Between two checks of rows whose end is written: the host's processor may still change one."""
CHECKED_FOR = timedelta(minutes=10)
OVERLAP = timedelta(minutes=10)
"""Longer than any transaction that creates a push job."""
SCHEMA_SECONDS = 10.0
FAILURES_A_PASS = 3
"""After so many failures (most likely the host is migrating) the pass ends."""
ACTOR = "host"
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)

log = logs.get(__name__)


@dataclass(slots=True)
class PassResult:
    """Push jobs by result of one pass."""

    written: int = 0
    cancelled: int = 0
    failed: int = 0
    left: bool = False
    """More push jobs remain, for another worker or the next pass."""


class Mirror:
    """One per worker process, with its own connection pool: a push never waits for a connection that waits for the host."""

    def __init__(self, database: Database, host: HostTableCache) -> None:
        self._database = database
        self._host = host
        self._since = BEGINNING
        self._checked_at = float("-inf")
        self._failing: dict[UUID, int] = {}
        self._host_schema: tuple[float, HostSchema] | None = None

    async def run(self) -> None:
        """Runs until cancelled and retries after every error."""
        while True:
            pause = UNATTACHED_SECONDS
            try:
                if await self.run_pass() is not None:
                    pause = PASS_SECONDS
            except Exception as error:  # noqa: BLE001 - the database, or a migration of the host's tables
                log.warning("mirror.pass_failed", **failure(error))
            await asyncio.sleep(pause)

    async def run_pass(self) -> PassResult | None:
        """Compares everything that may differ, and writes the differences. None: the attachment level does not include the mirror.

        After an error the next pass detects the host's tables again.
        """
        try:
            return await self._compare_all()
        except BaseException:
            self._invalidate()
            raise

    async def _compare_all(self) -> PassResult | None:
        checks = time.monotonic() - self._checked_at >= CHECK_SECONDS
        async with self._database.transaction() as connection:
            if not await may_write_host_rows(connection, self._host.schema):
                return None
            await set_writer(connection)
            host_schema = await self._current_host_schema(connection)
            started_at = await NOW.one(connection)
            due = await read_due(connection, host_schema, self._since, started_at - CHECKED_FOR if checks else None)
        result = PassResult(left=len(due) >= mirror_read.BATCH)
        for pair in sorted(due, key=lambda pair: self._failing.get(pair.job.id, 0)):
            if result.failed >= FAILURES_A_PASS:
                break
            try:
                await self._update(host_schema, pair, result)
                self._failing.pop(pair.job.id, None)
            except Exception as error:  # noqa: BLE001 - one job's failure must not block the others
                self._invalidate()
                result.failed += 1
                self._failing[pair.job.id] = self._failing.get(pair.job.id, 0) + 1
                log.warning("mirror.job_failed", job_id=str(pair.job.id), **failure(error))
        if not result.failed and not result.left:
            self._since = started_at - OVERLAP
            self._checked_at = time.monotonic() if checks else self._checked_at
        return result

    async def _current_host_schema(self, connection: AsyncConnection) -> HostSchema:
        if self._host_schema is None or time.monotonic() - self._host_schema[0] > SCHEMA_SECONDS:
            self._host_schema = (
                time.monotonic(),
                await read_host_schema(connection, await self._host.tables(connection)),
            )
        return self._host_schema[1]

    def _invalidate(self) -> None:
        """Called after an error: the host's tables may have changed."""
        self._host_schema = None
        self._host.invalidate()

    async def _update(self, host_schema: HostSchema, pair: Pair, result: PassResult) -> None:
        if not _needs_update(pair, host_schema):
            return
        if _is_cancelled_by_host(pair):
            await self._cancel(pair)
            result.cancelled += 1
            return
        more = True
        while more:
            async with self._database.transaction() as connection:
                if not await try_lock_host_rows(connection, self._host.schema):
                    result.left = True
                    return
                await set_writer(connection)
                more = await _write(connection, host_schema, pair.job.id)
        result.written += 1

    async def _cancel(self, pair: Pair) -> None:
        """Cancels the push job that was cancelled in the host, in a transaction that holds no lock of the host."""
        try:
            async with self._database.transaction() as connection:
                await cancel(connection, Actor(pair.job.org_id, ACTOR), pair.job.id)
            log.info("push_job.cancelled_by_host", job_id=str(pair.job.id))
        except ClayPushError:
            pass  # it has just finished: the next pass writes its end


def _is_cancelled_by_host(pair: Pair) -> bool:
    live = not pair.job.has_ended and not pair.job.cancel_requested
    return live and pair.shown is not None and pair.shown.status == JobStatus.CANCELLED


def _needs_update(pair: Pair, host_schema: HostSchema) -> bool:
    if pair.shown is None:
        return pair.host_job_id is None or not pair.is_settled
    if pair.shown != host_row(pair.job) or has_unmarked_successes(pair, host_schema):
        return True
    return pair.job.has_ended and not pair.is_settled


async def _write(connection: AsyncConnection, host_schema: HostSchema, job_id: UUID) -> bool:
    """Writes one transaction's share of a push job. True: more successes must be marked."""
    pair = await read_pair(connection, host_schema, job_id)
    if not _needs_update(pair, host_schema) or _is_cancelled_by_host(pair):
        return False
    if pair.is_settled:
        await UNSETTLE.execute(connection, {"job_id": job_id})
    if pair.shown != host_row(pair.job):
        if not await write_job(connection, host_schema, pair):
            return False
        pair = await read_pair(connection, host_schema, job_id)
    if pair.host_job_id is None:
        return False
    if has_unmarked_successes(pair, host_schema) and not await mark_successes(
        connection, host_schema, pair, pair.host_job_id
    ):
        return True
    if pair.job.has_ended:
        await SETTLE.execute(connection, {"job_id": job_id})
    return False
