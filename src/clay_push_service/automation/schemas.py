"""What callers send and get about auto-export: pydantic at the edge, nothing decided here."""

from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from clay_push_service.automation.choose import Clause
from clay_push_service.automation.rule import Keeper, KeptRule, Rule
from clay_push_service.automation.run import RunOutcome, RunResult
from clay_push_service.leads.filters import Score, Words
from clay_push_service.pagination import Cursor

EXAMPLE_SCAN = "9d4f0a3e-1c52-4f0d-8a55-2f9a1d3f7b10"


class RuleBody(BaseModel):
    """The whole rule: what is not named is without a condition."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"enabled": True, "min_score": 70, "classifications": ["DECISION_MAKER"]}]},
    )

    enabled: StrictBool = Field(description="Whether a scan pushes what the rule lets through.")
    min_score: Score | None = Field(
        None,
        description="Overall score of at least this; two decimals. A lead without a score does not meet it. NexusLeads' page"
        " shows a fraction as the next whole number.",
    )
    classifications: Words | None = Field(None, description="Any of these; empty or null: any, and also none.")

    def rule(self) -> Rule:
        score = None if self.min_score is None else Decimal(str(self.min_score)).quantize(Decimal("0.01"))
        words = tuple(dict.fromkeys(word.strip() for word in self.classifications or () if word.strip()))
        return Rule(self.enabled, score, words)


class RuleView(BaseModel):
    project_id: UUID = Field(description="The project.")
    enabled: bool = Field(description="Whether a scan pushes what the rule lets through.")
    min_score: float | None = Field(description="Overall score of at least this; null: any.", examples=[70])
    classifications: list[str] = Field(
        description="Any of these; empty: any, and also none.", examples=[["DECISION_MAKER"]]
    )
    kept_by: Keeper = Field(
        description="`host`: in NexusLeads' own columns, where its project page shows it. `own`: here (with a fraction as minimum, NexusLeads'"
        " columns hold the next whole number). `none`: not set."
    )

    @classmethod
    def of(cls, project_id: UUID, kept: KeptRule) -> Self:
        rule = kept.rule
        return cls(
            project_id=project_id,
            enabled=rule.enabled,
            min_score=None if rule.min_score is None else float(rule.min_score),
            classifications=list(rule.classifications),
            kept_by=kept.keeper,
        )


class RunBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"source_job_id": EXAMPLE_SCAN}]})

    source_job_id: UUID | None = Field(
        None,
        description="The scan that has completed. The same one twice runs once and gets the first answer again; without"
        " one every call runs.",
    )


class RunAnswer(BaseModel):
    outcome: RunOutcome = Field(description="`queued`, or why nothing was pushed.")
    message: str = Field(description="The same in one sentence.", examples=["12 new leads are being pushed to Clay."])
    project_id: UUID = Field(description="The project.")
    source_job_id: UUID | None = Field(description="The scan, as it was named.", examples=[EXAMPLE_SCAN])
    job_id: UUID | None = Field(description="The push job; null where nothing was to be sent.")
    lead_count: int = Field(description="Leads that were queued.", examples=[12])
    again: bool = Field(description="This scan was run before: this is the first answer, and nothing was done now.")

    @classmethod
    def of(cls, result: RunResult) -> Self:
        return cls(
            outcome=result.outcome,
            message=result.message,
            project_id=result.project_id,
            source_job_id=result.source_job_id,
            job_id=result.job_id,
            lead_count=result.lead_count,
            again=result.again,
        )


class LeftOut(BaseModel):
    clause: Clause = Field(description="The first clause of the rule that leaves them out.")
    count: int = Field(description="How many leads.", examples=[31])
    message: str = Field(description="The clause in one sentence.", examples=["Already in your Clay table."])


class PreviewedLead(BaseModel):
    id: UUID = Field(description="The lead's contributor id in NexusLeads.")
    username: str | None = Field(description="GitHub user name.")
    full_name: str | None = Field(description="Full name.")
    overall_score: float | None = Field(description="Overall score in this project; null: not scored.")
    classification: str | None = Field(description="What NexusLeads took the person for.")
    left_out_by: Clause | None = Field(description="The first clause that leaves it out; null: it would be pushed.")


class RulePreview(BaseModel):
    """What a run would do now; nothing is queued."""

    rule: RuleView = Field(description="The rule as it stands.")
    blocked: RunOutcome | None = Field(
        description="Why a run would push nothing, whatever the leads are; null: nothing."
    )
    message: str | None = Field(description="The same in one sentence.")
    lead_count: int = Field(description="All leads of the project.", examples=[120])
    to_send: int = Field(description="What the rule lets through.", examples=[12])
    left_out: list[LeftOut] = Field(description="Why the other leads would not be pushed.")
    leads: list[PreviewedLead] = Field(description="Those that would be pushed first, then best score first.")
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next page; null: this was the last.")


class PreviewQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: Cursor = None
    limit: Annotated[int, Field(ge=1, le=200, description="Leads in a page.")] = 50
