"""The request and response models of exclusions."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from clay_push_service.push_jobs.openapi_aliases import with_aliases
from clay_push_service.routing.domain import Domain, parse_domain
from clay_push_service.routing.exclusions import Exclusion, ExclusionKind

MAX_REASON = 500
EXAMPLE = {"domain": "acme.com", "reason": "Competitor"}

Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON, pattern=r"^[^\x00]*$")
]


class ExclusionBody(BaseModel):
    """`lead_id` (alias `contributor_id`) or `domain`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=with_aliases({**EXAMPLE}))

    lead_id: UUID | None = Field(
        None, validation_alias=AliasChoices("lead_id", "contributor_id"), description="Exclude this lead."
    )
    domain: Annotated[str, StringConstraints(max_length=255)] | None = Field(
        None,
        description="Exclude all leads with an e-mail address of this domain, or of a subdomain with up to three more labels.",
    )
    kind: ExclusionKind = Field(
        ExclusionKind.EXCLUSION, description="`opt_out`: the person objects. `exclusion`: your own decision."
    )
    reason: Reason = Field(description="Why, for your colleagues. Do not name a person.")

    @model_validator(mode="after")
    def _require_one_target(self) -> Self:
        if (self.lead_id is None) == (self.domain is None):
            raise ValueError("send lead_id or domain, not both")
        if self.domain is not None and parse_domain(self.domain) is None:
            raise ValueError("domain is not an e-mail domain: send it as acme.com, without an address before it")
        return self

    @property
    def target(self) -> UUID | Domain:
        found = self.lead_id or parse_domain(self.domain or "")
        if found is None:
            raise ValueError("the body has no target")
        return found


class ExclusionView(BaseModel):
    id: UUID = Field(description="Id of the exclusion.")
    kind: ExclusionKind = Field(description="`opt_out`: the person objects. `exclusion`: the organization's decision.")
    lead_id: UUID | None = Field(description="The excluded lead; null: a domain, or an erased lead.")
    domain: str | None = Field(description="The excluded e-mail domain; null: a lead.", examples=["acme.com"])
    reason: str | None = Field(description="Why; null: emptied by an erasure.", examples=["Competitor"])
    created_by: str = Field(description="Who added it.", examples=["user:alice"])
    created_at: datetime = Field(description="When it was added.")
    erased: bool = Field(
        description="The lead was erased. The exclusion still matches the person's addresses, of which only hashes are kept."
    )

    @classmethod
    def of(cls, exclusion: Exclusion) -> Self:
        return cls(
            id=exclusion.id,
            kind=ExclusionKind(exclusion.kind),
            lead_id=None if exclusion.erased_at else exclusion.lead_id,
            domain=exclusion.domain,
            reason=exclusion.reason,
            created_by=exclusion.created_by,
            created_at=exclusion.created_at,
            erased=exclusion.erased_at is not None,
        )


class NewExclusion(BaseModel):
    exclusion: ExclusionView = Field(description="The exclusion.")
    stopped_count: int = Field(description="Queued deliveries that were skipped.", examples=[2])


class ExclusionPage(BaseModel):
    exclusions: list[ExclusionView] = Field(description="Newest first.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )
