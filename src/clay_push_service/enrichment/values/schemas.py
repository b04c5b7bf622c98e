"""The request and response models of a lead's enrichment and of custom fields."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from clay_push_service.enrichment.values.choice import ChoiceReason, ValueSource
from clay_push_service.enrichment.values.confidence import ConfidenceBand, ConfidenceBasis, EmailCheck
from clay_push_service.enrichment.values.edit import Edit
from clay_push_service.enrichment.values.fields import MAX_CUSTOM
from clay_push_service.enrichment.values.normalise import MAX_CHARACTERS, MAX_WORDS

FieldText = str | list[str]
Word = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS)]


class ScoreView(BaseModel):
    confidence: int | None = Field(description="0 to 100; null: not given.", examples=[92])
    band: ConfidenceBand = Field(description="90 and above, 70, 50, below; `not_given` is not a low confidence.")
    basis: ConfidenceBasis = Field(description="`reported` by Clay, `derived` by a fixed table, or `none`.")


class BadgeView(BaseModel):
    enriched: bool = Field(description="Whether a result from Clay exists for the lead.")
    enriched_at: datetime | None = Field(description="When the last result arrived.")
    stale: bool = Field(description="Whether that is more than six months ago.")


class SearchState(StrEnum):
    """What is known of a field."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    NOT_SEARCHED = "not_searched"


class ValueView(BaseModel):
    id: UUID | None = Field(description="For `value_id`; null: the host's own value.")
    value: FieldText | None = Field(description="Null: looked for and not found, or an edit that was withdrawn.")
    source: ValueSource = Field(description="Who has it: a routine or a table of Clay, a person, or the host.")
    provider: str | None = Field(description="The data provider that Clay named.", examples=["Hunter"])
    confidence: int | None = Field(description="0 to 100; null: not given.")
    band: ConfidenceBand = Field(description="The band of the confidence.")
    basis: ConfidenceBasis = Field(description="Where the confidence comes from.")
    email_status: EmailCheck | None = Field(description="What the check of an e-mail address found.")
    observed_at: datetime | None = Field(
        description="When the value was found, as reported; otherwise when it was received. Null: the host's own value."
    )
    received_at: datetime | None = Field(description="When this service received it.")
    entered_by: str | None = Field(description="The person who entered it.", examples=["user:alice"])


class FieldView(BaseModel):
    field: str = Field(description="The field.", examples=["email"])
    state: SearchState = Field(
        description="`found`: Clay found a value; `not_found`: Clay searched it without a result; `not_searched`: no result named it."
    )
    current: ValueView | None = Field(description="The chosen value; null: there is none.")
    chosen_because: ChoiceReason | None = Field(description="Which rule chose it.")
    pinned_by: str | None = Field(description="Who pinned it.")
    pinned_at: datetime | None = Field(description="When it was pinned.")
    stale: bool = Field(description="Whether the last result for this field is more than six months old.")
    host_value: FieldText | None = Field(description="NexusLeads' own value. It is never overwritten.")
    history: list[ValueView] = Field(description="Every stored value and every search without one, newest first.")
    history_count: int = Field(description="All entries; `history` has the newest 100.")


class LeadEnrichment(BaseModel):
    lead_id: UUID = Field(description="The lead's contributor id in NexusLeads.")
    badge: BadgeView = Field(description="When the lead was last enriched.")
    score: ScoreView = Field(
        description="The mean of the confidences of the chosen enriched values; not given if none has one."
    )
    fields: list[FieldView] = Field(description="The eleven standard fields, then the custom ones.")


class FieldEdit(BaseModel):
    """`value_id` (pins that value), `value` (enters one; null withdraws the one entered before), or only `pinned`."""

    model_config = ConfigDict(extra="forbid")

    value_id: UUID | None = Field(None, description="A value of the field's history, which is pinned.")
    value: Word | Annotated[list[Word], Field(max_length=MAX_WORDS)] | None = Field(
        None, description="A value to enter. Null withdraws the value that a person entered before."
    )
    pinned: bool | None = Field(
        None, description="True: keep this value until the pin is removed. False: remove the pin.", examples=[True]
    )

    @model_validator(mode="after")
    def _is_one_change(self) -> "FieldEdit":
        sent_fields = self.model_fields_set
        if self.value_id is not None and ("value" in sent_fields or self.pinned is False):
            raise ValueError("send either value_id, which pins it, or value")
        if "value" in sent_fields and self.value is None and self.pinned:
            raise ValueError("a value that is withdrawn cannot be pinned")
        if self.value_id is None and "value" not in sent_fields and self.pinned is None:
            raise ValueError("send value_id, value or pinned")
        return self

    def edit(self) -> Edit:
        withdraw = "value" in self.model_fields_set and self.value is None
        return Edit(self.value_id, self.value, withdraw, self.pinned)


class CustomFields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    names: list[Annotated[str, StringConstraints(max_length=40)]] = Field(
        description="Names that results may fill as `custom.<name>`: letters a to z, digits and `_`.",
        max_length=MAX_CUSTOM,
        examples=[["funding_stage", "last_news"]],
    )
