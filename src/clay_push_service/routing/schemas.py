"""The request and response models of exclusions."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from clay_push_service.leads.openapi_aliases import with_aliases
from clay_push_service.routing.address import parse_address
from clay_push_service.routing.domain import parse_domain
from clay_push_service.routing.exclusion_target import ExcludedSegment, ExclusionTarget
from clay_push_service.routing.exclusions import Exclusion, ExclusionKind

MAX_REASON = 500
EXAMPLE = {"domain": "acme.com", "reason": "Competitor"}

Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON, pattern=r"^[^\x00]*$")
]


class ExclusionBody(BaseModel):
    """`lead_id` (alias `contributor_id`), `domain`, `email` or `segment_id`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, json_schema_extra=with_aliases({**EXAMPLE}))

    lead_id: UUID | None = Field(
        None, validation_alias=AliasChoices("lead_id", "contributor_id"), description="Exclude this lead."
    )
    domain: Annotated[str, StringConstraints(max_length=255)] | None = Field(
        None,
        description="Exclude all leads with an e-mail address of this domain, or of a subdomain with up to three more labels.",
    )
    email: Annotated[str, StringConstraints(max_length=320)] | None = Field(
        None,
        description="Exclude every lead with exactly this e-mail address, also one that NexusLeads has not found yet. Only a hash of it is kept.",
        examples=["jane@acme.com"],
    )
    segment_id: UUID | None = Field(
        None,
        description="Exclude all leads of this segment: for a push with the score in its project, for an enrichment in any project.",
    )
    kind: ExclusionKind = Field(
        ExclusionKind.EXCLUSION, description="`opt_out`: the person objects. `exclusion`: your own decision."
    )
    reason: Reason = Field(description="Why, for your colleagues. Do not name a person.")

    @model_validator(mode="after")
    def _require_one_target(self) -> Self:
        if [self.lead_id, self.domain, self.email, self.segment_id].count(None) != 3:  # noqa: PLR2004 - of four
            raise ValueError("send exactly one of lead_id, domain, email and segment_id")
        if self.domain is not None and parse_domain(self.domain) is None:
            raise ValueError("domain is not an e-mail domain: send it as acme.com, without an address before it")
        if self.email is not None and parse_address(self.email) is None:
            raise ValueError("email is not one e-mail address: send it as jane@acme.com, without a name")
        return self

    @property
    def target(self) -> ExclusionTarget:
        if self.segment_id is not None:
            return ExcludedSegment(self.segment_id)
        found = self.lead_id or parse_domain(self.domain or "") or parse_address(self.email or "")
        if found is None:
            raise ValueError("the body has no target")
        return found


class ExclusionView(BaseModel):
    id: UUID = Field(description="Id of the exclusion.")
    kind: ExclusionKind = Field(description="`opt_out`: the person objects. `exclusion`: the organization's decision.")
    lead_id: UUID | None = Field(description="The excluded lead; null: a domain, an address, or an erased lead.")
    domain: str | None = Field(
        description="The excluded e-mail domain; null: a lead or an address.", examples=["acme.com"]
    )
    segment_id: UUID | None = Field(description="The excluded segment; null: another kind of exclusion.")
    is_address: bool = Field(
        description="An exact e-mail address is excluded. It is not shown: only a hash of it is kept."
    )
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
            segment_id=exclusion.segment_id,
            is_address=exclusion.of == "address",
            reason=exclusion.reason,
            created_by=exclusion.created_by,
            created_at=exclusion.created_at,
            erased=exclusion.erased_at is not None,
        )


class NewExclusion(BaseModel):
    exclusion: ExclusionView = Field(description="The exclusion.")
    stopped_count: int = Field(description="Queued deliveries that were skipped.", examples=[2])
    stopped_enrichment_count: int = Field(
        description="Queued leads of enrichment jobs that were skipped.", examples=[1]
    )
    warning: str | None = Field(
        description="The exclusion has an effect that is probably not wanted: its domain is a mail provider's; null: no warning."
    )


class ExclusionPage(BaseModel):
    exclusions: list[ExclusionView] = Field(description="Newest first.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )
