"""The request and response models of previews of a mapping."""

from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clay_push_service.leads.payload import MAX_PAYLOAD_BYTES
from clay_push_service.mapping_settings.preview import MOST_LEADS, Rendered
from clay_push_service.mapping_settings.schemas import Columns


class MappingPreviewBody(BaseModel):
    """`columns` or `mapping_id`; without both, the standard payload."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"columns": [{"key": "name", "field": "full_name"}]}]}
    )

    columns: Columns | None = Field(None, description="Columns that need not be saved.")
    mapping_id: UUID | None = Field(None, description="A saved mapping, with its newest version.")
    project_id: UUID | None = Field(
        None, description="Its five leads with the highest score, or the project of `lead_ids`."
    )
    lead_ids: list[UUID] | None = Field(
        None, min_length=1, max_length=MOST_LEADS,
        description="These leads, at most five. Without leads and project, a sample lead is rendered.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _require_one_source(self) -> Self:
        if self.columns is not None and self.mapping_id is not None:
            raise ValueError("send columns or mapping_id, not both")
        return self


class ColumnWarning(BaseModel):
    key: str = Field(description="The column.", examples=["bio"])
    message: str = Field(description="What Clay would do with the value.")


class RenderedLead(BaseModel):
    lead_id: UUID | None = Field(description="The lead; null: the sample lead.")
    username: str | None = Field(description="GitHub user name.")
    size: int = Field(description="Bytes of the payload.", examples=[1812])
    payload: dict[str, object] | None = Field(description="What would be sent; null: it cannot be sent.")
    problem: str | None = Field(description="Why it cannot be sent; null: it can.")
    warnings: list[ColumnWarning] = Field(description="Values that Clay would not show as expected.")

    @classmethod
    def of(cls, rendered: Rendered) -> Self:
        return cls(
            lead_id=rendered.lead_id, username=rendered.username, size=rendered.size, payload=rendered.payload,
            problem=rendered.problem,
            warnings=[ColumnWarning(key=each.key, message=each.message) for each in rendered.warnings],
        )  # fmt: skip


class MappingPreview(BaseModel):
    keys: list[str] = Field(description="All keys of a payload, in their order.", examples=[["_meta", "name"]])
    size_limit: int = Field(description="Bytes that a payload can have.", examples=[MAX_PAYLOAD_BYTES])
    leads: list[RenderedLead] = Field(description="At most five.")
    always_empty: list[str] = Field(description="Columns without a value in any of these leads.")

    @classmethod
    def of(cls, keys: list[str], rendered: list[Rendered]) -> Self:
        built = [each.payload for each in rendered if each.payload is not None]
        empty = [key for key in keys if built and all(payload[key] in (None, "", []) for payload in built)]
        leads = [RenderedLead.of(each) for each in rendered]
        return cls(keys=["_meta", *keys], size_limit=MAX_PAYLOAD_BYTES, leads=leads, always_empty=empty)
