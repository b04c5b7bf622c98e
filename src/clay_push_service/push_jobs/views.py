"""The response models of push jobs, deliveries, leads and status."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from clay_push_service.clay.cause import Cause, Who
from clay_push_service.mappings.ref import MappingRef
from clay_push_service.push_jobs import openapi_examples as examples
from clay_push_service.states import DeliveryStatus, JobStatus, PushMode


class Waiting(BaseModel):
    reason: Cause | Literal["throttled", "retrying"] = Field(
        description="`throttled`, `retrying`, or the cause of an outage.", examples=["throttled"]
    )
    until: datetime | None = Field(description="When sending continues; null: unknown.")


class Step(BaseModel):
    number: int = Field(description="1 to 3, as NexusLeads shows them.", examples=[2])
    name: str = Field(description="What this step does.", examples=["Pushing to Clay"])
    status: Literal["pending", "running", "completed", "failed", "cancelled"] = Field(
        description="State of the step.", examples=["running"]
    )


class CauseView(BaseModel):
    cause: Cause = Field(description="Stable code for programs.", examples=["rejected"])
    count: int = Field(description="Number of the job's leads.", examples=[2])
    message: str = Field(description="What happened, in one sentence.", examples=["Clay rejected the row."])
    remedy: str = Field(
        description="What to do next.",
        examples=["Compare the row with the column types of your Clay table, then retry."],
    )
    who: Who = Field(description="Who can apply the remedy.", examples=["you"])
    retryable: bool = Field(description="Whether a retry of the job sends these leads again.", examples=[True])


class ProjectRef(BaseModel):
    id: UUID = Field(description="The project.")
    name: str | None = Field(description="Its name when the push was accepted.", examples=["Acme Platform Leads"])


class DestinationRef(BaseModel):
    id: UUID = Field(description="The destination: the Clay table of the push.")
    name: str = Field(description="Its name.", examples=["Default"])


class JobView(BaseModel):
    id: UUID = Field(description="The push job.", examples=[examples.JOB])
    job_type: Literal["clay_push"] = Field(
        "clay_push", description="Always `clay_push`, as NexusLeads' own jobs have a type."
    )
    push_mode: PushMode = Field(description="How its leads were selected.")
    project: ProjectRef = Field(description="The project of the leads.")
    destination: DestinationRef = Field(description="The Clay table that gets the leads.")
    table_name: str | None = Field(
        description="Name of the Clay table when the push was accepted.", examples=["Platform leads"]
    )
    mapping: MappingRef | None = Field(
        description="The version of the mapping whose columns it sends, with its mapping's present name; null: the standard payload."
    )
    created_by: str | None = Field(
        description="The requester: `user:` and a name, `key:` and a service key's name, or a command.",
        examples=["user:alice"],
    )
    created_at: datetime = Field(description="When it was accepted.")
    started_at: datetime | None = Field(description="When a worker started it; null: not started.")
    finished_at: datetime | None = Field(description="When its last lead got an outcome; null: not finished.")
    retry_of: UUID | None = Field(description="The push job that it retries; null: it is not a retry.")
    status: JobStatus = Field(
        description="`failed`: every lead failed. If only some failed: `completed`, with `warnings`."
    )
    waiting: Waiting | None = Field(description="Why nothing is sent now; waiting is not a failure.")
    warnings: list[str] = Field(
        description="Points to check: why nothing is sent, what failed, what may be in Clay.",
        examples=[["2 leads failed."]],
    )
    summary: str | None = Field(
        description="The result in one sentence; null: not finished.", examples=["198 pushed, 2 failed, 12 skipped."]
    )
    steps: list[Step] = Field(description="The three steps, as NexusLeads shows them.")
    progress: str = Field(
        description="Progress of the leads to send, in one sentence.", examples=["Pushed 120 of 200 leads to Clay"]
    )
    progress_percent: float = Field(
        description="Percentage of the leads to send that have an outcome.", ge=0, le=100, examples=[60.0]
    )
    lead_count: int = Field(description="= success + failed + skipped + pending.")
    success_count: int = Field(description="Leads that Clay accepted.")
    failed_count: int = Field(description="Leads that Clay did not accept, including the `unknown` ones.")
    skipped_count: int = Field(
        description="Leads that were excluded when the push was accepted, or whose push was cancelled."
    )
    pending_count: int = Field(description="Leads without an outcome yet.")
    unknown_count: int = Field(description="Part of the failed: sent without a clear response; may be in Clay.")
    web_page_count: int = Field(
        description="Leads that got a web page as the response and may not be in Clay: the URL is not a webhook's.",
        examples=[0],
    )
    rate: float | None = Field(
        description="Leads per second while it runs: the pace, or without a pace the rate of the last 10 s.",
        examples=[5.0],
    )
    eta_seconds: float | None = Field(
        description="Estimated seconds until the end; null unless it runs, does not wait, and a worker drains it.",
        examples=[16.3],
    )
    causes: list[CauseView] = Field(
        description="Why leads failed, then why leads were skipped; the most frequent first."
    )


class JobPage(BaseModel):
    jobs: list[JobView] = Field(description="Newest first.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )


class LeadRef(BaseModel):
    id: UUID = Field(description="The lead's contributor id in NexusLeads.")
    username: str | None = Field(description="GitHub user name when the push was accepted.", examples=["johndoe"])
    full_name: str | None = Field(description="Full name when the push was accepted.", examples=["John Doe"])


class DeliveryView(BaseModel):
    delivery_id: UUID = Field(description="Also in the payload's `_meta`.")
    lead: LeadRef = Field(description="The lead.")
    status: DeliveryStatus = Field(description="Status of the delivery.")
    cause: Cause | None = Field(
        description="Why it failed or was skipped, for programs; null: neither.", examples=["rejected"]
    )
    error_message: str | None = Field(description="The cause in one sentence.")
    clay_response_status: int | None = Field(description="Clay's HTTP status; null without a response.", examples=[422])
    attempts: int = Field(
        description="Number of POSTs that count as attempts; a POST answered 429 does not.", examples=[1]
    )
    uncertain_attempts: int = Field(
        description="Attempts without a clear response: no response, or a 5xx. Above 0: may be in Clay.",
        examples=[0],
    )
    pushed_at: datetime | None = Field(
        description="When Clay accepted it; null: not accepted. If a result from Clay has settled an uncertain delivery, the time"
        " of the result."
    )
    confirmed_at: datetime | None = Field(
        description="When a result from Clay first named this delivery (confirmed in Clay); null: none has."
    )


class DeliveryPage(BaseModel):
    leads: list[DeliveryView] = Field(description="In the order they are sent.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )


LeadStateName = Literal["never", "in_clay", "changed", "failed", "unknown", "pushing", "excluded"]


class LeadClay(BaseModel):
    state: LeadStateName = Field(
        description="The lead's state in Clay; `changed`: in Clay, and the lead has changed since; `excluded`: not in Clay, and an"
        " exclusion of the organization prevents a push."
    )
    excluded: bool = Field(description="Whether an exclusion keeps the lead from Clay, in any state.")
    pushed_at: datetime | None = Field(description="When Clay last accepted it.")
    confirmed_at: datetime | None = Field(
        description="When a result from Clay first named that delivery (confirmed in Clay); null: none has."
    )
    job_id: UUID | None = Field(description="The push job of this state.")


class LeadView(BaseModel):
    id: UUID = Field(description="The lead's contributor id in NexusLeads.")
    username: str | None = Field(description="GitHub user name.")
    full_name: str | None = Field(description="Full name.")
    email: str | None = Field(description="E-mail address.")
    company: str | None = Field(description="Company on GitHub.")
    overall_score: float | None = Field(description="Overall score in this project, 0 to 100; null: not scored.")
    classification: str | None = Field(description="NexusLeads' classification of the person.")
    priority: str | None = Field(description="Priority in this project.")
    is_qualified_lead: bool | None = Field(description="Whether NexusLeads marked it as qualified.")
    enrichment_score: int | None = Field(
        description="Mean confidence of the chosen values that Clay found, 0 to 100, as `score` of the lead's enrichment; null: not given.",
        examples=[92],
    )
    clay: LeadClay = Field(description='The "Already in Clay" mark.')


class LeadPage(BaseModel):
    leads: list[LeadView] = Field(description="In the order of `sort`.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )


class GateView(BaseModel):
    code: str | None = Field(
        description="Why the organization may not use Clay; null: it may.", examples=["enterprise_required"]
    )
    message: str | None = Field(description="The reason in one sentence.")
    upgrade_url: str | None = Field(description="Page for upgrading the plan; null: none is set, or none is needed.")


class LastPush(BaseModel):
    job_id: UUID = Field(description="The push job.")
    status: JobStatus = Field(description="Status of the push job.")
    created_at: datetime = Field(description="When it was accepted.")
    finished_at: datetime | None = Field(description="When it finished; null: not finished.")
    success_count: int = Field(description="Leads that Clay accepted.")
    failed_count: int = Field(description="Leads that Clay did not accept, including the unknown.")
    skipped_count: int = Field(description="Leads that were skipped.")


class Totals(BaseModel):
    pushed: int = Field(description="Leads that Clay accepted, of all push jobs.")
    failed: int = Field(description="Leads that Clay did not accept, including the unknown.")
    skipped: int = Field(description="Leads that were skipped.")
    unknown: int = Field(description="Part of the failed: may be in Clay.")
    success_rate: float | None = Field(description="pushed ÷ (pushed + failed), 0 to 1; null: nothing was sent yet.")
