"""Bodies and responses of auto-enrich rules."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from clay_push_service.enrichment.ledger.states import LegalBasis, RequestWay
from clay_push_service.enrichment.rules.rule import EnrichRule
from clay_push_service.enrichment.rules.runs import RuleRun, RuleRunOutcome
from clay_push_service.enrichment.settings.kinds import Kind

Hour = Annotated[int, Field(ge=0, le=23)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class AutoEnrichBody(BaseModel):
    """Replaces the rule as a whole. Omitted conditions are removed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"enabled": True, "kind": "email", "basis": "legitimate_interest", "min_score": 70}]
        },
    )

    enabled: bool = Field(description="Off by default. A rule needs a daily budget.")
    kind: Kind = Field(Kind.EMAIL, description="`full` or `email`.")
    way: RequestWay = Field(RequestWay.ROUTINE, description="`routine` or `table`.")
    basis: LegalBasis = Field(description="The legal basis that each job of the rule records.")
    min_score: Annotated[Decimal, Field(ge=0, le=100, max_digits=6, decimal_places=2)] | None = Field(
        None, description="Only leads with at least this score; a lead without a score does not meet it."
    )
    classifications: Annotated[list[Word], Field(max_length=50)] = Field(
        default_factory=list, description="Any of these; empty: no condition."
    )
    from_hour: Hour | None = Field(None, description="Off-peak window in the budget's time zone: its first hour.")
    to_hour: Hour | None = Field(None, description="The hour at which the window ends; it may span midnight.")
    stale_months: Annotated[int, Field(ge=1, le=60)] | None = Field(
        None, description="Enrich leads again when their last result is this number of months old; null: never."
    )

    @model_validator(mode="after")
    def _has_a_window(self) -> Self:
        if (self.from_hour is None) != (self.to_hour is None) or (
            self.from_hour is not None and self.from_hour == self.to_hour
        ):
            raise ValueError("send two different hours, from_hour and to_hour, or neither")
        return self

    def rule(self) -> EnrichRule:
        return EnrichRule(
            self.enabled, self.kind, self.way, self.basis, self.min_score, tuple(self.classifications), self.from_hour,
            self.to_hour, self.stale_months,
        )  # fmt: skip


class RuleRunView(BaseModel):
    id: UUID = Field(description="The run.")
    source_job_id: UUID | None = Field(description="The scan; null: a run for stale leads.")
    reason: str = Field(description="`scan` or `stale`.")
    outcome: RuleRunOutcome | None = Field(
        description="Null: it has not started, for example because the off-peak window is closed."
    )
    message: str | None = Field(description="The outcome in one sentence.")
    job_ids: list[UUID] = Field(description="The enrichment jobs, each with up to 50 leads.")
    lead_count: int = Field(description="Leads of these jobs.")
    created_at: datetime = Field(description="When it was queued.")
    done_at: datetime | None = Field(description="When it ended.")

    @classmethod
    def of(cls, run: RuleRun) -> Self:
        return cls(
            id=run.id, source_job_id=run.source_job_id, reason=run.reason,
            outcome=None if run.outcome is None else RuleRunOutcome(run.outcome), message=run.message,
            job_ids=list(run.job_ids), lead_count=run.lead_count, created_at=run.created_at, done_at=run.done_at,
        )  # fmt: skip


class AutoEnrichView(BaseModel):
    enabled: bool = Field(description="Whether the rule is on.")
    kind: Kind = Field(description="`full` or `email`.")
    way: RequestWay = Field(description="`routine` or `table`.")
    basis: LegalBasis = Field(description="The legal basis.")
    min_score: float | None = Field(description="Minimum score.")
    classifications: list[str] = Field(description="Any of these.")
    from_hour: int | None = Field(description="First hour of the off-peak window.")
    to_hour: int | None = Field(description="End of the window.")
    stale_months: int | None = Field(description="Months after which leads are enriched again.")
    runs: list[RuleRunView] = Field(description="The last ten runs, newest first.")

    @classmethod
    def of(cls, rule: EnrichRule, runs: list[RuleRunView]) -> Self:
        return cls(
            enabled=rule.enabled, kind=rule.kind, way=rule.way, basis=rule.legal_basis,
            min_score=None if rule.min_score is None else float(rule.min_score), classifications=list(rule.classifications),
            from_hour=rule.from_hour, to_hour=rule.to_hour, stale_months=rule.stale_months, runs=runs,
        )  # fmt: skip


class RulesResumed(BaseModel):
    resumed: bool = Field(description="false: rules were not paused.")
