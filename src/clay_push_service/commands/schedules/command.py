"""`clay-push schedules`: lists, runs, pauses and resumes schedules with the same functions as the API."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.schedules import service as schedules
from clay_push_service.schedules.runs import read_runs
from clay_push_service.schedules.schemas import ScheduleRunView, ScheduleView
from clay_push_service.schedules.table import require_schedule
from clay_push_service.settings import Settings

LAST_RUNS = 50
Result = TypeVar("Result")


def show_all(settings: Settings, org: str) -> None:
    async def act(service: PushService) -> list[ScheduleView]:
        return await schedules.view_all(service.connection, service.actor.org_id)

    table = _table("id", "name", "when", "segment", "next run", "last run")
    for each in _in_transaction(settings, org, act):
        paused = None if each.paused_because is None else f"paused ({each.paused_because.value})"
        last = "" if each.last_run is None else each.last_run.outcome.value
        table.add_row(
            str(each.id), each.name, each.words, each.segment_name or "", paused or _minute(each.next_runs[0]), last
        )
    Console().print(table)


def show_runs(settings: Settings, org: str, schedule: str) -> None:
    schedule_id = _identifier(schedule)

    async def act(service: PushService) -> list[ScheduleRunView]:
        org_id = service.actor.org_id
        await require_schedule(service.connection, org_id, schedule_id)
        runs, _ = await read_runs(service.connection, org_id, schedule_id, None, LAST_RUNS)
        return [ScheduleRunView.of(each) for each in runs]

    table = _table("due", "outcome", "leads", "by", "message")
    for each in _in_transaction(settings, org, act):
        outcome = f"{each.outcome.value}, late" if each.late else each.outcome.value
        table.add_row(_minute(each.due_at), outcome, f"{each.lead_count:,}", each.started_by, each.message)
        for one in each.destinations or ():
            table.add_row("", f"  {one.destination.name}: {one.outcome.value}", f"{one.lead_count:,}", "", one.message)
    Console().print(table)


def run(settings: Settings, org: str, schedule: str) -> None:
    schedule_id = _identifier(schedule)

    async def act(service: PushService) -> ScheduleRunView:
        return ScheduleRunView.of(await schedules.run_now(service, schedule_id))

    ran = _in_transaction(settings, org, act)
    jobs = f" Push jobs: {', '.join(str(each) for each in ran.job_ids)}." if ran.job_ids else ""
    typer.echo(f"{ran.outcome.value}: {ran.message}{jobs}")


def pause(settings: Settings, org: str, schedule: str) -> None:
    schedule_id = _identifier(schedule)

    async def act(service: PushService) -> ScheduleView:
        return await schedules.pause(service.connection, service.actor, schedule_id)

    _in_transaction(settings, org, act)
    typer.echo("The schedule is paused. Resume it with `clay-push schedules resume`.")


def resume(settings: Settings, org: str, schedule: str) -> None:
    schedule_id = _identifier(schedule)

    async def act(service: PushService) -> ScheduleView:
        return await schedules.resume(service.connection, service.actor, schedule_id)

    resumed = _in_transaction(settings, org, act)
    typer.echo(f"The schedule is active. Its next run is due at {_minute(resumed.next_runs[0])}.")


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _minute(moment: datetime) -> str:
    """Formats a time to the minute, with the UTC offset."""
    return moment.isoformat(sep=" ", timespec="minutes")


def _identifier(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"{text!r} is not the id of a schedule (a UUID).") from None


def _in_transaction(settings: Settings, org: str, act: Callable[[PushService], Awaitable[Result]]) -> Result:
    async def in_database() -> Result:
        database = Database.for_shell(settings.database_url)
        try:
            async with database.transaction() as connection:
                tables = await detect(connection, settings.host_schema)
                org_id = (await find_organization(connection, tables, org)).id
                return await act(PushService(connection, tables, Actor(org_id, shell_actor()), settings))
        finally:
            await database.close()

    return asyncio.run(in_database())
