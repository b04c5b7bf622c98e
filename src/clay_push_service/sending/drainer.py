"""Drains push jobs: the handler of the worker's queue jobs, which runs one slice per wake-up, and the worker's shutdown."""

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics, queue
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE, is_stale_plan, on_fresh_plan
from clay_push_service.deliveries.claim import release
from clay_push_service.destinations.serving import ServingResult, take_workspace
from clay_push_service.gate import gate
from clay_push_service.host.billing import is_enterprise
from clay_push_service.sending.context import SendingContext
from clay_push_service.sending.open_job import JobRow, OpenJob, Postponed, lock_job, open_job
from clay_push_service.sending.pacer import Pacer
from clay_push_service.sending.slice import Slice
from clay_push_service.states import JobStatus

ALREADY_DRAINING_SECONDS = 1.0
"""Delay of a wake-up for a push job that this process drains already."""
LAST_WRITE_SECONDS = 1.5
FAILED_SECONDS = 2.0
"""Delay after a slice that raised an unexpected exception, most likely because of the database."""

log = logs.get(__name__)


class Drainer:
    """One per worker process."""

    def __init__(self, context: SendingContext) -> None:
        self.context = context
        self.pacer = Pacer(context)
        metrics.IN_FLIGHT.set_function(lambda: context.posts_in_flight)  # read at a scrape, not set twice per POST

    async def drain(self, job_id: UUID) -> None:
        """Pass a push job with a pace to the pacer; run one slice of any other, then queue the next. Raises nothing expected.

        The handler of a queue job.
        """
        if self.context.stopping.is_set() or job_id in self.context.draining:
            # With a delay: while this process stops, its queue would fetch the same wake-up again and again.
            await self._wake(job_id, ALREADY_DRAINING_SECONDS)
            return
        try:
            slice_ = None
            with self.mark_draining(job_id):
                opened, taken = await on_fresh_plan(partial(self._open, job_id))
                if isinstance(opened, OpenJob) and taken is None:
                    slice_ = Slice(self.context, opened)
                    has_pace = await slice_.run()
                    taken = await self._take(opened) if has_pace else None
            # After `mark_draining`: a wake-up that arrived before its end would be delayed as already draining.
            if isinstance(opened, Postponed):
                await self._wake(job_id, opened.seconds)
                metrics.SLICES.labels(end="postponed").inc()
            elif opened is not None and taken is not None:
                await self.pacer.serve(opened, taken)
            elif slice_ is not None:
                await slice_.wake_next()
        except Exception as error:
            # An unexpected error. The deliveries are safe in the database, so log it and try again later.
            if is_stale_plan(error):  # after a migration; the driver has dropped its plans, so the next slice works
                log.warning("slice.plan_stale", job_id=str(job_id))
            else:
                log.exception("slice.failed", job_id=str(job_id), **failure(error))
            metrics.SLICES.labels(end="failed").inc()
            await self._wake(job_id, FAILED_SECONDS)

    @property
    def slices(self) -> int:
        """The number of slices that run now."""
        return len(self.context.draining)

    @contextmanager
    def mark_draining(self, job_id: UUID) -> Iterator[None]:
        self.context.draining.add(job_id)
        try:
            yield
        finally:
            self.context.draining.discard(job_id)

    async def _take(self, job: OpenJob) -> ServingResult:
        async with self.context.database.transaction() as connection:
            return await take_workspace(connection, job.workspace, self.context.worker_id, by_force=job.probe)

    async def _open(self, job_id: UUID) -> tuple[OpenJob | Postponed | None, ServingResult | None]:
        """Returns the job, and the result of taking its workspace, or None if the job is not sent now or has no pace."""
        async with self.context.database.transaction() as connection:
            job = await lock_job(connection, job_id)
            if job is None:
                return None, None
            available = await self._is_available(connection, job)
            rules = self.context.config.rules
            opened = await open_job(connection, job, self.context.box, rules, available=available)
            if not isinstance(opened, OpenJob) or opened.rate_limit_ms == 0:
                return opened, None
            worker_id = self.context.worker_id
            return opened, await take_workspace(connection, opened.workspace, worker_id, by_force=opened.probe)

    async def _is_available(self, connection: AsyncConnection, job: JobRow) -> bool:
        """Evaluate the gate again when a push job starts, and only then."""
        if job.status is not JobStatus.PENDING or not self.context.config.billing_enabled:
            return True
        tables = await self.context.host.tables(connection)
        enterprise = await is_enterprise(connection, tables, job.org_id)
        return gate(billing_enabled=True, is_enterprise=enterprise).available

    async def _wake(self, job_id: UUID, delay_seconds: float) -> None:
        async with self.context.database.transaction() as connection:
            await queue.wake(connection, job_id, delay_seconds=delay_seconds)

    async def release_claims(self) -> None:
        """Release the claims that slices could not release while the database was unavailable."""
        while self.context.unreleased_claims:
            token, delivery_ids = next(iter(self.context.unreleased_claims.items()))
            async with self.context.database.transaction() as connection:
                await release(connection, token, delivery_ids)
            self.context.unreleased_claims.pop(token, None)  # the sweep and a stop may run this at the same time

    async def run(self) -> None:
        """Serve paced workspaces and write results, until cancelled; see `stop`."""
        await asyncio.gather(self.pacer.run(), self.context.result_writer.run())

    async def stop(self, grace_seconds: float) -> None:
        """Stop sending, wait for responses, then record every delivery in flight: by its status, as not sent, or as `unknown`."""
        tasks = self.context.tasks
        self.context.stopping.set()
        with contextlib.suppress(TimeoutError, *UNAVAILABLE):
            await self.pacer.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                while tasks or self.context.draining or self.pacer.is_busy:  # noqa: ASYNC110 - an event covers one of them
                    await asyncio.sleep(0.02)
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.write_last_results()

    async def write_last_results(self) -> None:
        """Write for at most LAST_WRITE_SECONDS; results that are not written become `unknown`, as after a crash."""
        try:
            async with asyncio.timeout(LAST_WRITE_SECONDS):
                await self.context.result_writer.flush()
                if self.context.tasks:  # a cancelled POST that got a 429 has started a task that writes the pause
                    await asyncio.wait(self.context.tasks)
                while self.context.draining or self.pacer.is_busy:  # noqa: ASYNC110 - as in `stop`; both release claims
                    await asyncio.sleep(0.02)
                await self.release_claims()
                await self.pacer.sends.release_queued()
        except (TimeoutError, *UNAVAILABLE) as error:
            log.warning("results.left_unwritten", **failure(error))
