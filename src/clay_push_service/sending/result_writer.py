"""Writes the results of all slices of a worker in batches, by count and by time; loses none while the process lives."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from clay_push_service import logs, metrics
from clay_push_service.clay.cause import Cause
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE, is_about_the_data
from clay_push_service.deliveries.end_queued import end_queued_of_version
from clay_push_service.deliveries.results import Result, record
from clay_push_service.states import DeliveryStatus

FLUSH_ROWS = 200
FLUSH_SECONDS = 0.05
"""A crash leaves at most this many rows, or this many seconds, sent and unrecorded, so `unknown`."""
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0)
"""Between attempts of a write that failed; the last one repeats without end: results are the only record of what Clay accepted."""

log = logs.get(__name__)


class ResultWriter:
    """One per worker. `add` never blocks; `flush` returns when everything added before it is written."""

    def __init__(self, database: Database, probe_seconds: float) -> None:
        self._database = database
        self._probe_seconds = probe_seconds
        self._waiting: list[Result] = []
        self._full = asyncio.Event()
        self._writing = asyncio.Lock()

    def add(self, result: Result) -> None:
        self._waiting.append(result)
        if len(self._waiting) >= FLUSH_ROWS:
            self._full.set()

    async def run(self) -> None:
        """Write until cancelled; `flush` writes the rest."""
        while True:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._full.wait()
            except TimeoutError:
                pass
            await self.flush()

    async def flush(self) -> None:
        async with self._writing:
            self._full.clear()
            batch, self._waiting = self._waiting, []
            try:
                while batch:
                    batch = batch[await self._write_with_retries(batch) :]
            finally:
                self._waiting = batch + self._waiting  # after a cancellation the next flush writes them

    async def _write_with_retries(self, batch: list[Result]) -> int:
        """Write the batch, halved while one of its results cannot be written. Returns how many results are written or given up."""
        tries = 0
        while True:
            try:
                await self._write(batch)
            except UNAVAILABLE as error:
                if is_about_the_data(error):
                    if len(batch) > 1:
                        batch = batch[: len(batch) // 2]
                        continue
                    # Its lease expires and it becomes `unknown`, as after a crash; it must not block the others.
                    log.exception("result.not_writable", delivery_id=str(batch[0].delivery_id), **failure(error))
                    return 1
                delay = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
                tries += 1
                log.warning("results.not_written", results=len(batch), **failure(error), tries=tries)
                await asyncio.sleep(delay)
            else:
                return len(batch)

    async def _write(self, batch: Sequence[Result]) -> None:
        """Write a batch in one transaction, then end what is queued for the destinations that it has closed."""
        started = time.perf_counter()
        async with self._database.driver() as connection, connection.transaction():
            recorded = await record(connection, batch, self._probe_seconds)
        metrics.results_written(time.perf_counter() - started)
        for result, status in recorded.written:
            _log_attempt(result, status)
        metrics.attempted(
            Counter((status, result.outcome.cause) for result, status in recorded.written),
            [result.duration_ms for result, _ in recorded.written if result.sent and result.duration_ms is not None],
        )
        metrics.sent_in_slots([each.late_seconds for each, _ in recorded.written if each.late_seconds is not None])
        if lost := len(batch) - len(recorded.written):
            metrics.CLAIMS_LOST.inc(lost)
            log.warning("claims.lost", results=lost)
        for version_id, cause in recorded.closed.items():
            await self._end_queued(version_id, cause)

    async def _end_queued(self, version_id: UUID, cause: Cause) -> None:
        log.warning("destination.closed", version_id=str(version_id), cause=cause)
        try:
            async with self._database.transaction() as connection:
                await end_queued_of_version(connection, version_id, cause)
        except UNAVAILABLE as error:  # the results are written; each job's next slice ends its own
            log.warning("destination.queue_not_ended", version_id=str(version_id), **failure(error))


def _log_attempt(result: Result, status: DeliveryStatus) -> None:
    """Log one line per attempt. Successes only at DEBUG: their rows hold the same, and there may be 3,000 a second."""
    if status is DeliveryStatus.SUCCESS and not logging.getLogger().isEnabledFor(logging.DEBUG):
        return
    log.info(
        "delivery.attempted", delivery_id=str(result.delivery_id), job_id=str(result.job_id), status=status,
        cause=result.outcome.cause, clay_response_status=result.outcome.status, duration_ms=result.duration_ms,
        earlier_attempts=result.attempts,
        late_ms=None if result.late_seconds is None else round(result.late_seconds * 1000, 1),
        sent=result.sent, again_in_seconds=round(result.delay_seconds, 1),
    )  # fmt: skip
