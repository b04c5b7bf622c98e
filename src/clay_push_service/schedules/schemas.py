"""The request and response bodies of schedules; they contain no rules beyond the form of each field."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from clay_push_service.automation.schemas import LeftOut, TablePreview
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.pagination import Cursor
from clay_push_service.push_jobs.schemas import MAX_LEADS, Preview
from clay_push_service.push_jobs.views import DestinationRef
from clay_push_service.schedules.due_times import next_dues, spread_seconds
from clay_push_service.schedules.plan import ScheduleOutcome
from clay_push_service.schedules.runs import ScheduleRun, TableRun
from clay_push_service.schedules.schedule import PauseReason, Schedule
from clay_push_service.schedules.spec import kind_of, to_spec
from clay_push_service.schedules.timing import LEAST_MINUTES, TimingKind, Weekday
from clay_push_service.schedules.words import describe
from clay_push_service.states import SyncedLeads

NEXT_RUNS: Final = 5
LATE: Final = timedelta(minutes=2)
"""A run is late after this: a schedule starts up to 60 s after its due time, and the sweep looks every 10 s."""
EXAMPLE: Final[Mapping[str, JsonValue]] = {
    "name": "Every morning",
    "project_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "kind": "daily",
    "at": "09:00",
    "time_zone": "Europe/Berlin",
    "filters": {"min_score": 70},
}
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class ScheduleBody(BaseModel):
    """The whole schedule: an omitted field gets its default. `kind` decides which of the fields of the time are required."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{**EXAMPLE}]})

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00]*$")
    ] = Field(description="A name for your colleagues. Do not name a person.")
    project_id: UUID = Field(description="The project whose leads it pushes.")
    destination_id: UUID | None = Field(
        None, description="The Clay table; null: the routes decide, or the default one."
    )
    kind: TimingKind = Field(description="How often it runs.")
    at: Clock | None = Field(
        None, description="Local time, HH:MM; required with daily, weekly and monthly.", examples=["09:00"]
    )
    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)] | None = Field(
        None, description="Days of the week; required with weekly."
    )
    # Not `ge` and `le`: the error of a union names only its choices. `requested` checks it.
    day: Annotated[int, Field(json_schema_extra={"minimum": 1, "maximum": 28})] | Literal["last"] | None = Field(
        None, description="Day of the month, 1 to 28 or `last`; required with monthly.", examples=["last"]
    )
    every_minutes: Annotated[int, Field(ge=LEAST_MINUTES, le=525_600)] | None = Field(
        None, description="Minutes between two runs; required with interval.", examples=[360]
    )
    anchor: AwareDatetime | None = Field(
        None,
        description="The time from which an interval counts, with a UTC offset; by default the time when it is set. Runs keep their distance"
        " from it, whenever earlier ones started.",
    )
    cron: Annotated[str, StringConstraints(max_length=100)] | None = Field(
        None,
        description="Five fields, with `L` for the last day and `MON#1` for the first Monday; required with cron. At most one run"
        f" in {LEAST_MINUTES} minutes.",
        examples=["0 9 * * 1-5"],
    )
    time_zone: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="IANA time zone of the local time.", examples=["Europe/Berlin"]
    )
    filters: LeadFilters = Field(LeadFilters(), description="Which leads of the project; empty: all.")
    segment_id: UUID | None = Field(
        None, description="Instead of `filters`: the leads of this segment, with its filters at the time of a run."
    )
    mode: SyncedLeads = Field(
        SyncedLeads.NEW,
        description="`new`: leads that were never pushed to the table. `new_and_changed`: also leads that have changed since, which"
        " creates another row that Clay bills again; refused with 409 `sync_mode_refused` if the table would drop that row.",
    )
    max_leads: Annotated[int, Field(ge=1, le=MAX_LEADS)] | None = Field(
        None, description="The most leads of one run, the best first; null: 50,000."
    )
    catch_up_seconds: Annotated[int, Field(ge=0, le=604_800)] = Field(
        3600, description="How late a run may start if no worker ran at its time; later it is recorded as missed."
    )
    pause_after: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="The schedule is paused after this number of failed runs in a row."
    )


class TableRunView(BaseModel):
    """The outcome of a run for one Clay table that routes chose."""

    destination: DestinationRef = Field(description="The Clay table.")
    outcome: ScheduleOutcome = Field(description="`queued`, or why it got no leads.")
    message: str = Field(description="The outcome in one sentence.", examples=["12 leads are being pushed to Clay."])
    lead_count: int = Field(description="Leads that were queued for it.", examples=[12])

    @classmethod
    def of(cls, run: TableRun) -> Self:
        destination = DestinationRef(id=run.destination_id, name=run.name)
        return cls(destination=destination, outcome=run.outcome, message=run.message, lead_count=run.lead_count)


class ScheduleRunView(BaseModel):
    due_at: datetime = Field(description="When it was due; of a run that a person started, when it started.")
    started_at: datetime = Field(description="When it started, or was recorded as missed.")
    late: bool = Field(description="It started more than two minutes after it was due.")
    started_by: str = Field(description="`time`, or who started it.", examples=["time"])
    outcome: ScheduleOutcome = Field(description="`queued`, or why nothing was pushed.")
    message: str = Field(description="The outcome in one sentence.", examples=["12 leads are being pushed to Clay."])
    job_ids: list[UUID] = Field(
        description="Its push jobs: one, and one more if changed leads are sent again; with routes one for each table."
    )
    lead_count: int = Field(description="Leads that were queued.", examples=[12])
    destinations: list[TableRunView] | None = Field(
        description="The outcome for each Clay table that routes chose; null: routes did not decide."
    )

    @classmethod
    def of(cls, run: ScheduleRun) -> Self:
        return cls(
            due_at=run.due_at, started_at=run.started_at, late=run.started_at - run.due_at > LATE, started_by=run.started_by,
            outcome=ScheduleOutcome(run.outcome), message=run.message, job_ids=list(run.job_ids), lead_count=run.lead_count,
            destinations=None if run.destinations is None else [TableRunView.of(each) for each in run.destinations],
        )  # fmt: skip


class ScheduleView(BaseModel):
    id: UUID = Field(description="Id of the schedule.")
    name: str = Field(description="Its name.", examples=["Every morning"])
    project_id: UUID = Field(description="The project whose leads it pushes.")
    destination_id: UUID | None = Field(description="The Clay table; null: the routes decide, or the default one.")
    words: str = Field(description="When it runs, in words.", examples=["Every day at 09:00 Europe/Berlin"])
    next_runs: list[datetime] = Field(
        description="The next five due times, each with the UTC offset of that day; empty while it is paused."
    )
    spread_seconds: int = Field(
        description="Seconds from each due time to the start of its run, always the same: schedules of the same time do not start together."
    )
    kind: TimingKind = Field(description="How often it runs.")
    at: str | None = Field(description="Local time.", examples=["09:00"])
    days: list[Weekday] | None = Field(description="Days of the week.")
    day: int | Literal["last"] | None = Field(description="Day of the month.")
    every_minutes: int | None = Field(description="Minutes between two runs.")
    anchor: datetime | None = Field(description="The time from which an interval counts.")
    cron: str | None = Field(description="The cron expression.")
    time_zone: str = Field(description="IANA time zone.", examples=["Europe/Berlin"])
    filters: LeadFilters = Field(description="Which leads of the project; empty with a segment.")
    segment_id: UUID | None = Field(description="The segment whose leads it pushes; null: `filters` decides.")
    segment_name: str | None = Field(description="Name of the segment.", examples=["Founders"])
    mode: SyncedLeads = Field(description="Only new leads, or changed ones too.")
    max_leads: int | None = Field(description="The most leads of one run.")
    catch_up_seconds: int = Field(description="How late a run may start.")
    pause_after: int = Field(description="Failed runs in a row that pause it.")
    paused_because: PauseReason | None = Field(
        description="`user`, `failures`, or `erasure`: an erasure emptied its filters. Null: it is active."
    )
    paused_at: datetime | None = Field(description="When it was paused.")
    last_run: ScheduleRunView | None = Field(description="Its last run; null: none yet.")
    created_by: str = Field(description="Who created it.", examples=["user:alice"])
    created_at: datetime = Field(description="When it was created.")
    updated_by: str = Field(description="Who changed it last.", examples=["user:alice"])
    updated_at: datetime = Field(description="When it was changed last.")

    @classmethod
    def of(cls, schedule: Schedule, last_run: ScheduleRun | None) -> Self:
        values = schedule.values
        paused = schedule.paused_because is not None
        dues = [] if paused else next_dues(values.timing, values.time_zone, schedule.now, NEXT_RUNS)
        spec = to_spec(values.timing)
        return cls.model_validate(
            {
                "id": schedule.id, "name": values.name, "project_id": values.project_id,
                "destination_id": values.destination_id, "words": describe(values.timing, values.time_zone), "next_runs": dues,
                "spread_seconds": spread_seconds(schedule.id), "kind": kind_of(values.timing),
                "at": None, "days": None, "day": None, "every_minutes": None, "anchor": None, "cron": None, **spec,
                "time_zone": values.time_zone, "filters": values.filters, "segment_id": values.segment_id,
                "segment_name": schedule.segment_name, "mode": values.mode, "max_leads": values.max_leads,
                "catch_up_seconds": values.catch_up // timedelta(seconds=1), "pause_after": values.pause_after,
                "paused_because": schedule.paused_because, "paused_at": schedule.paused_at,
                "last_run": None if last_run is None else ScheduleRunView.of(last_run),
                "created_by": schedule.created_by, "created_at": schedule.created_at, "updated_by": schedule.updated_by,
                "updated_at": schedule.updated_at,
            }
        )  # fmt: skip


class ScheduleList(BaseModel):
    schedules: list[ScheduleView] = Field(description="All of the organization, at most 100, oldest first.")


class ScheduleRunList(BaseModel):
    runs: list[ScheduleRunView] = Field(description="Newest first.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )


class ScheduleRunsQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cursor: Cursor = None
    limit: Annotated[int, Field(ge=1, le=200, description="Runs in a page.")] = 50


class SchedulePreview(BaseModel):
    """The result of a run now, without running it. Until the next run leads may come and change."""

    words: str = Field(description="When it runs, in words.", examples=["Every day at 09:00 Europe/Berlin"])
    next_runs: list[datetime] = Field(
        description="The next five due times, each with the UTC offset of that day; empty while it is paused."
    )
    outcome: ScheduleOutcome = Field(description="`queued`, or why a run would push nothing now.")
    message: str = Field(description="The outcome in one sentence.")
    lead_count: int = Field(description="All leads of the project.", examples=[120])
    to_send: int = Field(description="New leads that a run would push, up to `max_leads`.", examples=[12])
    changed: int = Field(description="Leads that would be sent again because they have changed.", examples=[0])
    left_out: list[LeftOut] = Field(description="Why the other leads would not be pushed.")
    destinations: list[TablePreview] | None = Field(
        description="The tables that routes choose, each with its leads; null: routes do not decide."
    )
    push: Preview | None = Field(
        description="The preview of the push of the new leads: duration, quota, an example payload. Null without a webhook."
    )


class ScheduleDeleted(BaseModel):
    deleted: bool = Field(description="Always true. Its push jobs stay.")
