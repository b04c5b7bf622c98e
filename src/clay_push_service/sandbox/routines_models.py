"""The behaviour of the sandbox's public API: accepted keys, credits, pace, routines, deviations and faults."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from clay_push_service.sandbox.faults import FaultPlan

DAY_SECONDS = 86_400.0
Share = float
Scalar = str | int | float | bool | None

FULL_OUTPUTS: dict[str, Scalar] = {
    "Work Email": "{first}.{last}@{domain}", "Phone": "+1 415 555 0100", "LinkedIn URL": "https://www.linkedin.com/in/{first}-{last}",
    "Twitter URL": "https://x.com/{first}{last}", "Company Name": "{company}", "Company Website": "https://www.{domain}",
    "Company Size": "51-200", "Industry": "Software", "Technologies": "Python, PostgreSQL", "Job Title": "Engineer",
    "Location": "Berlin, Germany", "Confidence": 92,
}  # fmt: skip


class Routine(BaseModel):
    """`outputs`: keys and values of a result; `{first}`, `{last}`, `{company}` and `{domain}` come from the inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outputs: dict[str, Scalar] = Field(default_factory=lambda: dict(FULL_OUTPUTS), max_length=200)
    cost: float = Field(default=1.0, ge=0)


class Deviations(BaseModel):
    """Behaviour of Clay that differs from its documentation. Shares are probabilities per item, repeatable by `seed`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    other_case: bool = Field(default=False, description="Keys in another case and with underscores")
    numbers_as_strings: bool = False
    missing_items: Share = Field(default=0.0, ge=0, le=1, description="Items that never appear in `data`")
    unknown_status: Share = Field(default=0.0, ge=0, le=1, description="Items with a status that is not documented")
    failed: Share = Field(default=0.0, ge=0, le=1)
    empty: Share = Field(default=0.0, ge=0, le=1, description="Complete items without any value")
    never_complete: bool = Field(default=False, description="Runs report in_progress for ever, like stopped ones")
    checks_items_first: bool = Field(default=False, description="400 for no items also where the routine is unknown")


class ApiFaults(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    me: FaultPlan = FaultPlan()
    run: FaultPlan = FaultPlan()
    results: FaultPlan = FaultPlan()


class RunWebhook(BaseModel):
    """Clay sends one event when a run that named `id` as `webhook_id` is complete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=200)
    url: str = Field(pattern=r"^https?://", max_length=500)
    secret: str = Field(min_length=1, max_length=500)
    lost: Share = Field(default=0.0, ge=0, le=1, description="Runs whose event is never sent")
    doubled: Share = Field(default=0.0, ge=0, le=1, description="Runs whose event is sent twice")


class ApiPlan(BaseModel):
    """The whole behaviour; a PUT replaces it. The default accepts every key and has the routines `full` and `email`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: list[str] | None = Field(default=None, max_length=20, description="Accepted keys; null for any")
    not_enabled: Literal["no", "routines", "all"] = Field(default="no", description="Where the workspace gets 401")
    credits: float | None = Field(default=None, ge=0, description="Credits left; null for no limit")
    per_minute: int | None = Field(default=None, ge=1, description="Requests per minute; null for no limit")
    run_seconds: float = Field(default=0.0, ge=0, le=DAY_SECONDS)
    keep_seconds: float = Field(default=DAY_SECONDS, ge=0)
    routines: dict[str, Routine] = Field(
        default_factory=lambda: {
            "full": Routine(cost=7),
            "email": Routine(outputs={"Work Email": FULL_OUTPUTS["Work Email"]}),
        },
        max_length=50,
    )
    webhook: RunWebhook | None = None
    deviations: Deviations = Deviations()
    faults: ApiFaults = ApiFaults()


class ClockBody(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    advance_seconds: float = Field(ge=0, le=30 * DAY_SECONDS)
