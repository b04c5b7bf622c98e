"""Request and response bodies of the Clay settings. No response contains a URL or token."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.webhook_client import TOKEN_HEADER
from clay_push_service.destination_settings.config_change import BULLET, KEEP, ConfigChange
from clay_push_service.destination_settings.pending_webhook import PendingWebhook
from clay_push_service.destination_settings.save_config import DEFAULT_QUOTA_LIMIT
from clay_push_service.destination_settings.test_row import Finding
from clay_push_service.destinations.guard import MAX_URL_LENGTH
from clay_push_service.destinations.pace import DEFAULT_RATE_LIMIT_MS
from clay_push_service.destinations.read import DestinationView
from clay_push_service.states import DestinationState

MAX_TOKEN_CHARACTERS = 512
MAX_VERSION = 2**31 - 1
ODD_FORM = "The webhook URL does not have the form of Clay's (https://api.clay.com/v3/sources/webhook/…). Test it before you push."
MAX_QUOTA = 1_000_000_000
"""Far beyond any webhook, and within the column."""


def _printable_ascii(value: str) -> str:
    if BULLET not in value and not (value.isascii() and value.isprintable()):
        raise ValueError("must hold printable ASCII characters only, as an HTTP header does")
    if TOKEN_HEADER in value.lower():
        raise ValueError(f"must be the token alone, without the header's name {TOKEN_HEADER}")
    return value


def _on_one_line(value: str) -> str:
    if any(character < " " or character == "\x7f" for character in value):
        raise ValueError("must not hold control characters")
    return value


def _nothing() -> None:
    return None


Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_URL_LENGTH)]
Token = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TOKEN_CHARACTERS),
    AfterValidator(_printable_ascii),
]
TableName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(_on_one_line)]
Quota = Annotated[StrictInt, Field(ge=0, le=MAX_QUOTA)]

_URL = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-0f8fad5b-d9cb-469f-a165-70867728950e"
_MASKED = "https://api.clay.com/v3/…/••••950e"


class ConfigUpdate(BaseModel):
    """Omitted fields are unchanged. A new URL or token makes a new version; queued leads keep the old one."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"webhook_url": _URL, "table_name": "Inbound leads", "rate_limit_ms": 200}]},
    )

    webhook_url: Url = Field(
        default_factory=str,  # a factory, here and below: the schema must not show a default for an omitted field
        description="Write only; needed the first time. The masked value sent back changes nothing. The stored URL, written"
        " out again, opens a closed destination.",
        examples=[_URL],
    )
    webhook_token: Token | None = Field(
        default_factory=_nothing,
        description="Write only: the webhook source's auth token. null removes it, a masked value keeps it. Omitted, it"
        " is kept while the webhook stays at the same host.",
        examples=["s3cret-token"],
    )
    table_name: TableName | None = Field(
        default_factory=_nothing, description="For display only.", examples=["Inbound leads"]
    )
    rate_limit_ms: Annotated[StrictInt, Field(ge=0, le=60_000)] = Field(
        default_factory=int,
        description="Milliseconds between two leads; 200 at first. Less than 100 (Clay takes 10 requests/s per workspace) or 0"
        " (no pace) only for an allowed internal network.",
        examples=[200],
    )
    quota_used: Quota = Field(
        default_factory=int,
        description="Submissions that the webhook has had already, if it is not new. Another URL starts at this or at 0.",
        examples=[1200],
    )
    quota_limit: Quota | None = Field(
        default_factory=_nothing,
        description="Submissions that Clay takes in the webhook's lifetime; 50,000 at first; null for tables that delete by"
        " themselves.",
        examples=[50_000],
    )
    new_table: StrictBool = Field(
        False,
        description="true: the webhook feeds another Clay table, so no lead counts as already in Clay.",
    )

    def change(self) -> ConfigChange:
        """The change with the fields that the caller sent."""
        named = self.model_fields_set
        return ConfigChange(
            webhook_url=self.webhook_url if "webhook_url" in named else KEEP,
            webhook_token=self.webhook_token if "webhook_token" in named else KEEP,
            table_name=(self.table_name or None) if "table_name" in named else KEEP,
            rate_limit_ms=self.rate_limit_ms if "rate_limit_ms" in named else KEEP,
            quota_used=self.quota_used if "quota_used" in named else KEEP,
            quota_limit=self.quota_limit if "quota_limit" in named else KEEP,
            new_table=self.new_table,
        )


class PendingChange(BaseModel):
    """Another webhook in NexusLeads' own settings, which any member can change: an owner or admin confirms or rejects it."""

    id: UUID = Field(description="Of this very change; a later one has another.")
    webhook_url: str | None = Field(description="Masked; null: the webhook was removed there.", examples=[_MASKED])
    found_at: datetime = Field(description="When this service found it.")

    @classmethod
    def of(cls, pending: PendingWebhook | None) -> Self | None:
        return None if pending is None else cls(id=pending.id, webhook_url=pending.url_mask, found_at=pending.found_at)


class Config(BaseModel):
    """The organization's Clay settings."""

    configured: bool = Field(description="Whether a webhook is stored.")
    webhook_url: str | None = Field(description="Masked: enough to tell two apart, not to use.", examples=[_MASKED])
    has_token: bool = Field(description="Whether an auth token is stored.")
    table_name: str | None = Field(description="For display only.", examples=["Inbound leads"])
    table_epoch: int = Field(description="Counts new tables (`new_table`).", examples=[1])
    rate_limit_ms: int = Field(description="Milliseconds between two leads.", examples=[200])
    quota_used: int = Field(description="Submissions of the webhook's lifetime that are used up.", examples=[1200])
    quota_limit: int | None = Field(description="null: no limit.", examples=[50_000])
    state: DestinationState | None = Field(description="Of the destination; null without a webhook.")
    reason: Cause | None = Field(description="Why it is waiting or closed.", examples=["unauthorized"])
    version: int | None = Field(description="Counts every other URL or token.", examples=[3])
    changed_by: str | None = Field(description="Who changed the settings last.", examples=["user:alice"])
    changed_at: datetime | None = Field(description="And when.")
    source: Literal["api", "host"] | None = Field(
        description="Where the webhook URL was set: here, or on NexusLeads' own settings page; null without a webhook."
    )
    problem: str | None = Field(
        description="What on NexusLeads' own settings page is not in use, or not yet, in one or two sentences.",
        examples=[None],
    )

    pending: PendingChange | None = Field(
        description="A change of the webhook found there, which waits; leads go on to the present webhook."
    )
    offers_new_table: bool = Field(
        description="Whether the present URL replaced another one: if it feeds a new Clay table, declare it with"
        " `POST /api/clay/config/new-table`, or its earlier leads count as already in Clay."
    )
    warnings: list[str] = Field(
        description="What to check about the settings, one sentence each.",
        examples=[[ODD_FORM]],
    )

    @classmethod
    def of(
        cls, view: DestinationView | None, problem: str | None = None, pending: PendingWebhook | None = None
    ) -> Self:
        webhook = view.webhook if view else None
        return cls(
            configured=webhook is not None,
            webhook_url=webhook.url_mask if webhook else None,
            has_token=webhook.has_token if webhook else False,
            table_name=view.table_name if view else None,
            table_epoch=view.clay_table.epoch if view else 1,
            rate_limit_ms=view.rate_limit_ms if view else DEFAULT_RATE_LIMIT_MS,
            quota_used=webhook.quota.used if webhook else 0,
            quota_limit=webhook.quota.limit if webhook else DEFAULT_QUOTA_LIMIT,
            state=webhook.state if webhook else None,
            reason=Cause(webhook.reason) if webhook and webhook.reason else None,
            version=webhook.number if webhook else None,
            changed_by=view.changed_by if view else None,
            changed_at=view.changed_at if view else None,
            source=webhook.source if webhook else None,
            problem=problem,
            pending=PendingChange.of(pending),
            offers_new_table=view.offers_new_table if view else False,
            warnings=[ODD_FORM] if webhook and webhook.has_unusual_form else [],
        )


class ConfirmBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    new_table: StrictBool = Field(
        False, description="true: it feeds another Clay table, so no lead counts as already in Clay."
    )


class NewTableBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 2}]})

    version: Annotated[StrictInt, Field(ge=1, le=MAX_VERSION)] = Field(
        description="`version` of the settings as you read them; 409 when they have changed since."
    )


class Removal(BaseModel):
    """What removing the webhook did."""

    removed: bool = Field(description="false: there was none.")
    ended_count: int = Field(description="Queued leads that will not be sent any more.", examples=[0])
    message: str = Field(description="The same in one sentence.", examples=["The Clay webhook was removed."])


class TestResult(BaseModel):
    """What Clay made of a sample row."""

    __test__ = False  # keeps pytest from collecting it

    success: bool = Field(description="Whether Clay took the row.")
    message: str = Field(
        description="What happened, in one sentence.",
        examples=["Clay accepted a test row; delete it from your table when you have seen it."],
    )
    clay_response_status: int | None = Field(description="Clay's HTTP status, if it answered.", examples=[200])
    cause: str | None = Field(description="Stable, for programs; null on success.", examples=["unauthorized"])
    remedy: str | None = Field(description="What to do about it; null on success.")
    duration_ms: int | None = Field(description="Until Clay answered; null when nothing was sent.", examples=[180])

    @classmethod
    def of(cls, finding: Finding) -> Self:
        return cls(
            success=finding.success,
            message=finding.message,
            clay_response_status=finding.status,
            cause=finding.cause,
            remedy=finding.remedy,
            duration_ms=finding.duration_ms,
        )
