"""Request and response bodies of destinations. No response contains a webhook URL or token."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from clay_push_service.clay.cause import Cause
from clay_push_service.destination_settings.config_change import UNCHANGED, ConfigChange, Unchanged
from clay_push_service.destination_settings.named.forecast import QuotaForecast
from clay_push_service.destination_settings.named.store import DestinationChange
from clay_push_service.destination_settings.named.workspace_schemas import NAME_DESCRIPTION, WORKSPACE_EXAMPLE, Name
from clay_push_service.destination_settings.schemas import UNUSUAL_FORM, Quota, Token, Url
from clay_push_service.destinations.read import DestinationView
from clay_push_service.mappings.ref import MappingRef
from clay_push_service.states import DuplicateHandling

_URL = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-0f8fad5b-d9cb-469f-a165-70867728950e"
_MASKED = "https://api.clay.com/v3/…/••••950e"

_DEDUPE = (
    "What the Clay table does with a second row of the same value in `dedupe_column`: `none` keeps both rows, `keeps_oldest` drops"
    " the second, `keeps_newest` replaces the first."
)
_LIMIT = (
    "Submissions that Clay accepts in the webhook's lifetime; initially 50,000. null: the table deletes its rows by itself, or"
    " the webhook starts a workflow."
)


class DestinationBody(BaseModel):
    """A Clay table, with its webhook. The first destination of an organization is its default one."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "Enterprise",
                    "webhook_url": _URL,
                    "dedupe": "keeps_oldest",
                    "dedupe_column": "GitHub user name",
                }
            ]
        },
    )

    name: Name = Field(description=NAME_DESCRIPTION.format("destinations"))
    workspace_id: UUID | None = Field(None, description="The workspace whose pace it shares; omitted: the default one.")
    webhook_url: Url = Field(description="Write-only: the webhook URL that Clay shows for the table.", examples=[_URL])
    webhook_token: Token | None = Field(
        None, description="Write-only: the auth token of the webhook source.", examples=["s3cret-token"]
    )
    dedupe: DuplicateHandling = Field(DuplicateHandling.UNKNOWN, description=_DEDUPE)
    dedupe_column: Name | None = Field(
        None, description="The column by which Clay finds duplicates; required if the table keeps one row of several."
    )
    mapping_id: UUID | None = Field(
        None, description="The mapping whose newest version it sends; omitted or null: the standard payload."
    )
    quota_used: Quota = Field(0, description="Submissions that the webhook has already used.")
    quota_limit: Quota | None = Field(50_000, description=_LIMIT)

    @property
    def webhook(self) -> ConfigChange:
        token = self.webhook_token if "webhook_token" in self.model_fields_set else UNCHANGED
        used = self.quota_used if "quota_used" in self.model_fields_set else UNCHANGED
        limit = self.quota_limit if "quota_limit" in self.model_fields_set else UNCHANGED
        return ConfigChange(webhook_url=self.webhook_url, webhook_token=token, quota_used=used, quota_limit=limit)

    @property
    def row(self) -> DestinationChange:
        workspace_id = UNCHANGED if self.workspace_id is None else self.workspace_id
        return DestinationChange(self.name, workspace_id, self.dedupe, self.dedupe_column)


class DestinationUpdate(BaseModel):
    """Omitted fields are unchanged. A new URL or token creates a new version; queued leads keep the previous one."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, json_schema_extra={"examples": [{"name": "Enterprise, Europe"}]}
    )

    name: Name | None = Field(None, description=NAME_DESCRIPTION.format("destinations"))
    workspace_id: UUID | None = Field(None, description="Move it to this workspace, whose pace it then shares.")
    is_default: Literal[True] | None = Field(
        None, description="true: `/api/clay/config`, NexusLeads and pushes that name no destination mean this one."
    )
    webhook_url: Url | None = Field(
        None, description="Write-only. Sending the masked value changes nothing.", examples=[_URL]
    )
    webhook_token: Token | None = Field(
        None, description="Write-only. null removes it; a masked value keeps it.", examples=["s3cret-token"]
    )
    dedupe: DuplicateHandling | None = Field(None, description=_DEDUPE)
    dedupe_column: Name | None = Field(None, description="The column by which Clay finds duplicates.")
    mapping_id: UUID | None = Field(
        None,
        description="The mapping whose newest version it sends from now on; null: the standard payload. To see what a choice"
        " changes in Clay, use `PUT /api/clay/destinations/{destination_id}/mapping`.",
    )
    quota_used: Quota | None = Field(None, description="Submissions that the webhook has already used.")
    quota_limit: Quota | None = Field(None, description=_LIMIT)
    new_table: StrictBool = Field(
        False, description="true: the webhook feeds another Clay table, so no lead counts as already in Clay."
    )

    @property
    def webhook(self) -> ConfigChange | None:
        """None: nothing of the webhook changes."""
        sent = self.model_fields_set
        change = ConfigChange(
            webhook_url=UNCHANGED if self.webhook_url is None else self.webhook_url,
            webhook_token=self.webhook_token if "webhook_token" in sent else UNCHANGED,
            quota_used=UNCHANGED if self.quota_used is None else self.quota_used,
            quota_limit=self.quota_limit if "quota_limit" in sent else UNCHANGED,
            new_table=self.new_table,
        )
        return None if change == ConfigChange() else change

    @property
    def row(self) -> DestinationChange:
        return DestinationChange(
            name=UNCHANGED if self.name is None else self.name,
            workspace_id=UNCHANGED if self.workspace_id is None else self.workspace_id,
            dedupe=UNCHANGED if self.dedupe is None else self.dedupe,
            dedupe_column=self.dedupe_column if "dedupe_column" in self.model_fields_set else UNCHANGED,
        )

    @property
    def mapping(self) -> UUID | Unchanged | None:
        """None: the standard payload."""
        return self.mapping_id if "mapping_id" in self.model_fields_set else UNCHANGED


class WorkspaceRef(BaseModel):
    id: UUID = Field(description="The workspace.", examples=[WORKSPACE_EXAMPLE])
    name: str = Field(description="Its name.", examples=["Default"])


class NamedDestination(BaseModel):
    """A destination: one Clay table, or a workflow, of the organization."""

    id: UUID = Field(description="Id of the destination.")
    name: str = Field(description="Its name.", examples=["Enterprise"])
    is_default: bool = Field(
        description="Whether `/api/clay/config`, NexusLeads and pushes without a destination mean it."
    )
    workspace: WorkspaceRef = Field(description="The workspace whose pace it shares.")
    configured: bool = Field(description="Whether a webhook is stored.")
    webhook_url: str | None = Field(description="Masked; null without a webhook.", examples=[_MASKED])
    has_token: bool = Field(description="Whether an auth token is stored.")
    table_epoch: int = Field(description="Number of the Clay table; `new_table` increases it.", examples=[1])
    rate_limit_ms: int = Field(description="Milliseconds between two leads of its workspace.", examples=[200])
    dedupe: DuplicateHandling = Field(description=_DEDUPE)
    dedupe_column: str | None = Field(description="The column by which Clay finds duplicates; null: it has none.")
    mapping: MappingRef | None = Field(
        description="The version of the mapping that its new push jobs send; null: the standard payload."
    )
    state: Literal["open", "waiting", "closed"] | None = Field(
        description="`open` accepts leads, `waiting` accepts them later, `closed` refuses pushes; null without a webhook."
    )
    reason: Cause | None = Field(description="Why it is waiting or closed.", examples=["unauthorized"])
    results_missing_since: datetime | None = Field(
        description="Since when results from Clay have stopped; null: they have not."
    )
    version: int | None = Field(description="Increases with each new URL or token.", examples=[3])
    quota: QuotaForecast | None = Field(
        description="The quota of the webhook, and when it is used up at the average of the last 14 days; null without a webhook."
    )
    warnings: list[str] = Field(description="Points to check, one sentence each.", examples=[[UNUSUAL_FORM]])
    created_at: datetime = Field(description="When it was created.")
    archived_at: datetime | None = Field(description="When it was archived; null: it is in use.")
    changed_by: str | None = Field(description="Actor of the last change of its webhook.", examples=["user:alice"])
    changed_at: datetime | None = Field(description="Time of that change.")

    @classmethod
    def of(cls, view: DestinationView, quota: QuotaForecast | None) -> Self:
        webhook = view.webhook
        return cls(
            id=view.id,
            name=view.name,
            is_default=view.is_default,
            workspace=WorkspaceRef(id=view.workspace_id, name=view.workspace_name),
            configured=webhook is not None,
            webhook_url=webhook.url_mask if webhook else None,
            has_token=webhook.has_token if webhook else False,
            table_epoch=view.clay_table.epoch,
            rate_limit_ms=view.rate_limit_ms,
            dedupe=view.dedupe,
            dedupe_column=view.dedupe_column,
            mapping=MappingRef.of(view.mapping),
            state=webhook.state.value if webhook else None,
            reason=Cause(webhook.reason) if webhook and webhook.reason else None,
            results_missing_since=view.suspect_since,
            version=webhook.number if webhook else None,
            quota=quota,
            warnings=_warnings(view),
            created_at=view.created_at,
            archived_at=view.archived_at,
            changed_by=view.changed_by,
            changed_at=view.changed_at,
        )


class DestinationList(BaseModel):
    destinations: list[NamedDestination] = Field(description="The default one first, the others by name.")


class ArchivedView(BaseModel):
    """Result of archiving a destination."""

    archived: bool = Field(description="false: it was archived already.")
    ended_count: int = Field(description="Queued leads that will not be sent.", examples=[0])
    message: str = Field(description="The result in one sentence.", examples=["The destination was archived."])


def _warnings(view: DestinationView) -> list[str]:
    if view.webhook is None:
        return []
    quota = view.webhook.quota.warning
    return [*([UNUSUAL_FORM] if view.webhook.has_unusual_form else []), *([] if quota is None else [quota])]
