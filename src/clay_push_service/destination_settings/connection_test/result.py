"""The result of a connection test: what happened, at which stage, and what to do next; as a value and as a response body."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from pydantic import BaseModel, Field

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.clay.outcome import Outcome, Verdict
from clay_push_service.destination_settings.connection_test.stages import (
    ConnectionResult,
    ConnectionStage,
    Stage,
    stages_of,
)

THROTTLED = "throttled"
"""Used by tests only: a push waits after a 429, so no delivery has this cause."""
NOT_A_WEBHOOK = "not_a_webhook"
"""Used by tests only: in a push such a response counts as a success, because Clay's response body is undocumented."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a test. `cause` is None if Clay accepted the row; `duration_ms` is None if nothing was sent."""

    success: bool
    message: str
    status: int | None = None
    cause: str | None = None
    remedy: str | None = None
    duration_ms: int | None = None
    failed_stage: ConnectionStage | None = None
    """None: Clay accepted the row."""

    @property
    def stages(self) -> Sequence[Stage]:
        return stages_of(self.failed_stage, self.cause, self.message, self.remedy)


ACCEPTED = "Clay accepted a test row. Delete it from your table after checking it."
AGAIN = "Test again in a minute."
FAILURE_TEXTS: Mapping[Cause, tuple[str, str]] = MappingProxyType(
    {
        Cause.REJECTED: (
            "Clay refused the test row.",
            "Look at Clay's status code, and at the webhook source in Clay.",
        ),
        Cause.SERVER_ERROR: ("Clay returned a server error.", AGAIN),
        Cause.NETWORK_ERROR: ("Clay could not be reached.", AGAIN),
        Cause.CERTIFICATE_ERROR: (
            "The certificate of the webhook's server is not trusted, so nothing was sent.",
            "Check the webhook URL. If it is right, ask the NexusLeads operator: a proxy's authority belongs in CLAY_PUSH_CA_FILE.",
        ),
        Cause.UNKNOWN: (
            "Clay gave no clear response, so the test row may or may not be in your table.",
            "Look for it in your Clay table; it counts as a submission.",
        ),
        Cause.BLOCKED: (
            "NexusLeads is not allowed to send to the address of this webhook.",
            "Save a webhook URL that Clay gave you in Settings → Integrations.",
        ),
        Cause.UNAUTHORIZED: (
            "Clay rejected the auth token of the webhook.",
            "Copy the webhook source's token from Clay into Settings → Integrations; a new one may take Clay a minute.",
        ),
        Cause.QUOTA_EXHAUSTED: (
            "This webhook has used up its 50,000 lifetime submissions.",
            "Create a new webhook source in Clay (for the same table, if you like) and save its URL in Settings.",
        ),
        Cause.WEBHOOK_GONE: (
            "This webhook does not exist in Clay.",
            "Copy the webhook URL from your Clay table into Settings → Integrations.",
        ),
        Cause.SECRET_UNREADABLE: (
            "The stored webhook URL could not be decrypted.",
            "Save the webhook URL again in Settings → Integrations, or ask the NexusLeads operator.",
        ),
    }
)
"""Message and remedy of a failed test, where those of a delivery are about leads and retries."""

STAGE_TEXTS: Mapping[tuple[str, ConnectionStage], tuple[str, str]] = MappingProxyType(
    {
        (Cause.NETWORK_ERROR, ConnectionStage.DNS): (
            "The host name of the webhook was not found.",
            "Check the webhook URL. If it is right, test again in a minute.",
        ),
        (Cause.NETWORK_ERROR, ConnectionStage.CONNECTION): (
            "The webhook's server did not accept a connection.",
            "Test again in a minute. If it persists, ask the NexusLeads operator whether a firewall blocks the connection.",
        ),
        (Cause.NETWORK_ERROR, ConnectionStage.TLS): (
            "No encrypted connection to the webhook's server was possible.",
            "Check the webhook URL. If it is right, ask the NexusLeads operator.",
        ),
    }
)
"""Message and remedy where the stage gives more information than the cause."""
OTHER_TEXTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        NOT_A_WEBHOOK: (
            "A web page responded, so this is not a webhook.",
            "Copy the webhook URL from the table's webhook source in Clay, and save it in Settings.",
        ),
        THROTTLED: ("Clay receives too many requests now and did not accept the test row.", AGAIN),
    }
)


def texts_of(cause: str | None, stage: ConnectionStage | None) -> tuple[str, str | None]:
    """Returns message and remedy of a test."""
    if stage is None:
        return ACCEPTED, None
    key = cause or Cause.UNKNOWN
    if (found := STAGE_TEXTS.get((key, stage)) or OTHER_TEXTS.get(key)) is not None:
        return found
    failure = Cause(key)
    explanation = EXPLANATIONS[failure]
    return FAILURE_TEXTS.get(failure, (explanation.message, explanation.remedy))


def finding_of(outcome: Outcome, duration_ms: int | None, stage: ConnectionStage | None) -> Finding:
    """Converts an outcome to a finding. `stage`: where the test failed."""
    cause: str | None = outcome.cause
    if outcome.is_page:
        cause = NOT_A_WEBHOOK
    elif outcome.verdict is Verdict.WAIT:
        cause = THROTTLED
    elif stage is not None:
        cause = outcome.cause or Cause.UNKNOWN
    message, remedy = texts_of(cause, stage)
    if outcome.verdict is Verdict.WAIT:
        remedy = f"Test again in {round(outcome.retry_after_seconds or 1)} s."
    return Finding(stage is None, message, outcome.status, cause if stage else None, remedy, duration_ms, stage)


class TestStage(BaseModel):
    """One stage of a test."""

    __test__ = False  # keeps pytest from collecting it

    name: ConnectionStage = Field(description="The stage.", examples=["tls"])
    status: ConnectionResult = Field(
        description="`unclear`: Clay may have accepted the row. `not_run`: an earlier stage failed."
    )
    message: str = Field(description="What happened, in one sentence.", examples=["No certificate was refused."])
    remedy: str | None = Field(description="What to do next; null unless the stage failed.")


class TestResult(BaseModel):
    """Result of sending a sample row to Clay."""

    __test__ = False  # keeps pytest from collecting it

    success: bool = Field(description="Whether Clay accepted the row.")
    message: str = Field(
        description="What happened, in one sentence.",
        examples=["Clay accepted a test row. Delete it from your table after checking it."],
    )
    clay_response_status: int | None = Field(description="Clay's HTTP status; null without a response.", examples=[200])
    cause: str | None = Field(description="Stable code for programs; null on success.", examples=["unauthorized"])
    remedy: str | None = Field(description="What to do next; null on success.")
    duration_ms: int | None = Field(description="Time until Clay's response; null if nothing was sent.", examples=[180])
    stages: list[TestStage] = Field(description="Address, DNS, connection, TLS, token and row, in this order.")

    @classmethod
    def of(cls, finding: Finding) -> Self:
        return cls(
            success=finding.success,
            message=finding.message,
            clay_response_status=finding.status,
            cause=finding.cause,
            remedy=finding.remedy,
            duration_ms=finding.duration_ms,
            stages=[
                TestStage(name=each.name, status=each.status, message=each.message, remedy=each.remedy)
                for each in finding.stages
            ],
        )
