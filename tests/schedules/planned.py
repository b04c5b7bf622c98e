"""An installation with schedules, and the clock moved by moving their due times."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from clay_push_service.leads.filters import LeadFilters
from clay_push_service.schedules.schedule import ScheduleValues
from clay_push_service.schedules.sweep import ScheduleSweep
from clay_push_service.schedules.table import create_schedule
from clay_push_service.schedules.timing import DailyTiming, IntervalTiming, Timing
from clay_push_service.states import SyncedLeads
from tests.harness.installation import Installation

WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
DAILY = DailyTiming(time(9))


async def plan(made: Installation, timing: Timing | None = None, org_id: UUID | None = None, **changes: Any) -> UUID:
    """Add a schedule of the installation's project. `changes`: of its values.

    Without a timing, it is due every hour, and the nearest due times are half an hour before and after now. A test reaches none.
    """
    anchor = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=100, minutes=30)
    values: dict[str, Any] = {
        "name": "Morning", "project_id": made.project_id, "destination_id": None, "timing": timing or IntervalTiming(60, anchor),
        "time_zone": "Europe/Berlin", "filters": LeadFilters(), "mode": SyncedLeads.NEW, "max_leads": None,
        "catch_up": timedelta(hours=1), "pause_after": 3,
    }  # fmt: skip
    schedule_id = uuid4()
    async with made.database.transaction() as connection:
        await create_schedule(
            connection, org_id or made.org_id, schedule_id, ScheduleValues(**values | changes), datetime.now(UTC), "user:test"
        )  # fmt: skip
    return schedule_id


async def make_due(made: Installation, schedule_id: UUID, *, late: timedelta = timedelta()) -> datetime:
    """Move the next due time into the past, and earlier runs further back. Returns the due time.

    It is in the current minute: the schedule's own due time could be in a minute between.
    """
    await made.fetch(
        "UPDATE clay.schedule_runs SET due_at = due_at - interval '1 day' WHERE schedule_id = :id", id=schedule_id,
    )  # fmt: skip
    [row] = await made.fetch(
        "UPDATE clay.schedules SET next_due_at = date_trunc('minute', now() - CAST(:late AS interval)),"
        " next_run_at = now() - interval '1 second' WHERE id = :id RETURNING next_due_at",
        id=schedule_id, late=late,
    )  # fmt: skip
    due: datetime = row.next_due_at
    return due


async def sweep(made: Installation) -> int:
    return await ScheduleSweep(made.database, made.host_tables, made.settings).run_pass()


async def run_once(made: Installation, schedule_id: UUID) -> Any:
    """Make the schedule due and sweep. Returns the run."""
    due = await make_due(made, schedule_id)
    await sweep(made)
    [run] = [each for each in await runs(made, schedule_id) if each.due_at == due]
    return run


async def runs(made: Installation, schedule_id: UUID) -> list[Any]:
    """Oldest first."""
    return await made.fetch("SELECT * FROM clay.schedule_runs WHERE schedule_id = :id ORDER BY due_at", id=schedule_id)


async def stored(made: Installation, schedule_id: UUID) -> Any:
    [row] = await made.fetch("SELECT * FROM clay.schedules WHERE id = :id", id=schedule_id)
    return row


async def start_blocked(
    made: Installation, request: Coroutine[Any, Any, httpx.Response]
) -> asyncio.Task[httpx.Response]:
    """Sends the request, and returns when it waits for a lock of the test's own transaction."""
    running = asyncio.create_task(request)
    while not await made.fetch(WAITS):
        assert not running.done(), (await running).text
        await asyncio.sleep(0.01)
    return running
