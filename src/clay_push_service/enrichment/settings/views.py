"""Responses of the enrichment settings. No response contains a key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.enrichment.settings.kinds import Amount, Kind
from clay_push_service.enrichment.settings.pending_key import PendingKey
from clay_push_service.enrichment.settings.schemas import EXAMPLE_INPUTS, EXAMPLE_OUTPUTS
from clay_push_service.enrichment.settings.table import (
    DEFAULT_PER_MINUTE,
    DEFAULT_TABLE_ANSWER_MINUTES,
    DEFAULT_TIME_ZONE,
    ApiKeyState,
    KeySource,
    Routine,
    SettingsRow,
)

RUN_FINISHED_PATH = "/api/clay/enrichment/run-finished/"


class AmountView(BaseModel):
    """A range, and never more than an estimate."""

    low: float = Field(description="At least.", examples=[5])
    high: float | None = Field(description="At most; null: no upper limit is known.", examples=[10])

    @classmethod
    def of(cls, amount: Amount | None) -> Self | None:
        return None if amount is None else cls.of_amount(amount)

    @classmethod
    def of_amount(cls, amount: Amount) -> Self:
        return cls(low=float(amount.low), high=None if amount.high is None else float(amount.high))


class RoutineView(BaseModel):
    routine_id: str = Field(description="Its id in Clay.", examples=["rt_0t5f2k"])
    inputs: dict[str, str] = Field(description="Name of each input → value of the lead.", examples=[EXAMPLE_INPUTS])
    outputs: dict[str, str] = Field(description="Field → key of the result.", examples=[EXAMPLE_OUTPUTS])
    credits: AmountView | None = Field(description="Estimated data credits per lead; null: not set.")
    actions: AmountView | None = Field(description="Estimated actions per lead; null: not set.")

    @classmethod
    def of(cls, routine: Routine | None) -> Self | None:
        if routine is None:
            return None
        return cls(
            routine_id=routine.routine_id, inputs=dict(routine.inputs), outputs=dict(routine.outputs),
            credits=AmountView.of(routine.credits), actions=AmountView.of(routine.actions),
        )  # fmt: skip


class RoutinesView(BaseModel):
    full: RoutineView | None = Field(description="For full enrichment; null: not set.")
    email: RoutineView | None = Field(description="For the e-mail address alone; null: not set.")


class BudgetView(BaseModel):
    credits_per_day: float | None = Field(description="Data credits; null: no limit.", examples=[200])
    actions_per_day: int | None = Field(description="Actions; null: no limit.", examples=[None])
    time_zone: str = Field(description="Time zone in which a day begins.", examples=["Europe/Berlin"])


class PendingKeyView(BaseModel):
    """Another API key in NexusLeads' own settings, which any member can change: an owner or admin confirms or rejects it."""

    id: UUID = Field(description="Identifies this change; a later change has another id.")
    api_key: str | None = Field(description="Masked; null: the key was removed there.", examples=["••••9f3a"])
    found_at: datetime = Field(description="When this service found it.")

    @classmethod
    def of(cls, pending: PendingKey | None) -> Self | None:
        return None if pending is None else cls(id=pending.id, api_key=pending.key_mask, found_at=pending.found_at)


class RunWebhookView(BaseModel):
    id: str | None = Field(description="Its id in Clay; null: none is set.", examples=["wh_abc123"])
    path: str | None = Field(
        description="Where Clay must send its events; null: settings were never saved.",
        examples=["/api/clay/enrichment/run-finished/0b2c…"],
    )


class RulesPausedView(BaseModel):
    """Clay reported that credits are used up."""

    since: datetime = Field(description="Since when.")
    cause: ApiCause = Field(description="Why.")


class EnrichmentConfig(BaseModel):
    """The organization's enrichment settings."""

    configured: bool = Field(description="Whether there is an API key to use.")
    api_key: str | None = Field(description="Masked; null: none is stored.", examples=["••••9f3a"])
    key_source: Literal["api", "host", "environment"] | None = Field(
        description="Where the key comes from: saved here, NexusLeads' own settings page, or `CLAY_API_KEY` of the installation."
    )
    key_state: ApiKeyState = Field(description="The result of the last use of the key.")
    key_checked_at: datetime | None = Field(description="And when; null: it was not tried.")
    requests_per_minute: int = Field(description="Pace of requests to Clay's API.", examples=[100])
    table_answer_minutes: int = Field(
        description="Minutes that a row of the Clay table may take to send its result back.", examples=[120]
    )
    routines: RoutinesView = Field(description="The routines that enrich.")
    budget: BudgetView = Field(description="Daily budget.")
    run_webhook: RunWebhookView = Field(description="The webhook that reports finished runs.")
    rules_paused: RulesPausedView | None = Field(description="Why rules enrich nothing now; null: they may.")
    version: int = Field(description="Counts the changes; 0: never changed.", examples=[3])
    changed_by: str | None = Field(description="Who changed the settings last.", examples=["user:alice"])
    changed_at: datetime | None = Field(description="And when.")
    problem: str | None = Field(
        description="What is not in use as it was set, in one or two sentences.", examples=[None]
    )
    pending: PendingKeyView | None = Field(description="A change of the key found on NexusLeads' page, which waits.")

    @classmethod
    def of(
        cls,
        row: SettingsRow | None,
        routines: Mapping[Kind, Routine],
        pending: PendingKey | None,
        source: KeySource | None,
        problem: str | None,
    ) -> Self:
        is_changed = row is not None and row.version > 0
        return cls(
            configured=source is not None,
            api_key=row.key_mask if row else None,
            key_source=None if source is None else source.value,
            key_state=ApiKeyState(row.key_state) if row else ApiKeyState.UNTRIED,
            key_checked_at=row.key_checked_at if row else None,
            requests_per_minute=row.requests_per_minute if row else DEFAULT_PER_MINUTE,
            table_answer_minutes=row.table_answer_minutes if row else DEFAULT_TABLE_ANSWER_MINUTES,
            routines=RoutinesView(
                full=RoutineView.of(routines.get(Kind.FULL)), email=RoutineView.of(routines.get(Kind.EMAIL))
            ),
            budget=BudgetView(
                credits_per_day=None if row is None or row.credits_per_day is None else float(row.credits_per_day),
                actions_per_day=row.actions_per_day if row else None,
                time_zone=row.time_zone if row else DEFAULT_TIME_ZONE,
            ),
            run_webhook=RunWebhookView(
                id=row.run_webhook_id if row else None, path=f"{RUN_FINISHED_PATH}{row.id}" if row else None
            ),
            rules_paused=None
            if row is None or row.rules_paused_at is None or row.rules_paused_cause is None
            else RulesPausedView(since=row.rules_paused_at, cause=ApiCause(row.rules_paused_cause)),
            version=row.version if row else 0,
            changed_by=row.changed_by if row else None,
            changed_at=row.changed_at if row and is_changed else None,
            problem=problem,
            pending=PendingKeyView.of(pending),
        )


class KeyRemoval(BaseModel):
    """What removing the key did."""

    removed: bool = Field(description="false: there was none.")
    message: str = Field(description="The same in one sentence.", examples=["The Clay API key was removed."])
