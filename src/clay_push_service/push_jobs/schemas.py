"""The request bodies and responses of pushes, previews, retries and cancels; they contain no rules."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from clay_push_service.clay.cause import Cause
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.leads.openapi_aliases import with_aliases
from clay_push_service.push_jobs import openapi_examples as examples
from clay_push_service.push_jobs.views import DestinationRef, Waiting
from clay_push_service.states import SyncedLeads

MAX_LEADS = 50_000
"""The lifetime submissions of a webhook: a larger push could never complete."""


def _is_unset(value: object) -> bool:
    """Left out of the fingerprint of a request, so that a request of a client that does not know the field keeps its fingerprint."""
    return value is None or value is False


DestinationId = Annotated[
    UUID | None,
    Field(
        description="The Clay table that gets the leads; omitted: the organization's default one.", exclude_if=_is_unset
    ),
]
Anywhere = Annotated[
    bool,
    Field(
        description="true: also skip leads that are in another Clay table of the organization, or queued for one.",
        exclude_if=_is_unset,
    ),
]


SyncModeField = Annotated[
    SyncedLeads,
    Field(
        description="`new_and_changed`: also leads in the table that have changed since. Refused with 409 `sync_mode_refused` if"
        " the table keeps the oldest row, or if `dedupe` of the destination is `unknown`.",
        exclude_if=lambda value: value is SyncedLeads.NEW,
    ),
]


class EmptyBody(BaseModel):
    """Of a request without a body, for its fingerprint."""


class PushBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=with_aliases({"lead_ids": [examples.LEAD], "project_id": examples.PROJECT}),
    )

    lead_ids: Annotated[list[UUID], Field(fail_fast=True, min_length=1, max_length=MAX_LEADS)] = Field(
        validation_alias=AliasChoices("lead_ids", "contributor_ids"),
        description="The leads, by contributor id; duplicates count once. Required, here or as `contributor_ids`.",
    )
    project_id: UUID | None = Field(
        None,
        description="Without it, each lead counts for the project where its score is highest; one job per project.",
    )
    push_again: bool = Field(
        False, description="Also send leads that are or may be in Clay. Creates a duplicate row that Clay bills again."
    )
    destination_id: DestinationId = None
    anywhere: Anywhere = False
    sync_mode: SyncModeField = SyncedLeads.NEW


class PushFilteredBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"project_id": examples.PROJECT, "filters": {"min_score": 70}}]},
    )

    project_id: UUID = Field(description="The project whose leads are pushed.")
    filters: LeadFilters = Field(LeadFilters(), description="Which of its leads; empty: all.")
    push_mode: Literal["filtered", "all"] = Field("filtered", description="`all` takes no filters.")
    push_again: bool = Field(
        False, description="Also send leads that are or may be in Clay. Creates a duplicate row that Clay bills again."
    )
    destination_id: DestinationId = None
    anywhere: Anywhere = False
    sync_mode: SyncModeField = SyncedLeads.NEW


class PreviewBody(BaseModel):
    """Either `lead_ids`, or `project_id` with `filters`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=with_aliases({"project_id": examples.PROJECT, "filters": {"qualified_only": True}}),
    )

    lead_ids: Annotated[list[UUID], Field(fail_fast=True, min_length=1, max_length=MAX_LEADS)] | None = Field(
        None,
        validation_alias=AliasChoices("lead_ids", "contributor_ids"),
        description="The leads, by contributor id; omitted: the leads of the project that match the filters.",
    )
    project_id: UUID | None = Field(None, description="Required with filters; optional with `lead_ids`, as in a push.")
    filters: LeadFilters = Field(LeadFilters(), description="Which leads of the project; not with `lead_ids`.")
    push_again: bool = Field(
        False, description="Preview a push with `push_again`: leads that are or may be in Clay count as leads to send."
    )
    destination_id: DestinationId = None
    anywhere: Anywhere = False
    sync_mode: SyncModeField = SyncedLeads.NEW


class QueuedJob(BaseModel):
    job_id: UUID = Field(description="The push job.", examples=[examples.JOB])
    destination: DestinationRef = Field(description="The Clay table that gets the leads.")
    project_id: UUID = Field(description="The project whose leads it pushes.", examples=[examples.PROJECT])
    lead_count: int = Field(
        description="All leads of the request in this project, including the skipped ones.", examples=[3]
    )
    skipped_count: int = Field(
        description="Number of these that are not sent; the job's leads show the causes.", examples=[1]
    )


class PushAnswer(BaseModel):
    job_id: UUID = Field(description="The first of `jobs`.", examples=[examples.JOB])
    lead_count: int = Field(description="All leads of the request, including the skipped ones.", examples=[3])
    skipped_count: int = Field(
        description="Number of these that are not sent; the leads of each job show the causes.", examples=[1]
    )
    message: str = Field(
        description="The result; if nothing was queued, the reason.", examples=["Clay push job queued"]
    )
    jobs: list[QueuedJob] = Field(description="One push job per project.")


class Reason(BaseModel):
    cause: Cause = Field(description="Why they are skipped.", examples=["already_in_clay"])
    count: int = Field(description="Number of leads.", examples=[12])
    message: str = Field(description="The cause in one sentence.", examples=["Already in your Clay table."])


class RouteShare(BaseModel):
    route_id: UUID | None = Field(description="The route; null: no route matches, or the leads are excluded.")
    segment_name: str | None = Field(description="Its segment; null: every lead.", examples=["Founders"])
    lead_count: int = Field(description="Leads that it decides about.", examples=[40])


class DestinationPreview(BaseModel):
    destination: DestinationRef = Field(description="A destination that routes choose.")
    routes: list[RouteShare] = Field(
        description="The routes that lead there, and leads of the project that go nowhere."
    )
    lead_count: int = Field(description="Leads of its push job, including the skipped ones.", examples=[60])
    to_send: int = Field(description="Leads that a push would send there now.", examples=[40])
    skipped: list[Reason] = Field(description="Causes of the others.")
    blocked: str | None = Field(description="The code with which it refuses a push now.", examples=[None])
    quota_left_after: int | None = Field(description="As in the preview, of this destination.", examples=[49_700])
    quota_warning: str | None = Field(description="As in the preview, of this destination.", examples=[None])


class Preview(BaseModel):
    """The result of a push now, without queueing it."""

    destination: DestinationRef = Field(description="The Clay table that would get the leads.")
    blocked: str | None = Field(
        description="The code with which a push would be refused now; null: it would be accepted.",
        examples=["destination_closed"],
    )
    message: str | None = Field(description="Why it would be refused, and the remedy.")
    waiting: Waiting | None = Field(
        description="Set if the push would be accepted and wait, because Clay has an outage."
    )
    lead_count: int = Field(description="Leads of the request.", examples=[100])
    to_send: int = Field(description="Leads that a push would send now.", examples=[86])
    skipped: list[Reason] = Field(description="Causes of the leads that would not be sent.")
    sync_note: str | None = Field(
        description="With `sync_mode` `new_and_changed`: what its changed leads do in the Clay table, and their price in quota; null:"
        " no lead is sent again.",
        examples=[None],
    )
    changed_since: int = Field(
        description="Number of leads already in Clay that have changed since they were pushed.", examples=[3]
    )
    too_large: int = Field(description="Leads larger than 100 KB, Clay's limit.", examples=[0])
    without_email: int = Field(description="Number of leads to send without an e-mail address.", examples=[31])
    estimated: bool = Field(
        description="True above 2,000 leads: `changed_since`, `too_large` and `without_email` come from a sample.",
        examples=[False],
    )
    queued_before: int = Field(description="Leads already queued, which share the pace.", examples=[0])
    seconds: float = Field(
        description="Expected duration at the pace in force, including the leads already queued.", examples=[17.2]
    )
    quota_left_after: int | None = Field(
        description="Submissions left after this push and all queued leads; null: no known limit.",
        examples=[49_700],
    )
    quota_warning: str | None = Field(
        description="Warning if the webhook's quota would be nearly or completely used, in one sentence.",
        examples=[None],
    )
    sample: dict[str, object] | None = Field(description="An example payload, as it would be sent.")
    destinations: list[DestinationPreview] = Field(
        default=[],
        description="With routes: each destination that they choose; the counts above are the sums. Empty without routes.",
    )


class RetryBody(BaseModel):
    """An empty body retries every failed or cancelled lead whose cause is `retryable`; `causes` or `lead_ids` only these.

    Leads that are `unknown` (may be in Clay), `poison` or `lead_gone` are retried only when requested by name.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"causes": ["server_error"]}]})

    causes: Annotated[list[Cause], Field(fail_fast=True, min_length=1, max_length=50)] | None = Field(
        None, description="Only leads with one of these causes."
    )
    lead_ids: Annotated[list[UUID], Field(fail_fast=True, min_length=1, max_length=MAX_LEADS)] | None = Field(
        None, description="Only these leads of the job; they are sent even if they are in Clay now."
    )


class CancelAnswer(BaseModel):
    job_id: UUID = Field(description="The push job.")
    cancelled_count: int = Field(description="Leads that will no longer be sent.", examples=[180])
    already_sent: int = Field(description="Leads that Clay had already accepted.", examples=[20])
    maybe_sent: int = Field(description="Leads that may be in Clay: sent without a clear response.", examples=[0])
    in_flight: int = Field(description="Leads whose request is still in flight.", examples=[1])
    message: str = Field(
        description="The result in one sentence.",
        examples=["Cancelled: 180 leads will not be sent; 20 were already sent to Clay."],
    )
