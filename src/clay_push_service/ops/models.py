"""The JSON document of `/status`; its page shows the same facts."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from clay_push_service import __version__, migrations
from clay_push_service.ops.advice import Level
from clay_push_service.ops.encryption_model import EncryptionModel, encryption_of
from clay_push_service.ops.enrichment_model import EnrichmentModel, enrichment_of
from clay_push_service.ops.health import UnhealthyDestination, Vitals
from clay_push_service.ops.pace_model import PaceModel, pace_of
from clay_push_service.ops.quota import QuotaLevel
from clay_push_service.ops.readiness import Readiness
from clay_push_service.ops.ring import RingCheck
from clay_push_service.ops.routing_model import RoutingModel, routing_of
from clay_push_service.ops.verdict import Verdict, explain_state

EXAMPLE_STATUS: dict[str, JsonValue] = {
    "status": "degraded", "version": "0.1.0",
    "advice": [{"level": "degraded", "what": "1 destination is closed, because Clay refuses the webhook (unauthorized).",
                "do": "The organization's Clay admin must repair the webhook."}],
    "database": {"reachable": True, "version": "18.0", "latency_ms": 1, "revision": "0006", "needed_revision": "0006",
                 "migrated": True, "nexusleads": "today"},
    "queue": {"live_jobs": 2, "pending": 310, "due": 305, "oldest_due_seconds": 61.2},
    "pace": {"served_workspaces": 1, "waiting": [{"reason": "pace", "leads": 310}],
             "slowest": {"org_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "organization": "Acme", "waited_seconds": 1.2,
                         "workspace_id": "6fa459ea-ee8a-3ca4-894e-db77e160355e", "rate_limit_ms": 200, "running_jobs": 2}},
    "enrichment": {"keys": 3, "refused_keys": 0, "rules_paused": 1, "queued_leads": 12, "requested_leads": 40, "held_runs": 0,
                   "oldest_held_seconds": None, "results_waiting": 0, "oldest_result_seconds": None, "results_unmatched": 2,
                   "organizations": [{"org_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "organization": "Acme", "key_state": "accepted",
                                      "rules_paused_cause": "insufficient_credits", "held_runs": 0, "credits_used": 170.0,
                                      "credits_per_day": 200.0, "actions_used": 90.0, "actions_per_day": None,
                                      "budget_percent": 85.0}],
                   "suspect_destinations": 0, "suspect": []},
    "routing": {"schedules": 3, "late_schedules": 0, "oldest_late_seconds": None, "paused_schedules": 1, "paused_after_failures": 1,
                "paused": [{"org_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "organization": "Acme",
                            "schedule_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7", "name": "Every morning", "because": "failures",
                            "since": "2026-11-22T05:58:00Z"}],
                "blocked_routes": 0, "blocked_schedules": 0, "blocked": []},
    "workers": [{"id": "0f8fad5b-d9cb-469f-a165-70867728950e", "hostname": "worker-1", "pid": 17, "version": "0.1.0",
                 "started_at": "2026-11-22T05:00:00Z", "age_seconds": 4.1, "is_live": True,
                 "clock_offset_seconds": 0.002}],
    "waiting_destinations": 0, "closed_destinations": 1,
    "unhealthy_destinations": [{"org_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "organization": "Acme", "table_name": "Platform leads",
                             "state": "closed", "reason": "unauthorized",
                             "message": "Clay rejected the auth token of the webhook.", "who": "the organization's Clay admin",
                             "since": "2026-11-22T05:58:00Z", "until": None}],
    "quota_warnings": [{"org_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "organization": "Acme", "table_name": "Platform leads",
                        "used": 48000, "limit": 50000, "percent": 96.0, "level": "urgent"}],
    "encryption": {"checked": True, "ring": ["k2"], "missing": ["k1"],
                   "sealed_with": [{"key_id": "k1", "destinations": 3, "in_use": 2, "in_ring": False}]},
    "last_hour": {"finished": 1210, "failed": 12, "failed_percent": 1.0,
                  "causes": [{"cause": "unauthorized", "status": "failed", "count": 12}]},
    "insecure_settings": [], "clock_offset_seconds": -0.001,
}  # fmt: skip


class FromAttributes(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AdviceModel(FromAttributes):
    level: Level = Field(description="How urgent it is.")
    what: str = Field(description="What happened and why.")
    do: str = Field(description="What to do next.")


class DatabaseModel(BaseModel):
    reachable: bool = Field(description="Whether the database responds.")
    version: str | None = Field(description="PostgreSQL's version; null: it does not respond.")
    latency_ms: int | None = Field(description="Round trip of one small statement.")
    revision: str | None = Field(description="The migration that the database is at.")
    needed_revision: str = Field(description="The migration this release needs.")
    migrated: bool = Field(description="Whether the database is at the needed migration.")
    nexusleads: str | None = Field(description="The vintage of NexusLeads' tables; null: not found.")


class WorkerModel(FromAttributes):
    id: UUID = Field(description="The id of this run of a worker.")
    hostname: str = Field(description="The machine.")
    pid: int = Field(description="The process.")
    version: str = Field(description="The worker's release.")
    started_at: datetime = Field(description="When it started.")
    age_seconds: float = Field(description="Seconds since its last heartbeat.")
    is_live: bool = Field(description="Whether its last heartbeat is at most 30 s old.")
    clock_offset_seconds: float | None = Field(description="Its clock minus the database's; null: unknown.")


class UnhealthyModel(BaseModel):
    org_id: UUID = Field(description="The organization.")
    organization: str | None = Field(description="The organization's name in NexusLeads; null: cannot be read.")
    table_name: str | None = Field(description="Its Clay table.")
    state: str = Field(description="`waiting` or `closed`.")
    reason: str | None = Field(description="The cause.")
    message: str | None = Field(description="The reason in a sentence.")
    who: str | None = Field(description="Who must act; `you` means the operator.")
    since: datetime = Field(description="When this state began.")
    until: datetime | None = Field(description="When a waiting destination is tried again.")


class QuotaModel(BaseModel):
    org_id: UUID = Field(description="The organization.")
    organization: str | None = Field(description="The organization's name in NexusLeads; null: cannot be read.")
    table_name: str | None = Field(description="Its Clay table.")
    used: int = Field(description="Lifetime submissions used.")
    limit: int = Field(description="Lifetime submissions that the webhook accepts.")
    percent: float = Field(description="Used share of the limit.")
    level: QuotaLevel = Field(description="`warning` from 80 %, `urgent` from 95 %.")


class CauseModel(FromAttributes):
    cause: str = Field(description="The cause of the outcome.")
    status: str = Field(description="`success` or `failed`.")
    count: int = Field(description="Number of leads.")


class QueueModel(BaseModel):
    live_jobs: int = Field(description="Push jobs that have not finished.")
    pending: int = Field(description="Leads without an outcome.")
    due: int = Field(description="Leads that can be sent now.")
    oldest_due_seconds: float | None = Field(description="Seconds since the oldest of them became due.")


class LastHourModel(BaseModel):
    finished: int = Field(description="Leads that succeeded or failed.")
    failed: int = Field(description="Leads that failed.")
    failed_percent: float | None = Field(description="Failed share; null: no lead finished.")
    causes: list[CauseModel] = Field(description="Causes, the most frequent first.")


class Status(BaseModel):
    """`ok`; `degraded`: the service works and an operator should check it; `failing`: it cannot accept or send pushes (503)."""

    status: Level = Field(description="The most urgent level of all advice.")
    version: str = Field(description="This process's release.")
    advice: list[AdviceModel] = Field(description="Problems and remedies, the most urgent first.")
    database: DatabaseModel = Field(description="The database, which NexusLeads shares.")
    queue: QueueModel | None = Field(description="null: the database does not respond.")
    pace: PaceModel | None = Field(description="Workspaces with a pace; null: the database does not respond.")
    enrichment: EnrichmentModel | None = Field(description="Enrichment; null: the database does not respond.")
    routing: RoutingModel | None = Field(description="Schedules and routes; null: the database does not respond.")
    workers: list[WorkerModel] = Field(description="Workers, the latest heartbeat first.")
    waiting_destinations: int | None = Field(description="Destinations that wait until an outage of Clay ends.")
    closed_destinations: int | None = Field(description="Destinations that accept no leads.")
    unhealthy_destinations: list[UnhealthyModel] = Field(
        description="The 20 destinations that most recently began to wait or closed."
    )
    quota_warnings: list[QuotaModel] = Field(
        description="The 20 fullest webhooks that have used at least 80 % of their submissions."
    )
    encryption: EncryptionModel | None = Field(
        description="Keys of this process against stored values; null: the database does not respond."
    )
    last_hour: LastHourModel | None = Field(
        description="Outcomes of the last hour; null: the database does not respond."
    )
    clock_offset_seconds: float | None = Field(
        description="This web process's clock minus the database's; null: the database does not respond."
    )
    insecure_settings: list[str] = Field(description="Settings that make this instance unfit for production.")


def _unhealthy(each: UnhealthyDestination, names: Mapping[UUID, str]) -> UnhealthyModel:
    message, who = explain_state(each.state, each.reason)
    return UnhealthyModel(
        org_id=each.org_id, organization=names.get(each.org_id), table_name=each.table_name, state=each.state, reason=each.reason, message=message, who=who,
        since=each.since, until=each.until,
    )  # fmt: skip


def _quotas(vitals: Vitals) -> list[QuotaModel]:
    return [
        QuotaModel(
            org_id=each.org_id, organization=vitals.names.get(each.org_id), table_name=each.table_name, used=each.used,
            limit=each.limit, percent=each.percent, level=each.level,
        ) for each in vitals.quotas.shown
    ]  # fmt: skip


def status_of(
    ready: Readiness,
    vitals: Vitals | None,
    verdict: Verdict,
    insecure: tuple[str, ...],
    ring: RingCheck | None = None,
    web_offset_seconds: float | None = None,
) -> Status:
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
        pace=pace_of(vitals.pace, vitals.names) if vitals else None,
        enrichment=enrichment_of(vitals.enrichment, vitals.suspect, vitals.names) if vitals else None,
        routing=routing_of(vitals.routing, vitals.names) if vitals else None,
        workers=[WorkerModel.model_validate(each) for each in vitals.workers] if vitals else [],
        waiting_destinations=vitals.waiting if vitals else None,
        closed_destinations=vitals.closed if vitals else None,
        unhealthy_destinations=[_unhealthy(each, vitals.names) for each in vitals.unhealthy] if vitals else [],
        quota_warnings=_quotas(vitals) if vitals else [],
        encryption=encryption_of(ring) if ring else None,
        last_hour=vitals
        and LastHourModel(
            finished=vitals.finished_last_hour,
            failed=vitals.failed_last_hour,
            failed_percent=round(100 * vitals.failed_last_hour / vitals.finished_last_hour, 1)
            if vitals.finished_last_hour
            else None,
            causes=[CauseModel.model_validate(each) for each in vitals.last_hour],
        ),
        clock_offset_seconds=None if web_offset_seconds is None else round(web_offset_seconds, 3) + 0.0,  # no -0.0
        insecure_settings=list(insecure),
    )
