"""The worker process: drains push jobs, sweeps, and exchanges jobs and settings with NexusLeads, until SIGTERM or SIGINT.

It exits with 0 only after a signal. When a background task exits, the process fails; when the process is cut off from its
database, the watchdog ends it.
"""

import asyncio
import gc
import os
import signal
import time

import uvloop
from prometheus_client import start_http_server

from clay_push_service import __version__, logs
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import WORKER_ANSWER_SECONDS, Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.deliveries.sweep import sweep
from clay_push_service.destination_settings.host_sweep import HostSettingsSweep
from clay_push_service.destinations.reopen import reopen_destinations
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.inbound.applier import ResultApplier
from clay_push_service.enrichment.rules.run_rule import RuleRunner
from clay_push_service.enrichment.runs.context import EnrichmentContext
from clay_push_service.enrichment.runs.runner import EnrichmentRunner
from clay_push_service.enrichment.settings.host_sweep import ApiKeySweep
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.inbox.inbox import Inbox
from clay_push_service.host_integration.mirror.mirror import Mirror
from clay_push_service.host_integration.write_back.write_back import WriteBack
from clay_push_service.privacy.retention import empty_old_jobs
from clay_push_service.schedules.sweep import ScheduleSweep
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.drainer import Drainer
from clay_push_service.settings import Settings
from clay_push_service.worker.heartbeat import Heartbeat
from clay_push_service.worker.queue_worker import QueueWorker
from clay_push_service.worker.results_check import ResultsCheck
from clay_push_service.worker.watchdog import Watchdog

GC_YOUNG = 50_000
"""Allocations between two collections (Python's default: 700): leads in flight are many objects that are not garbage."""
LEAST_IDLE_SECONDS = 2.0
"""A slice with a pace updates `drained_at` about once a second; a job is not idle before this time."""
QUEUE_GRACE_SECONDS = 1.5
"""For procrastinate's shutdown, after the slices have ended."""
END_SECONDS = 4.5
"""For everything after the grace: the last results, the queue, connections. With a grace of 20 s it ends within 25 s."""

log = logs.get(__name__)


class Worker:
    """One per process. `run` returns after a stop signal."""

    def __init__(self, settings: Settings, clock: DatabaseClock | None = None) -> None:
        self._settings = settings
        self._database = Database.of(settings, "clay-push-worker")
        self._client = ClayClient.create(settings)
        self._context = SendingContext.create(
            self._database,
            HostTableCache(settings.host_schema),
            self._client,
            SecretBox(settings.encryption_keys),
            settings,
            clock,
        )
        self._id = self._context.worker_id
        self._drainer = Drainer(self._context)
        self._enrichment = EnrichmentRunner(
            EnrichmentContext.create(
                self._database, self._context.host, self._client, self._context.box, settings, self._context.clock
            )
        )
        self._queue_worker = QueueWorker(settings, self._drainer, self._enrichment)
        self._heartbeat = Heartbeat(self._id, self._database, self._context.clock, self._queue_worker)
        # Statements that may wait for the host's locks use connections of their own, never those that pushes need.
        self._mirror_database = Database(
            settings.database_url, pool_size=3, application="clay-push-mirror", answer_seconds=WORKER_ANSWER_SECONDS
        )
        self._enrich_rules = RuleRunner(
            self._mirror_database,
            HostTableCache(settings.host_schema),
            settings,
            self._context.box,
            self._context.clock.now,
        )
        self._schedules = ScheduleSweep(self._mirror_database, HostTableCache(settings.host_schema), settings)
        self._mirror = Mirror(self._mirror_database, HostTableCache(settings.host_schema))
        self._inbox = Inbox(self._mirror_database, HostTableCache(settings.host_schema), settings)
        self._host_settings = HostSettingsSweep(self._mirror_database, HostTableCache(settings.host_schema), settings)
        self._api_keys = ApiKeySweep(self._mirror_database, HostTableCache(settings.host_schema), settings)
        self._result_applier = ResultApplier(self._database, self._context.host, self._context.box)
        self._results_check = ResultsCheck(self._database)
        self._write_back = WriteBack(self._mirror_database, HostTableCache(settings.host_schema))
        self._stop = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        for setting in self._settings.insecure:
            log.warning("settings.insecure", setting=setting)
        watchdog = Watchdog(self._settings.database_url, self._settings.watchdog_seconds)
        watchdog.start()
        tune_gc()
        background = [
            asyncio.create_task(self._drainer.run()),
            asyncio.create_task(self._reset_watchdog(watchdog)),
            asyncio.create_task(self._heartbeat.run()),
            asyncio.create_task(self._sweep()),
            asyncio.create_task(self._queue_worker.run()),
            asyncio.create_task(self._mirror.run()),
            asyncio.create_task(self._inbox.run()),
            asyncio.create_task(self._host_settings.run()),
            asyncio.create_task(self._api_keys.run()),
            asyncio.create_task(self._result_applier.run()),
            asyncio.create_task(self._results_check.run()),
            asyncio.create_task(self._enrichment.run()),
            asyncio.create_task(self._enrich_rules.run()),
            asyncio.create_task(self._schedules.run()),
            asyncio.create_task(self._write_back.run()),
        ]
        log.info("worker.started", worker_id=str(self._id), version=__version__, pid=os.getpid())
        try:
            ended, _ = await asyncio.wait(
                [*background, asyncio.create_task(self._stop.wait())], return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended & set(background):
                task.result()  # a background task that ends is a bug: raise its exception
                raise RuntimeError("a background task exited unexpectedly")  # never exit with 0: restart
        finally:
            log.info("worker.stopping", worker_id=str(self._id))
            started = time.monotonic()
            watchdog.end_within(self._settings.shutdown_grace_seconds + END_SECONDS)
            grace = self._settings.shutdown_grace_seconds
            await asyncio.gather(self._drainer.stop(grace), self._enrichment.stop(grace))
            for task in background:
                task.cancel()
            await asyncio.wait(background, timeout=QUEUE_GRACE_SECONDS)
            await self._drainer.write_last_results()
            await self._heartbeat.remove()
            await self._client.close()
            await self._mirror_database.close()
            await self._database.close()
            log.info("worker.stopped", worker_id=str(self._id), seconds=round(time.monotonic() - started, 2))

    async def _reset_watchdog(self, watchdog: Watchdog) -> None:
        """Proves only that the event loop runs: a heartbeat that waits for the database does not mean a blocked loop."""
        while True:
            watchdog.reset()
            await asyncio.sleep(1.0)

    async def _sweep(self) -> None:
        reopened = False
        while True:
            try:
                if not reopened:  # once per process: keys and allowed hosts are read at the start only
                    async with self._database.transaction() as connection:
                        await reopen_destinations(connection, self._context.box, self._context.config.rules.policy)
                    reopened = True
                # write own results first: an outage may have lasted longer than their leases
                await self._context.result_writer.flush()
                await self._drainer.release_claims()
                async with self._database.transaction() as connection:
                    await sweep(connection, idle_seconds=max(self._settings.sweep_seconds, LEAST_IDLE_SECONDS))
                await empty_old_jobs(self._database, self._settings.retention_days)
            except Exception as error:  # noqa: BLE001 - the next sweep repeats it
                log.warning("sweep.failed", **failure(error))
            await asyncio.sleep(self._settings.sweep_seconds)


def tune_gc() -> None:
    """Collect young objects less often, and objects of the start never. This saves a tenth of the time per lead."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG, 10, 10)


def run(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT. Raises if it ended for any other reason."""
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, addr=settings.host)

    async def main() -> None:
        await Worker(settings).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
