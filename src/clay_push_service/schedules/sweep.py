"""Starts schedules that are due, in every worker. The row of the run, the push job and its wake-up commit in one transaction.

Exactly one run for each due time, with any number of workers: a worker locks the schedule's row, others skip it, and the transaction
that adds the run moves the schedule to its next due time. If a worker dies, its transaction is rolled back.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.callers.actor import Actor
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import HostTables
from clay_push_service.schedules.plan import FAILURES, DuePlan, ScheduleOutcome, failures_in_a_row, plan_due
from clay_push_service.schedules.run import RunResult, run_schedule
from clay_push_service.schedules.runs import BY_TIME, add_missed, add_run, has_run, read_past
from clay_push_service.schedules.schedule import PauseReason, Schedule
from clay_push_service.schedules.table import pause_schedule, postpone, recompute_outdated, set_next_due, take_due
from clay_push_service.settings import Settings

MAX_ATTEMPTS: Final = 10
"""Starts of one run that may end with an unexpected error, 30 s apart."""
PAUSED: Final = "Not started: the last {} runs failed, so the schedule is paused. Remove the cause, then resume it."
REPEATED_ERROR: Final = "The run ended with an internal error each time. Report it to the NexusLeads operator."
MISSED: Final = "No worker ran at this time, nor within the catch-up window."
REPLACED: Final = "No worker ran at this time. The run of a later time replaces it."

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class ScheduleSweep:
    """One per worker process."""

    database: Database
    host: HostTableCache
    settings: Settings

    async def run(self) -> None:
        while True:
            try:
                await self.run_pass()
            except Exception as error:  # noqa: BLE001 - the next pass repeats it
                log.warning("schedule_sweep.failed", **failure(error))
            await asyncio.sleep(self.settings.sweep_seconds)

    async def run_pass(self) -> int:
        """Starts every schedule that is due. Returns their number."""
        while await self._recompute_next():
            pass
        number = 0
        while await self._run_next():
            number += 1
        return number

    async def _recompute_next(self) -> bool:
        async with self.database.transaction() as connection:
            return await recompute_outdated(connection)

    async def _run_next(self) -> bool:
        """Runs one schedule in one transaction. Returns False if no schedule is due that no other worker runs."""
        schedule: Schedule | None = None
        try:
            async with self.database.transaction() as connection:
                schedule = await take_due(connection)
                if schedule is None:
                    return False
                await run_due(connection, await self.host.tables(connection), schedule, self.settings)
        except Exception as error:
            if schedule is None:
                raise
            self.host.invalidate()
            log.warning("schedule.failed", schedule_id=str(schedule.id), **failure(error))
            async with self.database.transaction() as connection:
                await postpone(connection, schedule)
        return True


async def run_due(connection: AsyncConnection, tables: HostTables, schedule: Schedule, settings: Settings) -> None:
    """The schedule's row must be locked, and its next due time must have passed."""
    values, first_due = schedule.values, schedule.next_due_at
    if first_due is None:
        raise ValueError("a paused schedule is not due")
    plan = plan_due(values.timing, values.time_zone, first_due, schedule.now - schedule.spread, values.catch_up)
    await _record_missed(connection, schedule, plan)
    await set_next_due(connection, schedule, plan.next_due)
    # A due time that has a run comes again if the database's clock was set back.
    if plan.run is None or await has_run(connection, schedule.org_id, schedule.id, plan.run):
        return
    result = await _result(connection, tables, schedule, settings)
    await add_run(
        connection, schedule.org_id, schedule.id, plan.run, BY_TIME, result.outcome, result.message, result.job_ids,
        result.lead_count, result.destinations,
    )  # fmt: skip
    metrics.SCHEDULE_RUNS.labels(end=result.outcome.value).inc()
    log.info(
        "schedule.ran", org_id=str(schedule.org_id), schedule_id=str(schedule.id), due_at=plan.run.isoformat(),
        reason=result.outcome.value, job_ids=[str(each) for each in result.job_ids], leads=result.lead_count,
        late_seconds=round((schedule.now - plan.run).total_seconds()), missed=len(plan.missed) + plan.missed_earlier,
    )  # fmt: skip
    is_failing = result.outcome in FAILURES and await _has_failed(connection, schedule)
    if is_failing or result.outcome is ScheduleOutcome.PAUSED:
        await pause_schedule(connection, schedule, PauseReason.FAILURES)
        metrics.SCHEDULES_PAUSED.inc()
        log.error("schedule.paused", schedule_id=str(schedule.id), reason=result.outcome.value)


async def _result(connection: AsyncConnection, tables: HostTables, schedule: Schedule, settings: Settings) -> RunResult:
    if await _has_failed(connection, schedule):  # push jobs have failed since their runs
        return RunResult(ScheduleOutcome.PAUSED, PAUSED.format(schedule.values.pause_after))
    if schedule.attempts >= MAX_ATTEMPTS:
        return RunResult(ScheduleOutcome.FAILED, REPEATED_ERROR)
    return await run_schedule(connection, tables, schedule, Actor(schedule.org_id, schedule.actor), settings)


async def _has_failed(connection: AsyncConnection, schedule: Schedule) -> bool:
    """Whether the last runs failed as often as the schedule allows before it is paused."""
    most = schedule.values.pause_after
    past = await read_past(connection, schedule.org_id, schedule.id, schedule.counted_from, most)
    return failures_in_a_row(past) >= most


async def _record_missed(connection: AsyncConnection, schedule: Schedule, plan: DuePlan) -> None:
    if not plan.missed:
        return
    messages: Sequence[str] = [MISSED if plan.run is None else REPLACED] * len(plan.missed)
    if plan.missed_earlier:
        first = f"{messages[0]} {plan.missed_earlier:,} earlier runs were missed too."
        messages = [first, *messages[1:]]
    await add_missed(connection, schedule.org_id, schedule.id, plan.missed, messages)
    metrics.SCHEDULE_RUNS.labels(end=ScheduleOutcome.MISSED.value).inc(len(plan.missed) + plan.missed_earlier)
    log.warning(
        "schedule.missed", schedule_id=str(schedule.id), missed=len(plan.missed) + plan.missed_earlier,
        caught_up=plan.run is not None,
    )  # fmt: skip
