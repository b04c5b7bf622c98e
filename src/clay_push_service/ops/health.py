"""Reads the state of queue, workers and destinations in a few cheap statements; `verdict` interprets it. Read-only."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.suspicion import count_suspect
from clay_push_service.host.organization_names import organization_names
from clay_push_service.host.tables import HostTables
from clay_push_service.ops.enrichment_load import EnrichmentLoad, read_enrichment_load
from clay_push_service.ops.pace import PaceLoad, read_pace_load
from clay_push_service.ops.quota import QUOTA, QuotaLevels, Quotas, read_quotas
from clay_push_service.ops.readiness import STATEMENT_TIMEOUT
from clay_push_service.ops.routing_load import RoutingLoad, read_routing_load

LIVE_SECONDS = 30
"""A worker with an older heartbeat counts as dead; a heartbeat comes every 5 s."""
SHOWN = 20
"""Destinations listed on the page at most."""


class _Queue(NamedTuple):
    live_jobs: int
    pending: int


JOBS = Statement(
    """
SELECT count(*) AS live_jobs, coalesce(sum(lead_count - success_count - failed_count - skipped_count), 0) AS pending
FROM clay.push_jobs WHERE status IN ('pending', 'running')
""",
    _Queue,
)


class _Due(NamedTuple):
    due: int
    oldest_seconds: float | None
    idle_seconds: float | None


# A running push job whose workspace is served by a worker is not idle: it waits for its turn.
# Due: the delivery's own time has come and its workspace's pace has a slot. Deliveries of a waiting destination are not late.
DUE = Statement(
    """
SELECT count(*) AS due,
       CAST(extract(epoch FROM now() - min(greatest(delivery.due_at, workspace.next_slot_at))) AS float) AS oldest_seconds,
       CAST(extract(epoch FROM now() - min(greatest(delivery.due_at, coalesce(job.drained_at, job.created_at),
           CASE WHEN job.status = 'running' AND workspace.served_until IS NOT NULL
                THEN least(workspace.served_until, now()) END))) AS float)
           AS idle_seconds
FROM clay.push_jobs AS job
JOIN clay.destination_versions AS version ON version.org_id = job.org_id AND version.id = job.destination_version_id
JOIN clay.destinations AS destination ON destination.org_id = job.org_id AND destination.id = job.destination_id
JOIN clay.workspaces AS workspace ON workspace.org_id = job.org_id AND workspace.id = destination.workspace_id
JOIN clay.clay_push_log AS delivery ON delivery.job_id = job.id AND delivery.state = 'waiting'
WHERE job.status IN ('pending', 'running') AND version.state <> 'waiting' AND workspace.next_slot_at <= now()
  AND delivery.due_at <= now()
""",
    _Due,
)


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    id: UUID
    hostname: str
    pid: int
    version: str
    started_at: datetime
    age_seconds: float
    clock_offset_seconds: float | None = None
    """The worker's clock minus the database's, in seconds; None: unknown."""

    @property
    def is_live(self) -> bool:
        return self.age_seconds <= LIVE_SECONDS


WORKERS = Statement(
    """
SELECT id, hostname, pid, version, started_at,
       CAST(extract(epoch FROM clock_timestamp() - seen_at) AS float) AS age_seconds, clock_offset_seconds
FROM clay.workers ORDER BY seen_at DESC LIMIT 50
""",
    WorkerSeen,
)


@dataclass(frozen=True, slots=True)
class UnhealthyDestination:
    """A destination that waits or is closed."""

    org_id: UUID
    table_name: str
    state: str
    reason: str | None
    since: datetime
    until: datetime | None


UNHEALTHY = Statement(
    """
SELECT version.org_id, coalesce(destination.table_name, destination.name) AS table_name, version.state, version.state_reason AS reason, version.state_since AS since,
       version.probe_at AS until
FROM clay.destinations AS destination
JOIN clay.destination_versions AS version ON version.org_id = destination.org_id AND version.id = destination.version_id
WHERE version.state <> 'open'
ORDER BY version.state_since DESC LIMIT :shown
""",
    UnhealthyDestination,
)


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many destinations are in a state for one reason."""

    state: str
    reason: str | None
    count: int


# Counted separately, because the list above is limited: destinations beyond the limit must also count.
STATES = Statement(
    """
SELECT version.state, version.state_reason AS reason, count(*) AS count
FROM clay.destinations AS destination
JOIN clay.destination_versions AS version ON version.org_id = destination.org_id AND version.id = destination.version_id
WHERE version.state <> 'open'
GROUP BY 1, 2 ORDER BY 3 DESC, 2
""",
    StateCount,
)


@dataclass(frozen=True, slots=True)
class CauseCount:
    cause: str
    status: str
    count: int


# Through the jobs updated in this hour, whose deliveries are found by index; the log has no index by time.
LAST_HOUR = Statement(
    """
SELECT coalesce(delivery.cause, delivery.status) AS cause, delivery.status, count(*) AS count
FROM clay.push_jobs AS job JOIN clay.clay_push_log AS delivery ON delivery.job_id = job.id
WHERE job.updated_at > now() - interval '1 hour' AND delivery.finished_at > now() - interval '1 hour'
  AND delivery.status <> 'skipped'
GROUP BY 1, 2 ORDER BY 3 DESC, 1
""",
    CauseCount,
)


@dataclass(frozen=True, slots=True)
class Vitals:
    """The state of queue, workers and destinations, read in one transaction."""

    latency_ms: int
    live_jobs: int
    pending: int
    due: int
    oldest_due_seconds: float | None
    """How long the oldest sendable lead has been due."""
    idle_seconds: float | None
    """How long sendable leads have been due without a worker that serves their workspace or drains their push job."""
    workers: Sequence[WorkerSeen]
    states: Sequence[StateCount]
    """All destinations that are not open."""
    unhealthy: Sequence[UnhealthyDestination]
    """The most recent of them."""
    last_hour: Sequence[CauseCount]
    quota: QuotaLevels
    quotas: Quotas = field(default_factory=Quotas)
    names: Mapping[UUID, str] = field(default_factory=dict)
    """Names of the organizations listed here, by id; ids without a name are absent."""
    suspect: int = 0  # destinations whose results have stopped
    pace: PaceLoad = field(default_factory=PaceLoad)
    enrichment: EnrichmentLoad = field(default_factory=EnrichmentLoad)
    routing: RoutingLoad = field(default_factory=RoutingLoad)

    @property
    def live_workers(self) -> int:
        return sum(worker.is_live for worker in self.workers)

    @property
    def waiting(self) -> int:
        return sum(each.count for each in self.states if each.state == "waiting")

    def waiting_because(self, reason: str) -> int:
        return sum(each.count for each in self.states if each.state == "waiting" and each.reason == reason)

    @property
    def closed(self) -> int:
        return sum(each.count for each in self.states if each.state == "closed")

    @property
    def finished_last_hour(self) -> int:
        return sum(each.count for each in self.last_hour)

    @property
    def failed_last_hour(self) -> int:
        return sum(each.count for each in self.last_hour if each.status == "failed")


async def read_vitals(connection: AsyncConnection, tables: HostTables | None = None) -> Vitals:
    """Reads everything in one transaction. Raises what the database raises. `tables`: to read the organizations' names."""
    started = time.perf_counter()
    await STATEMENT_TIMEOUT.execute(connection)
    latency_ms = round((time.perf_counter() - started) * 1000)
    jobs = await JOBS.one(connection)
    due = await DUE.one(connection)
    workers = await WORKERS.rows(connection)
    unhealthy = await UNHEALTHY.rows(connection, {"shown": SHOWN})
    states = await STATES.rows(connection)
    causes = await LAST_HOUR.rows(connection)
    quota = await QUOTA.one(connection)
    quotas = await read_quotas(connection)
    listed = [*(each.org_id for each in unhealthy), *(each.org_id for each in quotas.shown)]
    pace = await read_pace_load(connection)
    if pace.slowest is not None:
        listed.append(pace.slowest.org_id)
    enrichment = await read_enrichment_load(connection)
    routing = await read_routing_load(connection)
    listed += [*enrichment.listed, *routing.listed]
    names = await organization_names(connection, tables, listed) if tables else {}
    return Vitals(
        latency_ms, jobs.live_jobs, jobs.pending, due.due, due.oldest_seconds,
        None if due.idle_seconds is None else max(due.idle_seconds, 0.0),
        workers, states, unhealthy, causes, quota, quotas, names, await count_suspect(connection), pace, enrichment, routing,
    )  # fmt: skip
