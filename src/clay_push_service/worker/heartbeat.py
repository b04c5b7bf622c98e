"""The worker's heartbeat: its row in `clay.workers`, updated every few seconds while the queue responds."""

import asyncio
import contextlib
import os
import socket
from uuid import UUID

from clay_push_service import __version__, logs
from clay_push_service.database.clock import DatabaseClock, read_clock
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.statement import Statement
from clay_push_service.worker.queue_worker import QueueWorker

HEARTBEAT_SECONDS = 5.0
QUEUE_UNRESPONSIVE_SECONDS = 30.0
"""A worker whose queue has not responded for this long drains nothing, although the database may respond. It stops its
heartbeat, so that /status, the alert and the health check report it. A pgbouncer that drops our search_path causes this."""
REMOVE_SECONDS = 1.0

RECORD_BEAT = Statement("""
INSERT INTO clay.workers (id, hostname, pid, version, clock_offset_seconds, serves_workspaces, sends_mappings)
VALUES (:id, :hostname, :pid, :version, :clock_offset_seconds, true, true)
ON CONFLICT (id) DO UPDATE SET seen_at = now(), clock_offset_seconds = excluded.clock_offset_seconds
""")
REMOVE_WORKER = Statement("DELETE FROM clay.workers WHERE id = :id")

log = logs.get(__name__)


class Heartbeat:
    def __init__(self, worker_id: UUID, database: Database, clock: DatabaseClock, queue_worker: QueueWorker) -> None:
        self._worker_id = worker_id
        self._database = database
        self._clock = clock
        self._queue_worker = queue_worker

    async def run(self) -> None:
        while True:
            try:
                if self._queue_worker.is_unresponsive(since=0.0, seconds=QUEUE_UNRESPONSIVE_SECONDS):
                    log.error("worker.queue_unresponsive", seconds=round(self._queue_worker.seconds_since_response))
                else:
                    await self.beat()
            except Exception as error:  # noqa: BLE001 - the watchdog ends a worker without a database, not the heartbeat
                log.warning("worker.heartbeat_failed", **failure(error))
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def beat(self) -> None:
        """Adjust the process's clock to the database's and update the worker's row."""
        values = {"id": self._worker_id, "hostname": socket.gethostname(), "pid": os.getpid(), "version": __version__}
        async with self._database.transaction() as connection:
            await read_clock(connection, self._clock)
            await RECORD_BEAT.execute(connection, {**values, "clock_offset_seconds": self._clock.wall_offset_seconds})

    async def remove(self) -> None:
        """Delete the worker's row at a regular end; errors are ignored, the sweep deletes old rows."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(REMOVE_SECONDS), self._database.transaction() as connection:
                await REMOVE_WORKER.execute(connection, {"id": self._worker_id})
