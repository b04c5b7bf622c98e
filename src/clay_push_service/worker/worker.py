"""The worker process: drains push jobs until it is told to stop; never ends with 0 unasked.

The queue is procrastinate's; the rows are the truth. So when procrastinate's worker ends unasked (a PostgreSQL restart
does that) a new one is begun, and when this process is cut off from its database the watchdog ends it.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import time
from uuid import UUID, uuid4

import procrastinate
import uvloop
from prometheus_client import start_http_server
from sqlalchemy import text

from clay_push_service import __version__, logs, queue
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock, read_clock
from clay_push_service.database.database import WORKER_ANSWER_SECONDS, Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.destinations.reopen import reopen
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.inbox.inbox import Inbox
from clay_push_service.host_integration.mirror.mirror import Mirror
from clay_push_service.privacy.retention import empty_old_jobs
from clay_push_service.sending.drainer import Drainer
from clay_push_service.settings import Settings
from clay_push_service.worker.watchdog import Watchdog

POLL_SECONDS = 1.0
"""How often scheduled wake-ups are looked for; new ones come by NOTIFY."""
HEARTBEAT_SECONDS = 5.0
RESTART_SECONDS = 1.0
GC_YOUNG = 50_000
"""Allocations between two collections (Python's own: 700): leads on their way are many, and no garbage."""
SILENT_SECONDS = 5.0
"""The queue's worker looks for jobs at least every second."""
DEAF_SECONDS = 30.0
"""A worker whose queue has answered nothing for so long, although the database does, drains nothing: it has no heartbeat, so
that /status, the alert and the health check say so. A pgbouncer that drops our search_path does that."""
LEAST_IDLE_SECONDS = 2.0
"""A paced slice notes itself about once a second; nobody has lost their wake-up before that."""
QUEUE_GRACE_SECONDS = 1.5
"""For procrastinate's own end, after the slices have ended."""
GOODBYE_SECONDS = 1.0
END_SECONDS = 4.5
"""For everything after the grace: the last results, the queue, connections. With a grace of 20 s it ends within 25 s."""

SEEN = text("""
INSERT INTO clay.workers (id, hostname, pid, version, clock_offset_seconds)
VALUES (:id, :hostname, :pid, :version, :clock_offset_seconds)
ON CONFLICT (id) DO UPDATE SET seen_at = now(), clock_offset_seconds = excluded.clock_offset_seconds
""")
GONE = text("DELETE FROM clay.workers WHERE id = :id")

log = logs.get(__name__)


class Worker:
    """One process's worker. `run` returns when it was told to stop."""

    def __init__(self, settings: Settings, clock: DatabaseClock | None = None) -> None:
        self._settings = settings
        self._id = uuid4()
        self._database = Database.of(settings, "clay-push-worker")
        self._client = ClayClient.create(settings)
        self._drainer = Drainer(
            self._database,
            HostTableCache(settings.host_schema),
            self._client,
            SecretBox(settings.encryption_keys),
            settings,
            clock,
        )
        # What waits for the host's locks waits on connections of its own, never on those that pushes need.
        self._beside = Database(
            settings.database_url, pool_size=2, application="clay-push-mirror", answer_seconds=WORKER_ANSWER_SECONDS
        )
        self._mirror = Mirror(self._beside, HostTableCache(settings.host_schema))
        self._inbox = Inbox(self._beside, HostTableCache(settings.host_schema), settings)
        self._stop = asyncio.Event()
        self._queue_answered_at = time.monotonic()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        for said in self._settings.loosened:
            log.warning("settings.loosened", said=said)
        watchdog = Watchdog(self._settings.database_url, self._settings.watchdog_seconds)
        watchdog.start()
        tune_gc()
        background = [
            asyncio.create_task(self._drainer.run()),
            asyncio.create_task(self._prove_alive(watchdog)),
            asyncio.create_task(self._beat()),
            asyncio.create_task(self._sweep()),
            asyncio.create_task(self._serve_queue()),
            asyncio.create_task(self._mirror.run()),
            asyncio.create_task(self._inbox.run()),
        ]
        log.info("worker.started", worker_id=str(self._id), version=__version__, pid=os.getpid())
        try:
            ended, _ = await asyncio.wait(
                [*background, asyncio.create_task(self._stop.wait())], return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended & set(background):
                task.result()  # a background task that ends is a bug: raise what it raised
                raise RuntimeError("a part of the worker has ended unasked")  # never 0: it must be started again
        finally:
            log.info("worker.stopping", worker_id=str(self._id))
            started = time.monotonic()
            watchdog.end_within(self._settings.shutdown_grace_seconds + END_SECONDS)
            await self._drainer.stop(self._settings.shutdown_grace_seconds)
            for task in background:
                task.cancel()
            await asyncio.wait(background, timeout=QUEUE_GRACE_SECONDS)
            await self._drainer.write_last_results()
            with contextlib.suppress(Exception):
                async with asyncio.timeout(GOODBYE_SECONDS), self._database.transaction() as connection:
                    await connection.execute(GONE, {"id": self._id})
            await self._client.close()
            await self._beside.close()
            await self._database.close()
            log.info("worker.stopped", worker_id=str(self._id), seconds=round(time.monotonic() - started, 2))

    async def _serve_queue(self) -> None:
        """Run procrastinate's worker; begin another when it ends unasked, or asks the database nothing any more.

        After a lost connection it may wait for its running jobs, its pool or its own end before it gives up, for minutes.
        Two at once do no harm: a queue job is only a wake-up.
        """
        running: asyncio.Task[None] | None = None
        try:
            while True:
                if await self._database_answers():
                    connector = queue.Connector(self._settings.database_url, self._queue_answered)
                    began = time.monotonic()
                    running = asyncio.create_task(self._run_queue(procrastinate.App(connector=connector)))
                    while not running.done() and not self._is_silent(since=began, seconds=SILENT_SECONDS):
                        await asyncio.wait([running], timeout=POLL_SECONDS)
                    if not running.done():
                        log.warning("queue.worker_silent")
                        running.cancel()  # not waited for: its slices go on to their end
                await asyncio.sleep(RESTART_SECONDS)
        finally:
            if running is not None:
                running.cancel()
                await asyncio.wait([running])

    def _queue_answered(self) -> None:
        self._queue_answered_at = time.monotonic()

    def _is_silent(self, *, since: float, seconds: float) -> bool:
        """The queue has answered nothing for so long, of what it was asked after `since`; who is full asks for nothing."""
        full = self._drainer.slices >= self._settings.worker_concurrency
        return not full and time.monotonic() - max(since, self._queue_answered_at) > seconds

    async def _database_answers(self) -> bool:
        """Before a pool is opened: one that fails to connect tries again after longer and longer pauses."""
        try:
            async with self._database.transaction() as connection:
                await read_clock(connection, self._drainer.clock)  # before the first payload is built
        except Exception:  # noqa: BLE001 - whatever it is, the answer is no
            return False
        return True

    async def _run_queue(self, app: procrastinate.App) -> None:
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
        except Exception as error:  # noqa: BLE001 - most likely the database; the next one finds out
            log.warning("queue.worker_failed", **failure(error))
        else:
            log.warning("queue.worker_ended")

    def _register(self, app: procrastinate.App) -> None:
        @app.task(name=queue.DRAIN, queue=queue.QUEUE)
        async def drain(job_id: str) -> None:
            await self._drainer.drain(UUID(job_id))

        # Without any periodic task procrastinate does not notice that its LISTEN or its heartbeat has died.
        @app.periodic(cron="* * * * *")
        @app.task(name="queue.tick", queue=queue.QUEUE)
        async def tick(timestamp: int) -> None:
            log.debug("queue.ticked", timestamp=timestamp)

    async def _prove_alive(self, watchdog: Watchdog) -> None:
        """Of the event loop alone: a heartbeat that waits for the database is no blocked loop."""
        while True:
            watchdog.alive()
            await asyncio.sleep(1.0)

    async def _beat(self) -> None:
        while True:
            try:
                if self._is_silent(since=0.0, seconds=DEAF_SECONDS):
                    log.error("worker.deaf", seconds=round(time.monotonic() - self._queue_answered_at))
                else:
                    await self._beat_once()
            except Exception as error:  # noqa: BLE001 - the watchdog judges, not a heartbeat
                log.warning("worker.heartbeat_failed", **failure(error))
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _beat_once(self) -> None:
        clock = self._drainer.clock
        values = {"id": self._id, "hostname": socket.gethostname(), "pid": os.getpid(), "version": __version__}
        async with self._database.transaction() as connection:
            await read_clock(connection, clock)
            await connection.execute(SEEN, {**values, "clock_offset_seconds": clock.wall_offset_seconds})

    async def _sweep(self) -> None:
        reopened = False
        while True:
            try:
                if not reopened:  # the ring and the allowed hosts are read once, so once is enough
                    async with self._database.transaction() as connection:
                        await reopen(connection, self._drainer.box, self._drainer.config.rules.policy)
                    reopened = True
                await self._drainer.recorder.flush()  # our own results first: an outage may have outlasted their leases
                await self._drainer.give_back()
                async with self._database.transaction() as connection:
                    await sweep(connection, idle_seconds=max(self._settings.sweep_seconds, LEAST_IDLE_SECONDS))
                await empty_old_jobs(self._database, self._settings.retention_days)
            except Exception as error:  # noqa: BLE001 - the next sweep is soon
                log.warning("sweep.failed", **failure(error))
            await asyncio.sleep(self._settings.sweep_seconds)


def tune_gc() -> None:
    """Look through young objects less often, and through what was there at the start never: a tenth of the time of a lead."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG, 10, 10)


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises when it ended for any other reason."""
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.host)

    async def main() -> None:
        await Worker(settings).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
