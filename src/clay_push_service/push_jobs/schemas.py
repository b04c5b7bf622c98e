"""What callers send and get about pushes: pydantic at the edge, nothing decided here."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from clay_push_service.leads.filters import LeadFilters
from clay_push_service.models import DeliveryStatus, JobStatus, PushMode
from clay_push_service.push_jobs.accept import MAX_LEADS

EXAMPLE_LEAD = "0b2f3a52-6c1e-4a86-9f5b-3b8a54e0f7d1"
EXAMPLE_PROJECT = "6f1d2a4e-8f0b-4d0e-9d53-0f6f6a1a7f10"
EXAMPLE_JOB = "4c0f6d0e-2f57-4f39-8a0c-5b1f6f2f9f11"


class PushBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"lead_ids": [EXAMPLE_LEAD], "project_id": EXAMPLE_PROJECT}]},
    )

    lead_ids: Annotated[list[UUID], Field(fail_fast=True, min_length=1, max_length=MAX_LEADS)] = Field(
        validation_alias=AliasChoices("lead_ids", "contributor_ids"),
        description="The leads, by contributor id; one named twice counts once. `contributor_ids` is taken as the same.",
    )
    project_id: UUID | None = Field(
        None,
        description="Without it each lead counts for the project where its score is highest: one job a project.",
    )
    push_again: bool = Field(False, description="Also what is or may be in Clay already: a second row, a second bill.")


class PushFilteredBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"project_id": EXAMPLE_PROJECT, "filters": {"min_score": 70}}]},
    )

    project_id: UUID
    filters: LeadFilters = LeadFilters()
    push_mode: Literal["filtered", "all"] = Field("filtered", description="`all` takes no filters.")
    push_again: bool = Field(False, description="Also what is or may be in Clay already: a second row, a second bill.")


class PreviewBody(BaseModel):
    """Either `lead_ids`, or `project_id` with `filters`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"project_id": EXAMPLE_PROJECT, "filters": {"qualified_only": True}}]},
    )

    lead_ids: Annotated[list[UUID], Field(fail_fast=True, min_length=1, max_length=MAX_LEADS)] | None = Field(
        None, validation_alias=AliasChoices("lead_ids", "contributor_ids")
    )
    project_id: UUID | None = None
    filters: LeadFilters = LeadFilters()
    push_again: bool = False


class QueuedJob(BaseModel):
    job_id: UUID = Field(examples=[EXAMPLE_JOB])
    project_id: UUID = Field(examples=[EXAMPLE_PROJECT])
    lead_count: int = Field(description="All leads of the request in this project, with the skipped.", examples=[3])
    skipped_count: int = Field(description="Of these, what is not sent; the job's leads say why.", examples=[1])


class PushAnswer(BaseModel):
    job_id: UUID = Field(description="The first of `jobs`.", examples=[EXAMPLE_JOB])
    lead_count: int = Field(description="All leads of the request, with the skipped.", examples=[3])
    skipped_count: int = Field(examples=[1])
    message: str = Field(examples=["Clay push job queued"])
    jobs: list[QueuedJob]


class Reason(BaseModel):
    cause: str = Field(examples=["already_in_clay"])
    count: int = Field(examples=[12])
    message: str = Field(examples=["This lead is already in your Clay table."])


class Preview(BaseModel):
    """What a push WOULD do now; nothing is queued."""

    lead_count: int = Field(description="Leads that were asked for.", examples=[100])
    to_send: int = Field(examples=[86])
    skipped: list[Reason] = Field(description="Why the others would not be sent.")
    changed_since: int = Field(
        description="Of those already in Clay, how many would look different if pushed again.", examples=[3]
    )
    too_large: int = Field(description="Over Clay's 100 KB a lead.", examples=[0])
    without_email: int = Field(examples=[31])
    estimated: bool = Field(
        description="True above 2,000 leads: `changed_since`, `too_large` and `without_email` come from a sample.",
        examples=[False],
    )
    seconds: float = Field(description="Time it will take at the set pace.", examples=[17.2])
    fuel_left_after: int | None = Field(
        description="Submissions the webhook takes after this push; null: no limit known.", examples=[49_700]
    )
    fuel_warning: str | None = Field(examples=[None])
    sample: dict[str, object] | None = Field(description="One payload as it would be sent.")


class Waiting(BaseModel):
    reason: str = Field(description="`throttled`, `retrying`, or the cause of an outage.", examples=["throttled"])
    until: datetime | None = Field(description="When it goes on, as far as known.")


class Step(BaseModel):
    number: int = Field(examples=[2])
    name: str = Field(examples=["Pushing to Clay"])
    status: Literal["pending", "running", "completed", "failed", "cancelled"] = Field(examples=["running"])


class CauseView(BaseModel):
    cause: str = Field(examples=["rejected"])
    count: int = Field(examples=[2])
    message: str = Field(examples=["Clay refused this lead."])
    remedy: str = Field(examples=["Look at the lead's answer and correct it."])
    who: str = Field(description="Who can do something about it.", examples=["you"])
    retryable: bool = Field(description="Does a retry of the job send these again?", examples=[True])


class ProjectRef(BaseModel):
    id: UUID
    name: str | None = Field(examples=["Acme Platform Leads"])


class JobView(BaseModel):
    id: UUID = Field(examples=[EXAMPLE_JOB])
    job_type: Literal["clay_push"] = "clay_push"
    push_mode: PushMode
    project: ProjectRef
    table_name: str | None = Field(examples=["Platform leads"])
    created_by: str | None = Field(examples=["user:alice"])
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    retry_of: UUID | None
    status: JobStatus
    waiting: Waiting | None = Field(description="Why nothing moves just now; waiting is not failing.")
    warnings: list[str] = Field(examples=[["2 leads failed."]])
    summary: str | None = Field(
        description="At the end, in one sentence.", examples=["198 pushed, 2 failed, 12 skipped."]
    )
    steps: list[Step]
    progress: str = Field(examples=["Pushed 120 of 200 leads to Clay"])
    progress_percent: float = Field(ge=0, le=100, examples=[60.0])
    lead_count: int = Field(description="= success + failed + skipped + pending.")
    success_count: int
    failed_count: int
    skipped_count: int
    pending_count: int
    unknown_count: int = Field(description="Part of the failed: sent, and no answer came. May be in Clay.")
    rate: float | None = Field(description="Leads a second, while it runs.", examples=[4.9])
    eta_seconds: float | None = Field(description="While it runs and does not wait.", examples=[16.3])
    causes: list[CauseView]


class JobPage(BaseModel):
    jobs: list[JobView]
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next page; null: this was the last.")


class LeadRef(BaseModel):
    id: UUID
    username: str | None = Field(examples=["johndoe"])
    full_name: str | None = Field(examples=["John Doe"])


class DeliveryView(BaseModel):
    delivery_id: UUID = Field(description="Also in the payload's `_meta`.")
    lead: LeadRef
    status: DeliveryStatus
    cause: str | None = Field(examples=["rejected"])
    error_message: str | None
    clay_response_status: int | None = Field(examples=[422])
    attempts: int = Field(description="POSTs, without those that only waited.", examples=[1])
    pushed_at: datetime | None


class DeliveryPage(BaseModel):
    leads: list[DeliveryView]
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next page; null: this was the last.")


class RetryBody(BaseModel):
    """Nothing: every failed lead but the `unknown`. `causes` or `lead_ids`: just these, and so also `unknown` by name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"causes": ["server_error"]}]})

    causes: (
        Annotated[list[Annotated[str, Field(max_length=50)]], Field(fail_fast=True, min_length=1, max_length=50)] | None
    ) = None
    lead_ids: Annotated[list[UUID], Field(fail_fast=True, min_length=1, max_length=MAX_LEADS)] | None = None


class CancelAnswer(BaseModel):
    job_id: UUID
    cancelled_count: int = Field(description="Leads that will not be sent any more.", examples=[180])
    already_sent: int = Field(description="Leads that had gone to Clay before.", examples=[20])
    in_flight: int = Field(description="Leads whose answer is still to come.", examples=[1])
    message: str = Field(examples=["Cancelled: 180 leads will not be sent; 20 had already gone to Clay."])


LeadState = Literal["never", "in_clay", "changed", "failed", "unknown", "pushing"]


class LeadClay(BaseModel):
    state: LeadState
    pushed_at: datetime | None = Field(description="When Clay last took it.")
    job_id: UUID | None = Field(description="The push job that says so.")


class LeadView(BaseModel):
    id: UUID
    username: str | None
    full_name: str | None
    email: str | None
    company: str | None
    overall_score: float | None
    classification: str | None
    priority: str | None
    is_qualified_lead: bool | None
    clay: LeadClay


class LeadPage(BaseModel):
    leads: list[LeadView]
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next page; null: this was the last.")


class GateView(BaseModel):
    code: str | None = Field(examples=["enterprise_required"])
    message: str | None
    upgrade_url: str | None


class LastPush(BaseModel):
    job_id: UUID
    status: JobStatus
    created_at: datetime
    finished_at: datetime | None
    success_count: int
    failed_count: int
    skipped_count: int


class Totals(BaseModel):
    pushed: int
    failed: int
    skipped: int
    unknown: int
    success_rate: float | None = Field(description="pushed ÷ (pushed + failed), 0 to 1; null: nothing was sent yet.")
