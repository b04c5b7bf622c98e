"""The part of the `/status` document about schedules, and about routes whose Clay table takes no leads."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from clay_push_service.ops.routing_load import RoutingLoad


class PausedScheduleModel(BaseModel):
    org_id: UUID = Field(description="The organization.")
    organization: str | None = Field(description="Its name; null: cannot be read.")
    schedule_id: UUID = Field(description="The schedule.")
    name: str = Field(description="Its name.")
    because: str = Field(description="`user`, `failures` or `erasure`.")
    since: datetime = Field(description="When it was paused.")


class BlockedUseModel(BaseModel):
    org_id: UUID = Field(description="The organization.")
    organization: str | None = Field(description="Its name; null: cannot be read.")
    kind: str = Field(description="`route` or `schedule`.")
    id: UUID = Field(description="Its id.")
    name: str | None = Field(description="Name of the schedule.")
    position: int | None = Field(description="Position of the route in its list.")
    table_name: str = Field(description="Name of the destination that takes no leads.")
    state: str = Field(description="`closed`, `not_configured` (no webhook) or `archived`.")


class RoutingModel(BaseModel):
    """Schedules and routes over all organizations."""

    schedules: int = Field(description="Schedules, with the paused ones.")
    late_schedules: int = Field(description="Schedules that are due and were not started within two minutes.")
    oldest_late_seconds: float | None = Field(
        description="Seconds since the oldest of them was to start; null: none is late."
    )
    paused_schedules: int = Field(description="Schedules that are paused.")
    paused_after_failures: int = Field(description="Those that were paused because several runs in a row failed.")
    paused: list[PausedScheduleModel] = Field(description="The 20 schedules that were paused most recently.")
    blocked_routes: int = Field(description="Routes to a destination that takes no leads.")
    blocked_schedules: int = Field(description="Active schedules of a destination that takes no leads.")
    blocked: list[BlockedUseModel] = Field(description="Up to 20 of these routes and schedules.")


def routing_of(load: RoutingLoad, names: Mapping[UUID, str]) -> RoutingModel:
    totals, oldest = load.totals, load.totals.oldest_late_seconds
    return RoutingModel(
        schedules=totals.schedules,
        late_schedules=totals.late_schedules,
        oldest_late_seconds=None if oldest is None else round(oldest, 1),
        paused_schedules=totals.paused_schedules,
        paused_after_failures=totals.paused_after_failures,
        paused=[
            PausedScheduleModel(
                org_id=each.org_id, organization=names.get(each.org_id), schedule_id=each.id, name=each.name,
                because=each.because, since=each.since,
            )
            for each in load.paused
        ],
        blocked_routes=totals.blocked_routes,
        blocked_schedules=totals.blocked_schedules,
        blocked=[
            BlockedUseModel(
                org_id=each.org_id, organization=names.get(each.org_id), kind=each.kind, id=each.id, name=each.name,
                position=each.position, table_name=each.table_name, state=each.state,
            )
            for each in load.blocked
        ],
    )  # fmt: skip
