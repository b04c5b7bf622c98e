"""The worker's side of push jobs: wake-ups become slices, slices become POSTs, POSTs outlive their slice, none is lost."""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics, queue
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE, is_stale_plan, on_fresh_plan
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.claim import release, seconds_to_next
from clay_push_service.deliveries.parallelism import shares
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.pace import Reservation
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.slots import reserve_slots
from clay_push_service.gate import gate
from clay_push_service.host.billing import is_enterprise
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.sending.open_job import JobRow, OpenJob, Postponed, Rules, lock_job, open_job
from clay_push_service.sending.result_writer import Recorder
from clay_push_service.sending.slice import Slice
from clay_push_service.settings import Settings
from clay_push_service.states import JobStatus

TAKEN_HERE_SECONDS = 1.0
"""A share that finds its push job being drained in this very process is offered again after this time."""
LAST_WRITE_SECONDS = 1.5
FAILED_SECONDS = 2.0
"""After a slice that raised: something unexpected, most likely the database; the next try finds out."""

OTHERS_WAIT = Statement(f"""
SELECT 1 FROM clay.procrastinate_jobs
WHERE status = 'todo' AND task_name = '{queue.DRAIN}' AND (scheduled_at IS NULL OR scheduled_at <= now())
  AND args ->> 'job_id' <> :job_id
LIMIT 1
""")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class SendingConfig:
    """What draining needs of the settings. Times in seconds."""

    rules: Rules
    billing_enabled: bool
    slices: int
    """At once in this process, at most."""
    in_flight_per_destination: int
    lease: timedelta
    send_within_seconds: float
    """After it was marked `sending`; later its lease might end before its answer is there."""
    retry_delays: tuple[float, ...]

    @classmethod
    def of(cls, settings: Settings) -> "SendingConfig":
        return cls(
            Rules(Policy.of(settings), settings.outage_probe_seconds, settings.outage_give_up_seconds),
            settings.billing_enabled,
            settings.worker_concurrency,
            settings.in_flight_per_destination,
            timedelta(seconds=settings.lease_seconds),
            settings.lease_seconds - settings.longest_post_seconds,
            settings.retry_delays_seconds,
        )


class Drainer:
    """One a worker process. Holds what slices share: the client, the recorder, the clock, the POSTs in flight."""

    def __init__(
        self,
        database: Database,
        host: HostTableCache,
        client: ClayClient,
        box: SecretBox,
        settings: Settings,
        clock: DatabaseClock | None = None,
    ) -> None:
        self.database = database
        self.host = host
        self.client = client
        self.box = box
        self.config = SendingConfig.of(settings)
        self.recorder = Recorder(database, settings.outage_probe_seconds)
        self.clock = clock or DatabaseClock()
        self.random = random.Random()  # noqa: S311 - spreads retries
        self.stopping = asyncio.Event()
        self.posts_in_flight = 0
        metrics.IN_FLIGHT.set_function(lambda: self.posts_in_flight)  # asked when scraped, not told twice a POST
        self.last_sent: defaultdict[UUID, float] = defaultdict(lambda: float("-inf"))
        self._room: dict[UUID, asyncio.Semaphore] = {}
        self._posts: set[asyncio.Task[None]] = set()
        self._draining: set[UUID] = set()
        self._unreturned: list[tuple[UUID, list[UUID]]] = []

    async def drain(self, job_id: UUID) -> None:
        """What one queue job does: drain a slice of a push job, and see to it that somebody goes on."""
        if self.stopping.is_set() or job_id in self._draining:
            # Not at once when this process is stopping: its queue would hand the job to us again and again.
            await self._wake(job_id, TAKEN_HERE_SECONDS, 1)
            return
        try:
            with self._drains(job_id):
                opened = await on_fresh_plan(partial(self._open, job_id))
                ended = Slice(self, opened) if isinstance(opened, OpenJob) else None
                if ended is not None:
                    await ended.run()
            # Only now: a wake-up that came while we still drained would be put off as taken.
            if ended is not None:
                await ended.hand_over()
            elif isinstance(opened, Postponed):
                await self._wake(job_id, opened.seconds, 1)
                metrics.SLICES.labels(end="postponed").inc()
        except Exception as error:
            # Not an outcome but something unexpected; the rows are safe, so say it and try again a little later.
            if is_stale_plan(
                error
            ):  # a migration; the driver has forgotten its plans, so the next slice makes fresh ones
                log.warning("slice.plan_stale", job_id=str(job_id))
            else:
                log.exception("slice.failed", job_id=str(job_id), **failure(error))
            metrics.SLICES.labels(end="failed").inc()
            await self._wake(job_id, FAILED_SECONDS, 1)

    @property
    def slices(self) -> int:
        """How many are being drained now."""
        return len(self._draining)

    @contextmanager
    def _drains(self, job_id: UUID) -> Iterator[None]:
        self._draining.add(job_id)
        try:
            yield
        finally:
            self._draining.discard(job_id)

    async def _open(self, job_id: UUID) -> OpenJob | Postponed | None:
        async with self.database.transaction() as connection:
            job = await lock_job(connection, job_id)
            if job is None:
                return None
            available = await self._may_use_clay(connection, job)
            return await open_job(connection, job, self.box, self.config.rules, available=available)

    async def _may_use_clay(self, connection: AsyncConnection, job: JobRow) -> bool:
        """The gate is asked again when a job starts, and only then."""
        if job.status is not JobStatus.PENDING or not self.config.billing_enabled:
            return True
        tables = await self.host.tables(connection)
        enterprise = await is_enterprise(connection, tables, job.org_id)
        return gate(billing_enabled=True, is_enterprise=enterprise).available

    async def go_on(self, job: OpenJob, resume_seconds: float) -> bool:
        """Wake the next slice if anything of the job waits. False: nothing does, for now."""
        async with self.database.transaction() as connection:
            due = await seconds_to_next(connection, job.id)
            if due is None:
                return False
            times = shares(job.rate_limit_ms, job.pending_count)
            await queue.wake(connection, job.id, delay_seconds=max(due, resume_seconds), times=times)
            return True

    async def reserve(self, org_id: UUID, wanted: int, *, newcomer: bool = False) -> tuple[Reservation, datetime]:
        """Reserve slots. Returns them with the database's time; the process's clock learns from it."""
        asked_at = time.monotonic()
        async with self.database.driver() as connection, connection.transaction():
            reservation, now = await reserve_slots(connection, org_id, wanted, newcomer=newcomer)
            self.clock.learn(now, asked_at, time.monotonic())
        return reservation, now

    async def others_wait(self, job_id: UUID) -> bool:
        """Whether somebody waits for this slice's place: while places are free, whoever waits has one in a moment."""
        if len(self._draining) < self.config.slices:
            return False
        async with self.database.driver() as connection:
            return bool(await OTHERS_WAIT.rows(connection, {"job_id": str(job_id)}))

    async def _wake(self, job_id: UUID, delay_seconds: float, times: int) -> None:
        async with self.database.transaction() as connection:
            await queue.wake(connection, job_id, delay_seconds=delay_seconds, times=times)

    def room(self, job: OpenJob) -> asyncio.Semaphore | None:
        """Bounds the POSTs in flight to a destination without a pace; a pace is a bound of its own."""
        if job.rate_limit_ms > 0:
            return None
        if job.org_id not in self._room:
            self._room[job.org_id] = asyncio.Semaphore(self.config.in_flight_per_destination)
        return self._room[job.org_id]

    def keep(self, task: asyncio.Task[None]) -> None:
        """A POST goes on after its slice has ended: the slice's place in the worker is for others meanwhile."""
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    def return_later(self, token: UUID, delivery_ids: list[UUID]) -> None:
        """Claims that a slice could not give back, because the database was away. Their leases may be long."""
        self._unreturned.append((token, delivery_ids))

    async def give_back(self) -> None:
        """Give back what slices could not."""
        while self._unreturned:
            token, delivery_ids = self._unreturned[-1]
            async with self.database.transaction() as connection:
                await release(connection, token, delivery_ids)
            self._unreturned.pop()

    async def run(self) -> None:
        """Write results until cancelled; see `stop`."""
        await self.recorder.run()

    async def stop(self, grace_seconds: float) -> None:
        """Send nothing more, wait for answers, then record what is known: a status, not sent, or `unknown`."""
        self.stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                while self._posts or self._draining:  # noqa: ASYNC110 - two sets must be empty; two events would say less
                    await asyncio.sleep(0.02)
        for post in list(self._posts):
            post.cancel()
        if self._posts:
            await asyncio.gather(*self._posts, return_exceptions=True)
        await self.write_last_results()

    async def write_last_results(self) -> None:
        """As long as this process may wait for it; what is not written becomes `unknown`, as after a crash."""
        try:
            async with asyncio.timeout(LAST_WRITE_SECONDS):
                await self.recorder.flush()
                if self._posts:  # a cancelled POST with a 429 has left the pause to be written
                    await asyncio.wait(self._posts)
                while self._draining:  # noqa: ASYNC110 - as in `stop`; a slice releases what it has claimed meanwhile
                    await asyncio.sleep(0.02)
                await self.give_back()
        except (TimeoutError, *UNAVAILABLE) as error:
            log.warning("results.left", **failure(error))
