"""Request bodies of the sandbox's own API."""

from pydantic import BaseModel, ConfigDict, Field

from clay_push_service.sandbox.limits import BURST, LIFETIME_CAP, RATE_PER_SECOND, WorkspaceLimits

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,149}$"


class LimitsBody(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float | None = Field(default=RATE_PER_SECOND, gt=0, description="Requests per second; null for no limit")
    burst: int = Field(default=BURST, ge=1)

    def limits(self) -> WorkspaceLimits:
        return WorkspaceLimits(self.rate, self.burst)


class SourceBody(BaseModel):
    """A new source. With `rate` or `burst` and no `workspace`, it gets its own workspace with its own name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=NAME)
    workspace: str | None = Field(default=None, pattern=NAME)
    token: str | None = Field(default=None, min_length=1, max_length=500)
    cap: int | None = Field(default=LIFETIME_CAP, ge=0)
    rate: float | None = Field(default=RATE_PER_SECOND, gt=0)
    burst: int = Field(default=BURST, ge=1)

    @property
    def limited(self) -> bool:
        return bool({"rate", "burst"} & self.model_fields_set)


class SourceChange(BaseModel):
    """Omitted fields are unchanged. `submissions` sets the used quota, to reach the cap quickly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str | None = Field(default=None, min_length=1, max_length=500)
    cap: int | None = Field(default=None, ge=0)
    submissions: int = Field(default=0, ge=0)
