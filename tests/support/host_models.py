"""Models of NexusLeads: types and lengths of the columns that this service writes, and the rules of NexusLeads' API for their values.

They follow its public schema and API (the newest commit, and one of early 2026). A value that breaks a rule makes NexusLeads'
pages fail with 500 or stay empty. Where the two versions differ, the stricter rule applies.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

JOB_STATUSES = ("pending", "running", "completed", "failed", "cancelled")
STEP_STATUSES = ("pending", "running", "completed", "failed")
"""Values for which NexusLeads' Jobs page has an icon."""
MARK_STATUSES = ("success", "failed", "skipped")

Text50 = Annotated[str, Field(max_length=50)]
Text255 = Annotated[str, Field(max_length=255)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
Integer = Annotated[int, Field(ge=-(2**31), lt=2**31)]


class HostModel(BaseModel):
    """Base of the models. Columns that NexusLeads' API does not return are ignored."""

    model_config = ConfigDict(extra="ignore")


class HostProject(HostModel):
    """A project of `GET /api/projects`. The minimum score is a decimal in the table and an integer in the response."""

    id: UUID
    name: Annotated[str, Field(min_length=1, max_length=255)]
    auto_export_clay_enabled: bool
    auto_export_clay_min_score: int | None
    auto_export_clay_classifications: list[str] | None


class HostJob(HostModel):
    """A job of `GET /api/jobs`, which is a row of `sourcing_jobs`. `metadata` is a JSON object or null."""

    id: UUID
    project_id: UUID
    """Nullable in the table, but a job without a project appears on no page."""
    job_type: Text50
    status: Annotated[Literal["pending", "running", "completed", "failed", "cancelled"], Text50]
    total_steps: Integer
    current_step: Integer
    progress_percentage: Percent
    started_at: datetime | None
    completed_at: datetime | None
    error_message: str | None
    metadata: dict[str, object] | None
    created_at: datetime


class HostStep(HostModel):
    """A step of `GET /api/jobs/{id}`, which is a row of `job_progress`. `created_at` is required if the table has the column."""

    id: UUID
    job_id: UUID
    step_number: Integer
    step_name: Text255
    status: Annotated[Literal["pending", "running", "completed", "failed"], Text50]
    message: str | None
    details: dict[str, object] | None
    started_at: datetime | None
    completed_at: datetime | None


class HostMark(HostModel):
    """A row of NexusLeads' `clay_push_log`. All references are NOT NULL in its newest model."""

    id: UUID
    org_id: UUID
    job_id: UUID
    project_id: UUID
    status: Annotated[Literal["success", "failed", "skipped"], Text50]
    error_message: str | None
    clay_response_status: Integer | None
    pushed_at: datetime
