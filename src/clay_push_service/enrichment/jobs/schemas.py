"""Bodies and responses of enrichment jobs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from clay_push_service.clay.cause import Who
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.states import (
    CostSource,
    EnrichmentJobStatus,
    EnrichmentMode,
    ItemOutcome,
    ItemState,
    LegalBasis,
    RequestWay,
)
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.trial_schemas import MAX_LEADS, CostEstimate
from clay_push_service.enrichment.settings.views import AmountView

_LEAD = "5b0c7e1e-0b57-4c0c-9d3e-3b8c3f0a6a11"
BasisField = Annotated[
    LegalBasis, Field(description="The legal basis of processing the lead's data; recorded with the job.")
]
WayField = Annotated[
    RequestWay,
    Field(description="`routine`: Clay's public API. `table`: a push to the Clay table, which sends the result back."),
]


class EnrichLeadBody(BaseModel):
    """Enriches one lead. The request is explicit, so a lead that was enriched before is enriched again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kind": "email", "basis": "legitimate_interest"}]}
    )

    kind: Kind = Field(description="`full`: all available data. `email`: the e-mail address alone, with fewer credits.")
    basis: BasisField
    way: WayField = RequestWay.ROUTINE


class EnrichBody(BaseModel):
    """Enriches 1 to 50 leads."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"lead_ids": [_LEAD], "kind": "full", "basis": "legitimate_interest"}]},
    )

    lead_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_LEADS)] = Field(
        description="1 to 50 leads; a repeated id counts once.", examples=[[_LEAD]]
    )
    kind: Kind = Field(description="`full` or `email`.")
    basis: BasisField
    way: WayField = RequestWay.ROUTINE
    again: StrictBool = Field(
        False, description="true: also leads that were enriched within six months, or that may have been charged."
    )


class EnrichmentAccepted(BaseModel):
    job_id: UUID = Field(description="The new enrichment job.")
    lead_count: int = Field(description="Leads of the request.", examples=[12])
    skipped_count: int = Field(
        description="Those that are not requested from Clay; the items of the job give the reasons."
    )
    estimate: CostEstimate = Field(description="What the other leads would cost.")
    message: str = Field(description="The same in one or two sentences.", examples=["Queued for enrichment: 12 leads."])


class EnrichmentCauseView(BaseModel):
    cause: ItemCause = Field(description="Stable, for programs.")
    count: int = Field(description="Leads with this cause.", examples=[3])
    message: str = Field(description="What happened.", examples=["No data found"])
    remedy: str = Field(description="What to do.")
    who: Who = Field(description="Who can do it.")


class SpentView(BaseModel):
    """What the leads have cost. An estimate, unless an output of the routine reports it."""

    credits: float = Field(description="Reserved, estimated or reported credits of all leads.", examples=[38.0])
    actions: float = Field(description="The same for actions.", examples=[12.0])


class EnrichmentJobView(BaseModel):
    id: UUID = Field(description="The job.")
    kind: Kind = Field(description="`full` or `email`.")
    way: RequestWay = Field(description="`routine` or `table`.")
    mode: EnrichmentMode = Field(description="`one`, `batch`; `auto` and `stale`: by a rule.")
    basis: LegalBasis = Field(description="The recorded legal basis.")
    again: bool = Field(description="Whether leads that were enriched recently were included.")
    project_id: UUID | None = Field(description="The project; null: several projects.")
    status: EnrichmentJobStatus = Field(description="`failed`: no lead was answered, and at least one failed.")
    created_by: str = Field(description="Who requested it.", examples=["user:alice"])
    created_at: datetime = Field(description="When.")
    started_at: datetime | None = Field(description="When Clay was first requested to enrich a lead.")
    finished_at: datetime | None = Field(description="When the last lead ended.")
    lead_count: int = Field(description="All leads.", examples=[50])
    found_count: int = Field(description="All requested fields were found.")
    partial_count: int = Field(description="Some of them.")
    nothing_count: int = Field(description="None of them.")
    failed_count: int = Field(description="Ended by an error.")
    expired_count: int = Field(description="No result before the deadline; may have been charged.")
    skipped_count: int = Field(description="Nothing was requested from Clay.")
    cancelled_count: int = Field(description="Cancelled before it was requested from Clay.")
    pending_count: int = Field(description="Not ended.")
    progress_percent: int = Field(description="Leads that have ended.", ge=0, le=100)
    estimate_credits: AmountView = Field(description="Estimated credits when the job was accepted.")
    estimate_actions: AmountView = Field(description="Estimated actions when the job was accepted.")
    spent: SpentView = Field(description="The sum over the leads.")
    causes: list[EnrichmentCauseView] = Field(description="Why leads ended without values, most frequent first.")
    waiting: str | None = Field(description="What the job waits for, in one sentence; null: nothing unusual.")


class EnrichmentJobPage(BaseModel):
    jobs: list[EnrichmentJobView] = Field(description="Newest first.")
    next_cursor: str | None = Field(description="For the next page; null: this is the last one.")


class EnrichmentItemView(BaseModel):
    item_id: UUID = Field(description="The item; Clay receives it as the item's id.")
    lead_id: UUID = Field(description="The lead; after an erasure, a reference.")
    project_id: UUID = Field(description="The project that the lead counts for.")
    state: ItemState = Field(description="`held`: the start got no clear response, and is never repeated.")
    outcome: ItemOutcome | None = Field(description="Null: not ended.")
    cause: ItemCause | None = Field(description="Why it ended without all values.")
    message: str | None = Field(description="The same in one sentence.")
    remedy: str | None = Field(description="What to do.")
    who: Who | None = Field(description="Who can do it.")
    missing: list[str] = Field(description="Values that the lead lacks (`missing_input`).")
    found: list[str] = Field(description="Fields that were found.", examples=[["email", "job_title"]])
    not_found: list[str] = Field(description="Fields that Clay searched without a result.", examples=[["phone"]])
    credits: float = Field(description="See `cost_basis`.", examples=[1.5])
    actions: float = Field(description="See `cost_basis`.", examples=[1.0])
    cost_basis: CostSource = Field(
        description="`none`: not charged. `reserved`: not known yet. `estimated`. `reported`: an output of the routine."
    )
    delivery_id: UUID | None = Field(description="The delivery that requested it (way `table`).")
    created_at: datetime = Field(description="When it was requested.")
    started_at: datetime | None = Field(description="When Clay was requested to enrich it.")
    deadline_at: datetime | None = Field(description="When it ends without a result.")
    finished_at: datetime | None = Field(description="When it ended.")


class EnrichmentItemPage(BaseModel):
    items: list[EnrichmentItemView] = Field(description="In the order of the request.")
    next_cursor: str | None = Field(description="For the next page; null: this is the last one.")


class EnrichmentCancelAnswer(BaseModel):
    job_id: UUID = Field(description="The job.")
    cancelled_count: int = Field(description="Leads that are not requested from Clay.")
    requested_count: int = Field(description="Leads that were requested from Clay already. This cannot be taken back.")
    maybe_requested_count: int = Field(description="Leads whose start got no clear response.")
    answered_count: int = Field(description="Leads that were answered.")
    message: str = Field(description="The same in one sentence.")
