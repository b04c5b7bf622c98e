"""Request bodies of the enrichment settings."""

from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, StringConstraints, model_validator

from clay_push_service.clay.routines_body import MAX_ID_CHARACTERS
from clay_push_service.enrichment.settings.kinds import Amount, Kind
from clay_push_service.enrichment.settings.maps import problem_of_inputs, problem_of_outputs
from clay_push_service.enrichment.settings.table import (
    DEFAULT_PER_MINUTE,
    DEFAULT_TABLE_ANSWER_MINUTES,
    DEFAULT_TIME_ZONE,
    Routine,
)
from clay_push_service.setting_checks.api_key_form import BULLET, MAX_CHARACTERS, malformation

MAX_PER_MINUTE = 10_000
MAX_VERSION = 2**31 - 1
MAX_DAILY_ACTIONS = 1_000_000_000


@cache
def time_zones() -> frozenset[str]:
    """The zones of the package tzdata, so that every machine has the same ones."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


def _api_key(value: str) -> str:
    if BULLET not in value and (reason := malformation(value)) is not None:
        raise ValueError(reason)
    return value


def _time_zone(value: str) -> str:
    if value not in time_zones():
        raise ValueError("is not an IANA time zone, such as Europe/Berlin or UTC")
    return value


def _routine_id(value: str) -> str:
    if not value.isascii() or not value.isprintable() or any(each in value for each in " /?#") or value in {".", ".."}:
        raise ValueError("must be the routine's id alone, without spaces and not an address")
    return value


def _inputs(value: dict[str, str]) -> dict[str, str]:
    if (problem := problem_of_inputs(value)) is not None:
        raise ValueError(problem)
    return value


def _outputs(value: dict[str, str]) -> dict[str, str]:
    if (problem := problem_of_outputs(value)) is not None:
        raise ValueError(problem)
    return value


Key = Annotated[str, StringConstraints(max_length=MAX_CHARACTERS), AfterValidator(_api_key)]
RoutineId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID_CHARACTERS), AfterValidator(_routine_id)]
Version = Annotated[StrictInt, Field(ge=1, le=MAX_VERSION)]
EXAMPLE_INPUTS = {"Full Name": "full_name", "Company Name": "company_name"}
EXAMPLE_OUTPUTS = {"email": "Work Email", "custom.seniority": "Seniority"}


class AmountBody(BaseModel):
    """A range per lead."""

    model_config = ConfigDict(extra="forbid")

    low: Annotated[Decimal, Field(ge=0, le=100_000, max_digits=8, decimal_places=2)] = Field(
        description="At least.", examples=[1]
    )
    high: Annotated[Decimal, Field(ge=0, le=100_000, max_digits=8, decimal_places=2)] = Field(
        description="At most.", examples=[2]
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError("low must not be above high")
        return self

    def amount(self) -> Amount:
        return Amount(self.low, self.high)


class RoutineBody(BaseModel):
    """A routine in Clay. Replaces the stored one as a whole."""

    model_config = ConfigDict(extra="forbid")

    routine_id: RoutineId = Field(
        description="Its id in Clay: `clay routines list` shows it; Clay's API has no list.", examples=["rt_0t5f2k"]
    )
    inputs: Annotated[dict[str, str], AfterValidator(_inputs)] = Field(
        description="Name of each input → value of the lead that it receives.", examples=[EXAMPLE_INPUTS]
    )
    outputs: Annotated[dict[str, str], AfterValidator(_outputs)] = Field(
        description="Field → key of the routine's result. Fields: the eleven of the guide, `custom.<name>`, and what"
        " describes the result: `confidence`, `email_status`, `observed_at`, `credits`. Keys are compared without case, blanks"
        " and dashes.",
        examples=[EXAMPLE_OUTPUTS],
    )
    credits: AmountBody | None = Field(
        None, description="Estimated data credits per lead. null: the figures of the enrichment guide."
    )
    actions: AmountBody | None = Field(None, description="Estimated actions per lead. null: at least 1.")

    def routine(self) -> Routine:
        return Routine(
            self.routine_id, self.inputs, self.outputs, self.credits.amount() if self.credits else None,
            self.actions.amount() if self.actions else None,
        )  # fmt: skip


class RoutinesBody(BaseModel):
    """Omitted routines are unchanged; null removes one."""

    model_config = ConfigDict(extra="forbid")

    full: RoutineBody | None = Field(default=None, description="For full enrichment.")
    email: RoutineBody | None = Field(default=None, description="For the e-mail address alone.")

    def changes(self) -> dict[Kind, Routine | None]:
        bodies = {Kind.FULL: self.full, Kind.EMAIL: self.email}
        return {
            kind: None if body is None else body.routine()
            for kind, body in bodies.items()
            if kind.value in self.model_fields_set
        }


class BudgetBody(BaseModel):
    """The daily budget. Replaces the stored one as a whole; null: no limit."""

    model_config = ConfigDict(extra="forbid")

    credits_per_day: Annotated[Decimal, Field(ge=0, le=1_000_000_000, max_digits=12, decimal_places=2)] | None = Field(
        description="Data credits.", examples=[200]
    )
    actions_per_day: Annotated[StrictInt, Field(ge=0, le=MAX_DAILY_ACTIONS)] | None = Field(
        description="Actions.", examples=[None]
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        DEFAULT_TIME_ZONE, description="IANA time zone in which a day begins.", examples=["Europe/Berlin"]
    )


class RunWebhookBody(BaseModel):
    """The webhook that Clay calls when a run has finished; create it with `clay webhooks create`."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")] = Field(
        description="Its id in Clay.", examples=["wh_abc123"]
    )
    secret: Annotated[str, Field(min_length=8, max_length=500, pattern=r"^[!-~]+$")] = Field(
        description="Write only: its signing secret, which Clay shows once.", examples=["whsec_your_signing_secret"]
    )


class EnrichmentUpdate(BaseModel):
    """Omitted fields are unchanged."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"requests_per_minute": 300}]},
    )

    version: Version | None = Field(
        None,
        description="`version` of the settings as you read them; 409 `config_changed` when they have changed since.",
    )
    api_key: Key = Field(
        default_factory=str,  # a factory: the schema must not show a default for an omitted field
        description="Write only: the Clay API key of the organization's workspace. The masked value sent back changes nothing.",
        examples=["your_clay_api_key_here"],
    )
    requests_per_minute: Annotated[StrictInt, Field(ge=1, le=MAX_PER_MINUTE)] = Field(
        DEFAULT_PER_MINUTE,
        description="100 in Clay's Standard plan, 300 in Pro, your own limit in Enterprise (enrichment guide).",
        examples=[100],
    )
    table_answer_minutes: Annotated[StrictInt, Field(ge=5, le=24 * 60)] = Field(
        DEFAULT_TABLE_ANSWER_MINUTES,
        description="How long a row of the Clay table may take to send its result back (way `table`). Later, the lead ends with"
        " `no_answer`; a result still counts when it arrives.",
        examples=[120],
    )
    routines: RoutinesBody = Field(default_factory=RoutinesBody, description="The routines that enrich.")
    budget: BudgetBody | None = Field(None, description="Daily budget; null removes both limits.")
    run_webhook: RunWebhookBody | None = Field(
        None,
        description="Reports finished runs, so that a run whose start got no clear response is found; null removes it.",
    )
