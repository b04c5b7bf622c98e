"""The lead filters of pushes, previews and lists. Refuses unknown fields and empty ranges."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from clay_push_service.host.enrichment_conditions import EnrichedState
from clay_push_service.host.lead_filters import LeadCriteria

MAX_WORDS = 500
"""The most words in one list; more than a person selects."""


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain a NUL character")  # PostgreSQL would refuse the whole statement
    return value


Word = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_without_nul)]
# fail_fast: otherwise a million bad words give a million errors, which take a gigabyte and eight seconds of the event loop.
Words = Annotated[tuple[Word, ...], Field(fail_fast=True, max_length=MAX_WORDS)]
Score = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]


class LeadFilters(BaseModel):
    """Selects leads of a project. A lead with an unknown value matches no list: it is neither included nor excluded by it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"min_score": 70, "qualified_only": True, "classifications": ["DECISION_MAKER"]}]
        },
    )

    min_score: Score | None = Field(None, description="Overall score of at least this, 0 to 100.")
    max_score: Score | None = Field(None, description="Overall score of at most this, 0 to 100.")
    qualified_only: bool = Field(False, description="Only leads that NexusLeads marked as qualified.")
    search: (
        Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_without_nul)] | None
    ) = Field(None, description="Text to find in username, name, e-mail or company; case-insensitive.")
    classifications: Words = Field((), description="Any of these classifications.")
    industries: Words = Field((), description="Any of these industries.")
    companies: Words = Field((), description="Any of these companies, on GitHub or as the current employer.")
    priorities: Words = Field((), description="Any of these priorities.")
    exclude_classifications: Words = Field((), description="None of these classifications.")
    exclude_industries: Words = Field((), description="None of these industries.")
    exclude_companies: Words = Field((), description="None of these companies, neither on GitHub nor as the employer.")
    exclude_priorities: Words = Field((), description="None of these priorities.")

    without_email: bool = Field(
        False, description="Only leads without an e-mail address: NexusLeads has none, and no enrichment found one."
    )
    enrichment: EnrichedState | None = Field(
        None,
        description="`never`: Clay never sent a result for the lead. `stale`: the last result is more than six months old.",
    )

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> "LeadFilters":
        if self.min_score is not None and self.max_score is not None and self.min_score > self.max_score:
            raise ValueError("min_score is above max_score: no lead can match")
        return self

    @property
    def is_empty(self) -> bool:
        """Whether every lead of the project matches."""
        return self.criteria() == LeadFilters().criteria()  # an empty search is no condition

    def criteria(self) -> LeadCriteria:
        """Returns the same filters in the form that the host's statements use."""
        return LeadCriteria(
            min_score=None if self.min_score is None else Decimal(str(self.min_score)),
            max_score=None if self.max_score is None else Decimal(str(self.max_score)),
            qualified_only=self.qualified_only,
            search=self.search or None,
            classifications=self.classifications,
            industries=self.industries,
            companies=self.companies,
            priorities=self.priorities,
            exclude_classifications=self.exclude_classifications,
            exclude_industries=self.exclude_industries,
            exclude_companies=self.exclude_companies,
            exclude_priorities=self.exclude_priorities,
            without_email=self.without_email,
            enrichment=self.enrichment,
        )
