"""Runs procrastinate's worker, which fetches queue jobs, and restarts it when it exits or stops querying the database.

A queue job is only a wake-up, so two procrastinate workers in one process, for a while, do no harm.
"""

import asyncio
import os
import time
from uuid import UUID

import procrastinate

from clay_push_service import logs, queue
from clay_push_service.database.clock import read_clock
from clay_push_service.database.failed_statement import failure
from clay_push_service.enrichment.runs.runner import EnrichmentRunner
from clay_push_service.sending.drainer import Drainer
from clay_push_service.settings import Settings

POLL_SECONDS = 1.0
"""How often scheduled wake-ups are polled; new ones arrive by NOTIFY."""
RESTART_SECONDS = 1.0
UNRESPONSIVE_SECONDS = 5.0
"""procrastinate's worker fetches jobs at least every second."""

log = logs.get(__name__)


class QueueWorker:
    """`run` until cancelled."""

    def __init__(self, settings: Settings, drainer: Drainer, enrichment: EnrichmentRunner | None = None) -> None:
        """Without `enrichment`, its wake-ups do nothing; the sweep of another worker queues them again."""
        self._settings = settings
        self._drainer = drainer
        self._enrichment = enrichment
        self._responded_at = time.monotonic()

    @property
    def seconds_since_response(self) -> float:
        return time.monotonic() - self._responded_at

    def is_unresponsive(self, *, since: float, seconds: float) -> bool:
        """Whether the queue has not responded for `seconds`, counted from `since` at the earliest.

        False while all slices are taken: then procrastinate fetches no jobs.
        """
        full = self._drainer.slices >= self._settings.worker_concurrency
        return not full and time.monotonic() - max(since, self._responded_at) > seconds

    async def run(self) -> None:
        """Keep one procrastinate worker running.

        After a lost connection it may wait for its jobs, its pool or its own shutdown for minutes; it is replaced then.
        """
        running: asyncio.Task[None] | None = None
        try:
            while True:
                if await self._database_responds():
                    connector = queue.Connector(self._settings.database_url, self._note_response)
                    started = time.monotonic()
                    running = asyncio.create_task(self._run_procrastinate(procrastinate.App(connector=connector)))
                    while not running.done() and not self.is_unresponsive(since=started, seconds=UNRESPONSIVE_SECONDS):
                        await asyncio.wait([running], timeout=POLL_SECONDS)
                    if not running.done():
                        log.warning("queue.worker_unresponsive")
                        running.cancel()  # without waiting for it: its slices run to their end
                await asyncio.sleep(RESTART_SECONDS)
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait([running])

    def _note_response(self) -> None:
        self._responded_at = time.monotonic()

    async def _database_responds(self) -> bool:
        """Checked before a pool is opened: a pool that cannot connect retries after longer and longer pauses."""
        try:
            async with self._drainer.context.database.transaction() as connection:
                await read_clock(connection, self._drainer.context.clock)  # before the first payload is built
        except Exception:  # noqa: BLE001 - any error means that it does not respond
            return False
        return True

    async def _run_procrastinate(self, app: procrastinate.App) -> None:
        self._register(app)
        try:
            async with app.open_async():
                await app.run_worker_async(
                    queues=[queue.QUEUE],
                    name=f"clay-push-{os.getpid()}",
                    concurrency=self._settings.worker_concurrency,
                    fetch_job_polling_interval=POLL_SECONDS,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    listen_notify=True,
                )
        except Exception as error:  # noqa: BLE001 - most likely the database; `run` starts another worker
            log.warning("queue.worker_failed", **failure(error))
        else:
            log.warning("queue.worker_exited")

    def _register(self, app: procrastinate.App) -> None:
        @app.task(name=queue.DRAIN, queue=queue.QUEUE)
        async def drain(job_id: str) -> None:
            await self._drainer.drain(UUID(job_id))

        @app.task(name=queue.ENRICH, queue=queue.QUEUE)
        async def enrich(org_id: str) -> None:
            if self._enrichment is not None:
                await self._enrichment.advance(UUID(org_id))

        # Without any periodic task procrastinate does not detect that its LISTEN or its heartbeat has failed.
        @app.periodic(cron="* * * * *")
        @app.task(name="queue.tick", queue=queue.QUEUE)
        async def tick(timestamp: int) -> None:
            log.debug("queue.ticked", timestamp=timestamp)
