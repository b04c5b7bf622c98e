"""Shows push jobs to NexusLeads: its Jobs page, its "Pushed to Clay". Behind our own commit; it can hold no push up.

Every pass compares and writes what differs, a push job a transaction, one writer at a time. So it catches up after any
outage, and puts right what the host's processor does to our rows. A lock of the host's costs a pass a second, nothing else.
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
from clay_push_service.host_integration.attach.attachment import mirrors, take_turn
from clay_push_service.host_integration.attach.host_schema import HostSchema, read_host_schema
from clay_push_service.host_integration.mirror import read as mirror_read
from clay_push_service.host_integration.mirror.marks import mark, marks_due
from clay_push_service.host_integration.mirror.read import Pair, read_due, read_pair
from clay_push_service.host_integration.mirror.rows import host_row
from clay_push_service.host_integration.mirror.write import SETTLE, UNSETTLE, bound, write_job
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.states import JobStatus

PASS_SECONDS = 1.0
UNATTACHED_SECONDS = 5.0
"""Also after a pass that failed as a whole: the host is busy with its tables, or the database is away."""
CHECK_SECONDS = 10.0
"""Between two looks at rows whose end is written: the host's processor may have had one in hand."""
CHECKED_FOR = timedelta(minutes=10)
OVERLAP = timedelta(minutes=10)
"""No transaction that makes a push job is open for longer."""
SHAPE_SECONDS = 10.0
FAILURES_A_PASS = 3
"""Then the host is busy (a migration, most likely): the rest waits for the next pass."""
ACTOR = "host"
EVER = datetime(2000, 1, 1, tzinfo=UTC)

log = logs.get(__name__)


@dataclass(slots=True)
class PassResult:
    """What one pass did, in push jobs."""

    written: int = 0
    cancelled: int = 0
    failed: int = 0
    left: bool = False
    """To another worker, or to the next pass: there is more than was dealt with."""


class Mirror:
    """One a worker process, with a pool of its own: a push never waits for a connection that waits for the host."""

    def __init__(self, database: Database, host: HostTableCache) -> None:
        self._database = database
        self._host = host
        self._since = EVER
        self._checked_at = float("-inf")
        self._failing: dict[UUID, int] = {}
        self._host_schema: tuple[float, HostSchema] | None = None

    async def run(self) -> None:
        """Until cancelled. Whatever fails is tried again."""
        while True:
            pause = UNATTACHED_SECONDS
            try:
                if await self.run_pass() is not None:
                    pause = PASS_SECONDS
            except Exception as error:  # noqa: BLE001 - the database, or the host's tables in the middle of a migration
                self._forget()
                log.warning("mirror.pass_failed", **failure(error))
            await asyncio.sleep(pause)

    async def run_pass(self) -> PassResult | None:
        """Look at everything that may differ, and write what does. None: not attached at this level."""
        checks = time.monotonic() - self._checked_at >= CHECK_SECONDS
        async with self._database.transaction() as connection:
            if not await mirrors(connection, self._host.schema):
                return None
            await bound(connection)
            host_schema = await self._current_host_schema(connection)
            begun: datetime = (await connection.execute(NOW)).scalar_one()
            due = await read_due(connection, host_schema, self._since, begun - CHECKED_FOR if checks else None)
        passed = PassResult(left=len(due) >= mirror_read.BATCH)
        for pair in sorted(due, key=lambda pair: self._failing.get(pair.job.id, 0)):
            if passed.failed >= FAILURES_A_PASS:
                break
            try:
                await self._bring(host_schema, pair, passed)
                self._failing.pop(pair.job.id, None)
            except Exception as error:  # noqa: BLE001 - one job's rows must not stop another's
                self._forget()
                passed.failed += 1
                self._failing[pair.job.id] = self._failing.get(pair.job.id, 0) + 1
                log.warning("mirror.job_failed", job_id=str(pair.job.id), **failure(error))
        if not passed.failed and not passed.left:
            self._since = begun - OVERLAP
            self._checked_at = time.monotonic() if checks else self._checked_at
        return passed

    async def _current_host_schema(self, connection: AsyncConnection) -> HostSchema:
        if self._host_schema is None or time.monotonic() - self._host_schema[0] > SHAPE_SECONDS:
            self._host_schema = (
                time.monotonic(),
                await read_host_schema(connection, await self._host.tables(connection)),
            )
        return self._host_schema[1]

    def _forget(self) -> None:
        """Something failed: perhaps the host's tables are others now."""
        self._host_schema = None
        self._host.invalidate()

    async def _bring(self, host_schema: HostSchema, pair: Pair, passed: PassResult) -> None:
        if not _due(pair, host_schema):
            return
        if _cancelled_there(pair):
            await self._cancel(pair)
            passed.cancelled += 1
            return
        more = True
        while more:
            async with self._database.transaction() as connection:
                if not await take_turn(connection, self._host.schema):
                    passed.left = True
                    return
                await bound(connection)
                more = await _write(connection, host_schema, pair.job.id)
        passed.written += 1

    async def _cancel(self, pair: Pair) -> None:
        """Cancelled on the host's side: so is the push job. In a transaction without any of the host's locks."""
        try:
            async with self._database.transaction() as connection:
                await cancel(connection, Actor(pair.job.org_id, ACTOR), pair.job.id)
            log.info("push_job.cancelled_by_host", job_id=str(pair.job.id))
        except ClayPushError:
            pass  # it ended in this very moment: the next pass writes its end


def _cancelled_there(pair: Pair) -> bool:
    live = not pair.job.has_ended and not pair.job.cancel_requested
    return live and pair.shown is not None and pair.shown.status == JobStatus.CANCELLED


def _due(pair: Pair, host_schema: HostSchema) -> bool:
    if pair.shown is None:
        return pair.host_job_id is None or not pair.is_settled
    if pair.shown != host_row(pair.job) or marks_due(pair, host_schema):
        return True
    return pair.job.has_ended and not pair.is_settled


async def _write(connection: AsyncConnection, host_schema: HostSchema, job_id: UUID) -> bool:
    """One transaction's share of a push job. True: there is more to mark."""
    pair = await read_pair(connection, host_schema, job_id)
    if not _due(pair, host_schema) or _cancelled_there(pair):
        return False
    if pair.is_settled:
        await connection.execute(UNSETTLE, {"job_id": job_id})
    if pair.shown != host_row(pair.job):
        if not await write_job(connection, host_schema, pair):
            return False
        pair = await read_pair(connection, host_schema, job_id)
    if pair.host_job_id is None:
        return False
    if marks_due(pair, host_schema) and not await mark(connection, host_schema, pair, pair.host_job_id):
        return True
    if pair.job.has_ended:
        await connection.execute(SETTLE, {"job_id": job_id})
    return False
