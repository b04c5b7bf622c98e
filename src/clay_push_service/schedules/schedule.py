"""A schedule as a value: the settings of its author, and its next run."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from clay_push_service.leads.filters import LeadFilters
from clay_push_service.schedules.due_times import spread_seconds
from clay_push_service.schedules.timing import Timing
from clay_push_service.states import SyncedLeads


class PauseReason(StrEnum):
    USER = "user"
    FAILURES = "failures"
    ERASURE = "erasure"
    """An erasure emptied the filters, so the schedule would push more leads than before."""


@dataclass(frozen=True, slots=True)
class ScheduleValues:
    """The settings that the author of a schedule chooses."""

    name: str
    project_id: UUID
    destination_id: UUID | None
    timing: Timing
    time_zone: str
    filters: LeadFilters
    mode: SyncedLeads
    max_leads: int | None
    catch_up: timedelta
    pause_after: int
    segment_id: UUID | None = None
    """The saved filters that a run applies; None: `filters`, which are empty otherwise."""


@dataclass(frozen=True, slots=True)
class Schedule:
    id: UUID
    org_id: UUID
    values: ScheduleValues
    next_due_at: datetime | None
    """None while it is paused."""
    next_run_at: datetime | None
    attempts: int
    paused_because: PauseReason | None
    paused_at: datetime | None
    counted_from: datetime
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime
    now: datetime
    """The database's time when the schedule was read."""
    segment_name: str | None = None

    @property
    def spread(self) -> timedelta:
        return timedelta(seconds=spread_seconds(self.id))

    @property
    def actor(self) -> str:
        return f"schedule:{self.id}"
