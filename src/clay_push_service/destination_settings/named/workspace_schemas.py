"""Request and response bodies of workspaces."""

from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StringConstraints

from clay_push_service.destination_settings.named.workspaces import Workspace
from clay_push_service.destination_settings.schemas import on_one_line
from clay_push_service.destinations.pace import DEFAULT_RATE_LIMIT_MS

MAX_NAME: Final = 100
WORKSPACE_EXAMPLE: Final = "3c9e6679-7425-40de-944b-e07fc1f90ae7"
NAME_DESCRIPTION: Final = "Unique among the organization's {}; upper and lower case count as equal."

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME), AfterValidator(on_one_line)
]
RateLimit = Annotated[StrictInt, Field(ge=0, le=60_000)]


class WorkspaceBody(BaseModel):
    """A Clay workspace: all its destinations share one pace."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Sales", "rate_limit_ms": DEFAULT_RATE_LIMIT_MS}]}
    )

    name: Name = Field(description=NAME_DESCRIPTION.format("workspaces"))
    rate_limit_ms: RateLimit = Field(
        DEFAULT_RATE_LIMIT_MS, description="Milliseconds between two leads; Clay accepts 10 requests/s: at least 100."
    )


class WorkspaceUpdate(BaseModel):
    """Omitted fields are unchanged."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"rate_limit_ms": 100}]})

    name: Name | None = Field(None, description=NAME_DESCRIPTION.format("workspaces"))
    rate_limit_ms: RateLimit | None = Field(
        None,
        description="Milliseconds between two leads. Below 100 only if all its webhooks are in an allowed internal network.",
    )


class WorkspaceView(BaseModel):
    id: UUID = Field(description="Id of the workspace.", examples=[WORKSPACE_EXAMPLE])
    name: str = Field(description="Its name.", examples=["Default"])
    is_default: bool = Field(description="Whether destinations that name no workspace belong to it.")
    rate_limit_ms: int = Field(description="Milliseconds between two leads of all its destinations.", examples=[200])
    destination_count: int = Field(description="Destinations that are not archived.", examples=[2])
    created_at: datetime = Field(description="When it was created.")

    @classmethod
    def of(cls, found: Workspace) -> Self:
        return cls(**found._asdict())


class WorkspaceList(BaseModel):
    workspaces: list[WorkspaceView] = Field(description="The default one first, the others by name.")
