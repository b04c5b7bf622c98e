"""Facts about NexusLeads' own models: the types and lengths of the columns we write, and what its API requires of their values.

From its public schema and API (newest commit, and that of early 2026). A value that breaks one of them makes its pages
answer 500, or show nothing. Where two versions differ, the stricter rule is here.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

JOB_STATUSES = ("pending", "running", "completed", "failed", "cancelled")
STEP_STATUSES = ("pending", "running", "completed", "failed")
"""Those that its Jobs page has an icon for."""
MARK_STATUSES = ("success", "failed", "skipped")

Text50 = Annotated[str, Field(max_length=50)]
Text255 = Annotated[str, Field(max_length=255)]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]
Integer = Annotated[int, Field(ge=-(2**31), lt=2**31)]


class HostModel(BaseModel):
    """Columns that its API does not return are ignored."""

    model_config = ConfigDict(extra="ignore")


class HostProject(HostModel):
    """`GET /api/projects`. The minimum is decimal in the table and an integer here."""

    id: UUID
    name: Annotated[str, Field(min_length=1, max_length=255)]
    auto_export_clay_enabled: bool
    auto_export_clay_min_score: int | None
    auto_export_clay_classifications: list[str] | None


class HostJob(HostModel):
    """`GET /api/jobs`: a row of `sourcing_jobs`. `metadata` is a JSON object or null, never another JSON value."""

    id: UUID
    project_id: UUID
    """Nullable in the table; a job without one is on no page."""
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
    """`GET /api/jobs/{id}`: a row of `job_progress`. Its `created_at` is required where the table has the column."""

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
    """A row of `clay_push_log`: all references are NOT NULL in its newest model."""

    id: UUID
    org_id: UUID
    job_id: UUID
    project_id: UUID
    status: Annotated[Literal["success", "failed", "skipped"], Text50]
    error_message: str | None
    clay_response_status: Integer | None
    pushed_at: datetime
