"""The request and response models of segments."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from clay_push_service.leads.filters import LeadFilters
from clay_push_service.routing.segments import Segment, SegmentUse

MAX_NAME = 100
SegmentName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class SegmentBody(BaseModel):
    """A name and the filters of a push. Without filters, it matches every lead."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Founders", "filters": {"min_score": 80}}]}
    )

    name: SegmentName = Field(description="Unique in the organization. Do not name a person.")
    filters: LeadFilters = Field(description="Which leads; scores are those in the project of the lead.")


class SegmentUseView(BaseModel):
    kind: Literal["route", "exclusion", "schedule"] = Field(description="What uses the segment.")
    id: UUID = Field(description="Its id.")
    project_id: UUID | None = Field(description="The project of the route or schedule; null: the organization.")
    name: str | None = Field(description="Name of the schedule; null for routes and exclusions.")


class SegmentView(BaseModel):
    id: UUID = Field(description="Id of the segment.")
    name: str = Field(description="Unique in the organization.", examples=["Founders"])
    filters: LeadFilters = Field(description="Which leads it matches.")
    emptied_at: datetime | None = Field(
        description="When an erasure removed a text that named an erased lead. Until it is saved again, the segment matches no lead."
    )
    uses: list[SegmentUseView] = Field(
        description="Routes, exclusions and schedules that use it. It cannot be deleted while there are any."
    )
    created_by: str = Field(description="Who created it.", examples=["user:alice"])
    created_at: datetime = Field(description="When it was created.")
    updated_by: str = Field(description="Who changed it last.", examples=["user:alice"])
    updated_at: datetime = Field(description="When it was changed last.")

    @classmethod
    def of(cls, segment: Segment, uses: Iterable[SegmentUse]) -> Self:
        return cls(
            id=segment.id,
            name=segment.name,
            filters=LeadFilters.model_validate(segment.filters),
            emptied_at=segment.emptied_at,
            uses=[SegmentUseView.model_validate(use._asdict()) for use in uses if use.segment_id == segment.id],
            created_by=segment.created_by,
            created_at=segment.created_at,
            updated_by=segment.updated_by,
            updated_at=segment.updated_at,
        )


class SegmentList(BaseModel):
    segments: list[SegmentView] = Field(description="In the order of their names; at most 200.")


class SegmentPreviewBody(BaseModel):
    """`segment_id` for a saved segment, or `filters`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"filters": {"min_score": 80}}]})

    segment_id: UUID | None = Field(None, description="Count the leads of this segment.")
    filters: LeadFilters | None = Field(None, description="Count the leads that match these filters.")
    project_id: UUID | None = Field(None, description="Only in this project.")

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.segment_id is None) == (self.filters is None):
            raise ValueError("send segment_id or filters, not both")
        return self


class ProjectCount(BaseModel):
    project_id: UUID = Field(description="The project.")
    project_name: str | None = Field(description="Its name.")
    lead_count: int = Field(description="Leads that match in this project.", examples=[120])
    all_leads: int = Field(description="All leads of the project.", examples=[500])


class SegmentPreview(BaseModel):
    lead_count: int = Field(
        description="Matches in all these projects; a lead in two projects counts in each.", examples=[120]
    )
    projects: list[ProjectCount] = Field(description="By project, the most leads first; at most 100 projects.")
