"""Request and response bodies of the host's frontend, in its formats, with additional fields for other clients."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from clay_push_service.destination_settings.connection_test.result import Finding
from clay_push_service.destination_settings.schemas import Config, PendingChange
from clay_push_service.destinations.guard import MAX_URL_LENGTH
from clay_push_service.errors import InvalidError
from clay_push_service.push_jobs import openapi_examples as examples
from clay_push_service.push_jobs.queries.status import StatusView
from clay_push_service.push_jobs.schemas import MAX_LEADS, PushBody


def _blank_to_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


class FrontendConfig(BaseModel):
    webhook_url: str = Field(
        description="Masked; empty without a webhook. The page shows it in its input field and returns it on Save.",
        examples=["https://api.clay.com/v3/…/••••950e"],
    )
    connected: bool = Field(description="Whether a webhook is stored; the page offers pushing only then.")
    table_name: str | None = Field(description="For display only.")
    state: Literal["open", "waiting", "closed"] | None = Field(
        description="State of the destination; null without a webhook."
    )
    problem: str | None = Field(description="What on NexusLeads' settings page is not in use, or not yet.")
    warnings: list[str] = Field(description="Points to check in the settings, one sentence each.")

    pending: PendingChange | None = Field(description="A change from that page that an owner or admin must confirm.")
    offers_new_table: bool = Field(description="Whether the current URL replaced another one and may feed a new table.")

    @classmethod
    def of(cls, config: Config) -> Self:
        return cls(
            webhook_url=config.webhook_url or "",
            connected=config.configured,
            table_name=config.table_name,
            state=config.state.value if config.state else None,
            problem=config.problem,
            pending=config.pending,
            offers_new_table=config.offers_new_table,
            warnings=config.warnings,
        )


class FrontendConfigBody(BaseModel):
    """Ignores unknown fields, as the host's backend does."""

    model_config = ConfigDict(hide_input_in_errors=True)

    webhook_url: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_URL_LENGTH)] = Field(
        description="Empty: remove the webhook. Masked value: no change. Other value: replace it."
    )


class FrontendTest(BaseModel):
    status: Literal["ok", "error"] = Field(description="`ok` if Clay accepted the row.")
    message: str = Field(description="What happened and what to do next.")

    @classmethod
    def of(cls, finding: Finding) -> Self:
        message = finding.message if finding.remedy is None else f"{finding.message} {finding.remedy}"
        return cls(status="ok" if finding.success else "error", message=message)


class FrontendStats(BaseModel):
    total: int = Field(description="`success` + `failed`.")
    success: int = Field(description="Leads that Clay accepted.")
    failed: int = Field(description="Leads that failed.")

    @classmethod
    def of(cls, status: StatusView) -> Self:
        totals = status.totals
        return cls(total=totals.pushed + totals.failed, success=totals.pushed, failed=totals.failed)


class FrontendPushBody(BaseModel):
    """Ignores unknown fields, as the host's backend does."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"contributor_ids": [examples.LEAD]}]})

    contributor_ids: Annotated[list[UUID], Field(fail_fast=True, max_length=MAX_LEADS)] = Field(
        description="Ids of the leads; aliases `member_ids` and `lead_ids`.",
        validation_alias=AliasChoices("contributor_ids", "member_ids", "lead_ids"),
    )
    project_id: Annotated[UUID | None, BeforeValidator(_blank_to_none)] = Field(
        None, description="Without it, each lead counts for the project where its score is highest."
    )

    def push_body(self) -> PushBody:
        """Raises 422 with a text for the page."""
        if not self.contributor_ids:
            raise InvalidError(
                "Select at least one lead to push to Clay.",
                code="nothing_selected",
                errors=[{"field": "contributor_ids", "message": "Select at least one lead"}],
            )
        return PushBody.model_validate({"lead_ids": self.contributor_ids, "project_id": self.project_id})


class ClayIntegration(BaseModel):
    configured: bool = Field(description="Whether a webhook is stored.")
    last_push_at: str | None = Field(description="ISO 8601.", examples=["2026-11-22T06:00:00+00:00"])
    total_pushed: int = Field(description="Leads that Clay accepted.")
    success_rate: float = Field(description="0 to 1; 0 before the first push.", examples=[0.98])


class NotBuilt(BaseModel):
    configured: Literal[False] = Field(False, description="Always false: this integration does not exist.")


class Integrations(BaseModel):
    clay: ClayIntegration = Field(description="This service.")
    salesforce: NotBuilt = Field(description="Not implemented.")
    hubspot: NotBuilt = Field(description="Not implemented.")


class IntegrationsStatus(BaseModel):
    integrations: Integrations = Field(description="State of each integration.")
    billing_enabled: bool = Field(description="Whether NexusLeads bills, so that only some plans may use Clay.")
    is_enterprise: bool = Field(description="Whether the organization is on the Enterprise plan.")

    @classmethod
    def of(cls, status: StatusView, *, billing_enabled: bool, is_enterprise: bool) -> Self:
        last = status.last_push
        moment = (last.finished_at or last.created_at) if last else None
        clay = ClayIntegration(
            configured=status.configured,
            last_push_at=moment.isoformat() if moment else None,
            total_pushed=status.totals.pushed,
            success_rate=status.totals.success_rate or 0.0,
        )
        return cls(
            integrations=Integrations(clay=clay, salesforce=NotBuilt(), hubspot=NotBuilt()),
            billing_enabled=billing_enabled,
            is_enterprise=is_enterprise,
        )
