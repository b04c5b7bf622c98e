"""Request and response bodies of the Clay settings. No response contains a URL or token."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.webhook_client import TOKEN_HEADER
from clay_push_service.destination_settings.config_change import BULLET, UNCHANGED, ConfigChange
from clay_push_service.destination_settings.pending_webhook import PendingWebhook
from clay_push_service.destination_settings.save_config import DEFAULT_QUOTA_LIMIT
from clay_push_service.destinations.guard import MAX_URL_LENGTH
from clay_push_service.destinations.pace import DEFAULT_RATE_LIMIT_MS
from clay_push_service.destinations.read import DestinationView
from clay_push_service.states import DestinationState

MAX_TOKEN_CHARACTERS = 512
MAX_VERSION = 2**31 - 1
UNUSUAL_FORM = (
    "The webhook URL does not have the form of a Clay webhook URL (https://api.clay.com/v3/sources/webhook/…)."
    " Test it before you push."
)
MAX_QUOTA = 1_000_000_000
"""More than any webhook has; fits the column."""


def _printable_ascii(value: str) -> str:
    if BULLET not in value and not (value.isascii() and value.isprintable()):
        raise ValueError("must contain only printable ASCII characters, because it is sent as an HTTP header")
    if TOKEN_HEADER in value.lower():
        raise ValueError(f"must be the token without the header name {TOKEN_HEADER}")
    return value


def on_one_line(value: str) -> str:
    if any(character < " " or character == "\x7f" for character in value):
        raise ValueError("must not contain control characters")
    return value


def _none() -> None:
    return None


Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_URL_LENGTH)]
Token = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TOKEN_CHARACTERS),
    AfterValidator(_printable_ascii),
]
TableName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(on_one_line)]
Quota = Annotated[StrictInt, Field(ge=0, le=MAX_QUOTA)]

_URL = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-0f8fad5b-d9cb-469f-a165-70867728950e"
_MASKED = "https://api.clay.com/v3/…/••••950e"


class ConfigUpdate(BaseModel):
    """Omitted fields are unchanged. A new URL or token creates a new version; queued leads keep the previous one."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"webhook_url": _URL, "table_name": "Inbound leads", "rate_limit_ms": 200}]},
    )

    webhook_url: Url = Field(
        default_factory=str,  # a factory, here and below: the schema must not show a default for an omitted field
        description="Write-only; required the first time. Sending the masked value changes nothing. Sending the stored URL"
        " unmasked opens a closed destination.",
        examples=[_URL],
    )
    webhook_token: Token | None = Field(
        default_factory=_none,
        description="Write-only: the auth token of the webhook source. null removes it; a masked value keeps it. An omitted"
        " token is kept while the webhook stays at the same host.",
        examples=["s3cret-token"],
    )
    table_name: TableName | None = Field(
        default_factory=_none, description="For display only.", examples=["Inbound leads"]
    )
    rate_limit_ms: Annotated[StrictInt, Field(ge=0, le=60_000)] = Field(
        default_factory=int,
        description="Milliseconds between two leads; initially 200. Values below 100 (Clay accepts 10 requests/s per workspace),"
        " and 0 (no pace), are allowed only for an internal network.",
        examples=[200],
    )
    quota_used: Quota = Field(
        default_factory=int,
        description="Submissions that the webhook has already used. A new URL starts at this value, or at 0.",
        examples=[1200],
    )
    quota_limit: Quota | None = Field(
        default_factory=_none,
        description="Submissions that Clay accepts in the webhook's lifetime; initially 50,000; null for auto-deleting tables.",
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
            webhook_url=self.webhook_url if "webhook_url" in named else UNCHANGED,
            webhook_token=self.webhook_token if "webhook_token" in named else UNCHANGED,
            table_name=(self.table_name or None) if "table_name" in named else UNCHANGED,
            rate_limit_ms=self.rate_limit_ms if "rate_limit_ms" in named else UNCHANGED,
            quota_used=self.quota_used if "quota_used" in named else UNCHANGED,
            quota_limit=self.quota_limit if "quota_limit" in named else UNCHANGED,
            new_table=self.new_table,
        )


class PendingChange(BaseModel):
    """Another webhook in NexusLeads' own settings, which any member can change: an owner or admin confirms or rejects it."""

    id: UUID = Field(description="Id of this change; a later change has another id.")
    webhook_url: str | None = Field(description="Masked; null: the webhook was removed there.", examples=[_MASKED])
    found_at: datetime = Field(description="When this service found it.")

    @classmethod
    def of(cls, pending: PendingWebhook | None) -> Self | None:
        return None if pending is None else cls(id=pending.id, webhook_url=pending.url_mask, found_at=pending.found_at)


class Config(BaseModel):
    """The organization's Clay settings."""

    configured: bool = Field(description="Whether a webhook is stored.")
    webhook_url: str | None = Field(
        description="Masked: enough to distinguish two URLs, not enough to use one.", examples=[_MASKED]
    )
    has_token: bool = Field(description="Whether an auth token is stored.")
    table_name: str | None = Field(description="For display only.", examples=["Inbound leads"])
    table_epoch: int = Field(description="Number of the Clay table; `new_table` increases it.", examples=[1])
    rate_limit_ms: int = Field(description="Milliseconds between two leads.", examples=[200])
    quota_used: int = Field(description="Submissions of the webhook's lifetime that are used.", examples=[1200])
    quota_limit: int | None = Field(description="null: no limit.", examples=[50_000])
    state: DestinationState | None = Field(description="State of the destination; null without a webhook.")
    reason: Cause | None = Field(description="Why it is waiting or closed.", examples=["unauthorized"])
    version: int | None = Field(description="Increases with each new URL or token.", examples=[3])
    changed_by: str | None = Field(description="Actor of the last change.", examples=["user:alice"])
    changed_at: datetime | None = Field(description="Time of the last change.")
    source: Literal["api", "host"] | None = Field(
        description="Where the webhook URL was set: here, or on NexusLeads' own settings page; null without a webhook."
    )
    problem: str | None = Field(
        description="What on NexusLeads' own settings page is not in use, or not yet, in one or two sentences.",
        examples=[None],
    )

    pending: PendingChange | None = Field(
        description="A change of the webhook on that page that must be confirmed; until then leads go to the current webhook."
    )
    offers_new_table: bool = Field(
        description="Whether the current URL replaced another one. If it feeds a new Clay table, declare that with"
        " `POST /api/clay/config/new-table`; otherwise leads pushed before count as already in Clay."
    )
    warnings: list[str] = Field(
        description="Points to check in the settings, one sentence each.",
        examples=[[UNUSUAL_FORM]],
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
            warnings=[UNUSUAL_FORM] if webhook and webhook.has_unusual_form else [],
        )


class ConfirmBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    new_table: StrictBool = Field(
        False, description="true: it feeds another Clay table, so no lead counts as already in Clay."
    )


class NewTableBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"version": 2}]})

    version: Annotated[StrictInt, Field(ge=1, le=MAX_VERSION)] = Field(
        description="`version` of the settings that you read; 409 if they have changed since."
    )


class Removal(BaseModel):
    """Result of removing the webhook."""

    removed: bool = Field(description="false: no webhook was stored.")
    ended_count: int = Field(description="Queued leads that will not be sent.", examples=[0])
    message: str = Field(description="The result in one sentence.", examples=["The Clay webhook was removed."])
