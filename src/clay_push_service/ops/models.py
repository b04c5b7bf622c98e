"""`/status` as JSON, the same facts as on its page."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from clay_push_service import __version__, migrations
from clay_push_service.ops.health import UnwellDestination, Vitals
from clay_push_service.ops.readiness import Readiness
from clay_push_service.ops.verdict import Level, Verdict, whose


class FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AdviceModel(FromAttributes):
    level: Level
    what: str
    do: str


class DatabaseModel(BaseModel):
    reachable: bool
    version: str | None
    latency_ms: int | None
    revision: str | None
    needed_revision: str
    migrated: bool
    nexusleads: str | None = Field(description="The vintage of NexusLeads' tables; null when they were not found.")


class WorkerModel(FromAttributes):
    id: UUID
    hostname: str
    pid: int
    version: str
    started_at: datetime
    age_seconds: float = Field(description="Since its last heartbeat.")
    is_live: bool


class UnwellModel(BaseModel):
    org_id: UUID
    table_name: str | None
    state: str
    reason: str | None
    message: str | None = Field(description="The reason in a sentence.")
    who: str | None = Field(description="Who acts; `you` is whoever reads this page.")
    since: datetime
    until: datetime | None


class CauseModel(FromAttributes):
    cause: str
    status: str
    count: int


class QueueModel(BaseModel):
    live_jobs: int
    pending: int = Field(description="Leads that have no outcome yet.")
    due: int = Field(description="Leads that could be sent now.")
    oldest_due_seconds: float | None = Field(description="Since the oldest of them was due.")


class LastHourModel(BaseModel):
    finished: int
    failed: int
    failed_percent: float | None
    causes: list[CauseModel]


class Status(BaseModel):
    """`ok`; `degraded`: works, somebody should look; `failing`: cannot do its work (503)."""

    status: Level
    version: str
    advice: list[AdviceModel] = Field(description="What to do, the most urgent first.")
    database: DatabaseModel
    queue: QueueModel | None = Field(description="null when the database cannot be asked.")
    workers: list[WorkerModel]
    waiting_destinations: int | None
    closed_destinations: int | None
    unwell_destinations: list[UnwellModel] = Field(description="The newest 20 that wait or are closed.")
    last_hour: LastHourModel | None
    loosened_settings: list[str] = Field(description="Settings that make this instance unfit for production.")


def _unwell(each: UnwellDestination) -> UnwellModel:
    message, who = whose(each.state, each.reason)
    return UnwellModel(
        org_id=each.org_id, table_name=each.table_name, state=each.state, reason=each.reason, message=message, who=who,
        since=each.since, until=each.until,
    )  # fmt: skip


def status_of(ready: Readiness, vitals: Vitals | None, verdict: Verdict, loosened: tuple[str, ...]) -> Status:
    return Status(
        status=verdict.level,
        version=__version__,
        advice=[AdviceModel.model_validate(each) for each in verdict.advice],
        database=DatabaseModel(
            reachable=ready.reachable,
            version=ready.database,
            latency_ms=vitals.latency_ms if vitals else None,
            revision=ready.revision,
            needed_revision=migrations.head(),
            migrated=ready.is_migrated,
            nexusleads=ready.host,
        ),
        queue=vitals
        and QueueModel(
            live_jobs=vitals.live_jobs,
            pending=vitals.pending,
            due=vitals.due,
            oldest_due_seconds=vitals.oldest_due_seconds,
        ),
        workers=[WorkerModel.model_validate(each) for each in vitals.workers] if vitals else [],
        waiting_destinations=vitals.waiting if vitals else None,
        closed_destinations=vitals.closed if vitals else None,
        unwell_destinations=[_unwell(each) for each in vitals.unwell] if vitals else [],
        last_hour=vitals
        and LastHourModel(
            finished=vitals.finished_last_hour,
            failed=vitals.failed_last_hour,
            failed_percent=round(100 * vitals.failed_last_hour / vitals.finished_last_hour, 1)
            if vitals.finished_last_hour
            else None,
            causes=[CauseModel.model_validate(each) for each in vitals.last_hour],
        ),
        loosened_settings=list(loosened),
    )
