"""Bodies of the staged test and of the estimate."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.enrichment.settings.kinds import Kind, Price, notes_of
from clay_push_service.enrichment.settings.staged_test import Stage, StageName, StageStatus, TestReport
from clay_push_service.enrichment.settings.views import AmountView

MAX_LEADS = 50
"""The guide: up to 50 leads per batch."""
_LEAD = "5b0c7e1e-0b57-4c0c-9d3e-3b8c3f0a6a11"


class EnrichmentTestBody(BaseModel):
    __test__ = False  # keeps pytest from collecting it

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"kind": "email"}]})

    kind: Kind = Field(Kind.EMAIL, description="Which routine to test.")
    run_item: StrictBool = Field(
        False, description="true: enrich one lead, which Clay charges. Read `estimate` of a test without it first."
    )
    lead_id: UUID | None = Field(None, description="The lead of the item; needed with `run_item`.", examples=[_LEAD])

    @model_validator(mode="after")
    def _names_a_lead(self) -> Self:
        if self.run_item and self.lead_id is None:
            raise ValueError("run_item needs a lead_id: the lead that is enriched")
        return self


class CostEstimate(BaseModel):
    """A range, called an estimate: Clay reports no cost per run."""

    credits: AmountView = Field(description="Data credits.")
    actions: AmountView = Field(description="Actions.")
    notes: list[str] = Field(description="Where the figures come from.")

    @classmethod
    def of_price(cls, kind: Kind, price: Price, count: int) -> Self:
        return cls(
            credits=AmountView.of_amount(price.credits.times(count)),
            actions=AmountView.of_amount(price.actions.times(count)),
            notes=notes_of(kind, price),
        )


class StageView(BaseModel):
    name: StageName = Field(description="`key`, `enabled` (the API, for this workspace), `routine`, `item`.")
    status: StageStatus = Field(description="`unclear`: Clay's answer allows no conclusion.")
    message: str = Field(description="What happened, in one sentence.", examples=["Clay accepts the API key."])
    cause: ApiCause | None = Field(description="Stable, for programs; null unless something failed or is unclear.")
    remedy: str | None = Field(description="What to do about it.")
    clay_response_status: int | None = Field(description="Clay's HTTP status, where it matters.", examples=[401])

    @classmethod
    def of(cls, stage: Stage) -> Self:
        return cls(
            name=stage.name, status=stage.status, message=stage.message, cause=stage.cause, remedy=stage.remedy,
            clay_response_status=stage.clay_status,
        )  # fmt: skip


class EnrichmentTestResult(BaseModel):
    """The stages in order; after a failed one, the others are not run."""

    __test__ = False  # likewise

    success: bool = Field(description="Whether no stage failed or is unclear.")
    kind: Kind = Field(description="The tested routine.")
    estimate: CostEstimate = Field(description="What one item costs, before and after it runs.")
    stages: list[StageView] = Field(description="Four stages.")
    ran_item: bool = Field(description="Whether Clay may have charged an item.")
    found: list[str] = Field(
        description="Fields that the item filled; their values are not stored.", examples=[["email"]]
    )
    unmapped_keys: list[str] = Field(description="Keys of the result that no output uses.", examples=[["Seniority"]])

    @classmethod
    def of(cls, kind: Kind, price: Price, report: TestReport) -> Self:
        return cls(
            success=report.success,
            kind=kind,
            estimate=CostEstimate.of_price(kind, price, 1),
            stages=[StageView.of(stage) for stage in report.stages],
            ran_item=report.ran_item,
            found=list(report.found),
            unmapped_keys=list(report.unmapped_keys),
        )


class EstimateBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"kind": "email", "lead_ids": [_LEAD]}]})

    kind: Kind = Field(description="`full` or `email`.")
    lead_ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_LEADS)] = Field(
        description="1 to 50 leads; a repeated id counts once.", examples=[[_LEAD]]
    )


class LeadEstimate(BaseModel):
    """What the leads would cost."""

    kind: Kind = Field(description="As requested.")
    lead_count: int = Field(description="Different leads.", examples=[12])
    estimate: CostEstimate = Field(description="For all of them.")

    @classmethod
    def of(cls, kind: Kind, count: int, price: Price) -> Self:
        return cls(kind=kind, lead_count=count, estimate=CostEstimate.of_price(kind, price, count))
