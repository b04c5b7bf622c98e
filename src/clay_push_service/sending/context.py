"""What the slices of one worker process share: configuration, clients, the result writer, the clock, requests in flight."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

from clay_push_service import queue
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.database import Database
from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.claim import seconds_to_next_delivery
from clay_push_service.destinations.guard import Policy
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.slots import WorkspaceKey, reserve_slots
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.mappings.versions import MappingCache
from clay_push_service.sending.open_job import OpenJob, Rules
from clay_push_service.sending.result_writer import ResultWriter
from clay_push_service.settings import Settings

OTHER_JOBS_WAITING = Statement(
    f"""
SELECT 1 FROM clay.procrastinate_jobs
WHERE status = 'todo' AND task_name = '{queue.DRAIN}' AND (scheduled_at IS NULL OR scheduled_at <= now())
  AND args ->> 'job_id' <> :job_id
LIMIT 1
""",
    int,
)


@dataclass(frozen=True, slots=True)
class SendingConfig:
    """The settings that sending uses. Times in seconds."""

    rules: Rules
    billing_enabled: bool
    slices: int
    """The largest number of slices that run at the same time in this process."""
    in_flight_per_destination: int
    lease: timedelta
    send_within_seconds: float
    """A delivery is sent within this time after it was marked `sending`, so that its response arrives before its lease ends."""
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


@dataclass(slots=True, weakref_slot=True)
class SendingContext:
    """One per worker process."""

    config: SendingConfig
    database: Database
    host: HostTableCache
    client: ClayClient
    box: SecretBox
    result_writer: ResultWriter
    clock: DatabaseClock
    mappings: MappingCache = field(default_factory=MappingCache)
    worker_id: UUID = field(default_factory=uuid4)
    random: Random = field(default_factory=Random)  # spreads retries
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    draining: set[UUID] = field(default_factory=set)
    """Push jobs that have a slice in this process now."""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """Tasks that may finish after their slice; see `track`."""
    posts_in_flight: int = 0
    last_sent: defaultdict[UUID, float] = field(default_factory=lambda: defaultdict(lambda: float("-inf")))
    """When this process sent a workspace's last POST, on `time.monotonic()`."""
    unreleased_claims: dict[UUID, list[UUID]] = field(default_factory=dict)
    """Token → delivery ids of claims that a slice could not release, because the database was unavailable."""
    _concurrency_limits: dict[UUID, asyncio.Semaphore] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        database: Database,
        host: HostTableCache,
        client: ClayClient,
        box: SecretBox,
        settings: Settings,
        clock: DatabaseClock | None = None,
    ) -> "SendingContext":
        result_writer = ResultWriter(database, settings.outage_probe_seconds)
        return cls(SendingConfig.of(settings), database, host, client, box, result_writer, clock or DatabaseClock())

    def track(self, task: asyncio.Task[None]) -> None:
        """Keep a task that may finish after its slice ends; `Drainer.stop` waits for it."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def concurrency_limit(self, destination_id: UUID) -> asyncio.Semaphore:
        """Limits the POSTs in flight to a destination without a pace."""
        if destination_id not in self._concurrency_limits:
            self._concurrency_limits[destination_id] = asyncio.Semaphore(self.config.in_flight_per_destination)
        return self._concurrency_limits[destination_id]

    async def has_pace(self, workspace: WorkspaceKey) -> bool:
        """Whether POSTs of the workspace need a slot now, also after a 429. Adjusts the process's clock to the database's."""
        requested_at = time.monotonic()
        async with self.database.driver() as connection, connection.transaction():
            reservation, now = await reserve_slots(connection, workspace, 0)
            self.clock.learn(now, requested_at, time.monotonic())
        return not reservation.unpaced

    async def other_jobs_are_waiting(self, job_id: UUID) -> bool:
        """Whether another push job waits because this worker runs as many slices as it may."""
        if len(self.draining) < self.config.slices:
            return False
        async with self.database.driver() as connection:
            return bool(await OTHER_JOBS_WAITING.rows(connection, {"job_id": str(job_id)}))

    async def wake_next_slice(self, job: OpenJob, resume_seconds: float) -> None:
        """Queue the push job again if it has a waiting delivery, for when that is due but not before `resume_seconds`."""
        async with self.database.transaction() as connection:
            due = await seconds_to_next_delivery(connection, job.id)
            if due is None:
                return
            times = queue.workers_per_job(job.rate_limit_ms, job.pending_count)
            await queue.wake(connection, job.id, delay_seconds=max(due, resume_seconds), times=times)
