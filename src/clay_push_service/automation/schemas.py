"""The request and response bodies of auto-export; they contain no rules."""

from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from clay_push_service.automation.rule import Rule, RuleStorage, StoredRule
from clay_push_service.automation.rule_selection import Clause
from clay_push_service.automation.run import RunOutcome, RunResult
from clay_push_service.leads.filters import Score, Words
from clay_push_service.pagination import Cursor
from clay_push_service.push_jobs.views import DestinationRef

EXAMPLE_SCAN = "9d4f0a3e-1c52-4f0d-8a55-2f9a1d3f7b10"


class RuleBody(BaseModel):
    """The whole rule: an omitted field sets no condition."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"enabled": True, "min_score": 70, "classifications": ["DECISION_MAKER"]}]},
    )

    enabled: StrictBool = Field(description="Whether each completed scan pushes the leads that pass the rule.")
    min_score: Score | None = Field(
        None,
        description="Minimum overall score, with two decimals. A lead without a score does not pass. NexusLeads' page"
        " shows a fraction as the next whole number.",
    )
    classifications: Words | None = Field(None, description="Any of these; empty or null: no condition.")

    def rule(self) -> Rule:
        score = None if self.min_score is None else Decimal(str(self.min_score)).quantize(Decimal("0.01"))
        words = tuple(dict.fromkeys(word.strip() for word in self.classifications or () if word.strip()))
        return Rule(self.enabled, score, words)


class RuleView(BaseModel):
    project_id: UUID = Field(description="The project.")
    enabled: bool = Field(description="Whether each completed scan pushes the leads that pass the rule.")
    min_score: float | None = Field(description="Minimum overall score; null: no condition.", examples=[70])
    classifications: list[str] = Field(description="Any of these; empty: no condition.", examples=[["DECISION_MAKER"]])
    kept_by: RuleStorage = Field(
        description="`host`: stored in NexusLeads' own columns, and shown on its project page. `own`: stored by this service (if the minimum has"
        " a fraction, NexusLeads' columns hold the next whole number). `none`: not set."
    )

    @classmethod
    def of(cls, project_id: UUID, stored: StoredRule) -> Self:
        rule = stored.rule
        return cls(
            project_id=project_id,
            enabled=rule.enabled,
            min_score=None if rule.min_score is None else float(rule.min_score),
            classifications=list(rule.classifications),
            kept_by=stored.storage,
        )


class RunBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"source_job_id": EXAMPLE_SCAN}]})

    source_job_id: UUID | None = Field(
        None,
        description="The completed scan. A second call with the same scan runs nothing and returns the first result; without a scan"
        " every call runs the rule.",
    )


class RunAnswer(BaseModel):
    outcome: RunOutcome = Field(description="`queued`, or why nothing was pushed.")
    message: str = Field(
        description="The outcome in one sentence.", examples=["12 new leads are being pushed to Clay."]
    )
    project_id: UUID = Field(description="The project.")
    source_job_id: UUID | None = Field(description="The scan of the request.", examples=[EXAMPLE_SCAN])
    job_id: UUID | None = Field(description="The push job; null if nothing was queued.")
    lead_count: int = Field(description="Leads that were queued.", examples=[12])
    again: bool = Field(
        description="True if this scan was run before: this is the first result, and nothing was queued now."
    )

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
    clause: Clause = Field(description="The first clause of the rule that excludes them.")
    count: int = Field(description="Number of leads.", examples=[31])
    message: str = Field(description="The clause in one sentence.", examples=["Already in your Clay table."])


class PreviewedLead(BaseModel):
    id: UUID = Field(description="The lead's contributor id in NexusLeads.")
    username: str | None = Field(description="GitHub user name.")
    full_name: str | None = Field(description="Full name.")
    overall_score: float | None = Field(description="Overall score in this project; null: not scored.")
    classification: str | None = Field(description="NexusLeads' classification of the person.")
    left_out_by: Clause | None = Field(description="The first clause that excludes it; null: it would be pushed.")


class TablePreview(BaseModel):
    """What a run would do with one Clay table."""

    destination: DestinationRef = Field(description="The Clay table.")
    blocked: RunOutcome | None = Field(
        description="Why it takes no leads now; null: not blocked. Other tables get theirs."
    )
    message: str = Field(description="The result in one sentence.", examples=["12 leads are being pushed to Clay."])
    to_send: int = Field(description="Leads that a run would push there.", examples=[12])
    waiting: int = Field(
        description="Leads that a later run pushes there: this table, or another one that they also go to, takes none now, or the run"
        " has its limit.",
        examples=[0],
    )
    left_out: list[LeftOut] = Field(description="Why other leads that routes send there would not be pushed.")


class RulePreview(BaseModel):
    """The result of a run now, without running it."""

    rule: RuleView = Field(description="The rule in force.")
    blocked: RunOutcome | None = Field(
        description="Why a run would push nothing, independent of the leads; null: not blocked."
    )
    message: str | None = Field(description="The reason in one sentence.")
    lead_count: int = Field(description="All leads of the project.", examples=[120])
    to_send: int = Field(
        description="Leads that pass the rule. With routes: those that a run would push now; one that goes to two tables counts twice.",
        examples=[12],
    )
    left_out: list[LeftOut] = Field(description="Why the other leads would not be pushed.")
    destinations: list[TablePreview] | None = Field(
        description="The tables that the routes choose, each with its leads; null: routes do not decide for this project."
    )
    leads: list[PreviewedLead] = Field(
        description="First those that would be pushed; within each group, best score first."
    )
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )


class PreviewQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: Cursor = None
    limit: Annotated[int, Field(ge=1, le=200, description="Leads in a page.")] = 50
