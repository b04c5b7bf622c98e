"""Reads the state of schedules, and the routes and schedules whose Clay table takes no leads, over all organizations. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.ops.advice import Advice, Level, counted

SHOWN: Final = 20
"""Listed at most, of each kind."""
LATE_SECONDS: Final = 120
"""A schedule starts up to 60 s after its due time, and the sweep looks every 10 s."""


class RoutingTotals(NamedTuple):
    """Of all organizations."""

    schedules: int = 0
    late_schedules: int = 0
    """Due, and not started within two minutes."""
    oldest_late_seconds: float | None = None
    paused_schedules: int = 0
    paused_after_failures: int = 0
    blocked_routes: int = 0
    blocked_schedules: int = 0


BLOCKED = """
WITH unusable AS (
    SELECT destination.org_id, destination.id, destination.name,
           CASE WHEN destination.archived_at IS NOT NULL THEN 'archived' WHEN version.id IS NULL THEN 'not_configured' ELSE 'closed' END AS state
    FROM clay.destinations AS destination
    LEFT JOIN clay.destination_versions AS version
           ON version.org_id = destination.org_id AND version.id = destination.version_id
    WHERE destination.archived_at IS NOT NULL OR version.id IS NULL OR version.state = 'closed'
), blocked AS (
    SELECT 'route' AS kind, route.org_id, route.id, CAST(NULL AS text) AS name, route.position, unusable.name AS table_name, unusable.state
    FROM clay.routes AS route
    JOIN unusable ON unusable.org_id = route.org_id AND unusable.id = route.destination_id
    UNION ALL
    SELECT 'schedule', schedule.org_id, schedule.id, schedule.name, NULL, unusable.name, unusable.state
    FROM clay.schedules AS schedule
    JOIN unusable ON unusable.org_id = schedule.org_id AND unusable.id = schedule.destination_id
    WHERE schedule.paused_because IS NULL
)
"""
TOTALS = Statement(
    f"""
{BLOCKED}
SELECT schedules.*, blocked.*
FROM (SELECT count(*) AS schedules,
             count(*) FILTER (WHERE next_run_at < now() - {LATE_SECONDS} * interval '1 second') AS late_schedules,
             CAST(extract(epoch FROM now() - min(next_run_at)
                  FILTER (WHERE next_run_at < now() - {LATE_SECONDS} * interval '1 second')) AS float) AS oldest_late_seconds,
             count(*) FILTER (WHERE paused_because IS NOT NULL) AS paused_schedules,
             count(*) FILTER (WHERE paused_because = 'failures') AS paused_after_failures
      FROM clay.schedules) AS schedules,
     (SELECT count(*) FILTER (WHERE kind = 'route') AS blocked_routes,
             count(*) FILTER (WHERE kind = 'schedule') AS blocked_schedules FROM blocked) AS blocked
""",
    RoutingTotals,
)


@dataclass(frozen=True, slots=True)
class PausedSchedule:
    org_id: UUID
    id: UUID
    name: str
    because: str
    since: datetime


PAUSED = Statement(
    """
SELECT org_id, id, name, paused_because AS because, paused_at AS since FROM clay.schedules
WHERE paused_because IS NOT NULL ORDER BY paused_at DESC, id LIMIT :shown
""",
    PausedSchedule,
)


@dataclass(frozen=True, slots=True)
class BlockedUse:
    """A route or an active schedule whose Clay table takes no leads."""

    kind: str
    org_id: UUID
    id: UUID
    name: str | None
    """Of the schedule."""
    position: int | None
    """Of the route in its list."""
    table_name: str
    state: str


BLOCKED_USES = Statement(
    f"{BLOCKED} SELECT * FROM blocked ORDER BY org_id, kind, position, name, id LIMIT :shown", BlockedUse
)


@dataclass(frozen=True, slots=True)
class RoutingLoad:
    totals: RoutingTotals = field(default_factory=RoutingTotals)
    paused: Sequence[PausedSchedule] = ()
    """The most recent ones."""
    blocked: Sequence[BlockedUse] = ()

    @property
    def listed(self) -> list[UUID]:
        return [*(each.org_id for each in self.paused), *(each.org_id for each in self.blocked)]


async def read_routing_load(connection: AsyncConnection) -> RoutingLoad:
    """Reads all of it, in the caller's transaction."""
    return RoutingLoad(
        await TOTALS.one(connection),
        await PAUSED.rows(connection, {"shown": SHOWN}),
        await BLOCKED_USES.rows(connection, {"shown": SHOWN}),
    )


def routing_advice(load: RoutingLoad) -> Sequence[Advice]:
    """Returns advice. A schedule that a user or an erasure paused is listed, and gives none."""
    totals = load.totals
    found = []
    if totals.late_schedules:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{counted(totals.late_schedules, 'schedule is', 'schedules are')} due and not started, the oldest for"
                f" {totals.oldest_late_seconds or 0:.0f} s.",
                "Start a worker; if workers run, read `schedule_sweep.failed` and `schedule.failed` in their logs. A run that is later than"
                " its catch-up window is recorded as missed.",
            )
        )
    if totals.paused_after_failures:
        found.append(
            Advice(
                Level.DEGRADED,
                f"{counted(totals.paused_after_failures, 'schedule is', 'schedules are')} paused, because several runs in a row failed.",
                "Notify the organizations: the history of each schedule has the reason. After the repair, an owner or admin resumes it.",
            )
        )
    if totals.blocked_routes or totals.blocked_schedules:
        routes = counted(totals.blocked_routes, "route", "routes")
        schedules = counted(totals.blocked_schedules, "active schedule", "active schedules")
        verb = "name" if totals.blocked_routes + totals.blocked_schedules > 1 else "names"
        found.append(
            Advice(
                Level.DEGRADED,
                f"{' and '.join(each for each in (routes, schedules) if not each.startswith('0 '))} {verb} a Clay table that takes no leads.",
                "Notify the organizations: they repair the webhook of the table, or choose another table. Until then its leads wait, and"
                " a push by hand of leads that a route sends there is refused.",
            )
        )
    return found
