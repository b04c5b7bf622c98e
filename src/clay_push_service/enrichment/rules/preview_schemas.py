"""Query and response of the preview of an auto-enrich rule."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from clay_push_service.automation.evaluated_leads import EvaluatedLead
from clay_push_service.enrichment.rules.runs import RuleRunOutcome
from clay_push_service.enrichment.rules.schemas import AutoEnrichView
from clay_push_service.enrichment.rules.selection import MESSAGES, EnrichClause, RunReason
from clay_push_service.enrichment.settings.trial_schemas import CostEstimate
from clay_push_service.pagination import Cursor


class EnrichPreviewQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: RunReason = Field(
        RunReason.SCAN, description="`scan`: the run after a scan. `stale`: the daily run that enriches leads again."
    )
    cursor: Cursor = None
    limit: Annotated[int, Field(ge=1, le=200, description="Leads in a page.")] = 50


class LeftOutOfEnrichment(BaseModel):
    clause: EnrichClause = Field(description="The first condition of the rule that excludes them.")
    count: int = Field(description="Number of leads.", examples=[31])
    message: str = Field(description="The condition in one sentence.", examples=[MESSAGES[EnrichClause.MIN_SCORE]])


class LeadOfRule(BaseModel):
    id: UUID = Field(description="The lead's contributor id in NexusLeads.")
    username: str | None = Field(description="GitHub user name.")
    full_name: str | None = Field(description="Full name.")
    overall_score: float | None = Field(description="Overall score in this project; null: not scored.")
    classification: str | None = Field(description="NexusLeads' classification of the person.")
    left_out_by: EnrichClause | None = Field(
        description="The first condition that excludes it; null: the rule requests it."
    )

    @classmethod
    def of(cls, row: EvaluatedLead) -> Self:
        return cls(
            id=row.lead_id,
            username=row.username,
            full_name=row.full_name,
            overall_score=None if row.overall_score is None else float(row.overall_score),
            classification=row.classification,
            left_out_by=None if row.clause is None else EnrichClause(row.clause),
        )


class AutoEnrichPreview(BaseModel):
    """The result of a run now, over all leads that past scans found, without running it."""

    rule: AutoEnrichView = Field(description="The rule in force.")
    reason: RunReason = Field(description="The previewed run.")
    blocked: RuleRunOutcome | None = Field(
        description="Why a run would request nothing, independent of the leads; null: not blocked."
    )
    message: str | None = Field(description="The reason in one sentence.")
    lead_count: int = Field(description="All leads of the project.", examples=[120])
    to_enrich: int = Field(description="Leads that pass the rule.", examples=[60])
    next_run: int = Field(
        description="Leads of the next run: at most 1,000, the best first. Leads without the values that the routine needs are among"
        " them; they end with `missing_input` and cost nothing.",
        examples=[60],
    )
    estimate: CostEstimate = Field(description="What the next run costs, if the daily budget covers it.")
    left_out: list[LeftOutOfEnrichment] = Field(description="Why the other leads would not be requested.")
    leads: list[LeadOfRule] = Field(
        description="First those that would be requested; within each group, best score first."
    )
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )
