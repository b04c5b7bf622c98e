"""Runs a process that crashes or blocks at a chosen point of its work: `python -m tests.faults.crash_at POINT [NUMBER or ID …]`.

Each point replaces a function of the product in this process. Do not import this module.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn
from uuid import UUID

from clay_push_service import metrics
from clay_push_service import settings as settings_module
from clay_push_service.callers.actor import Actor
from clay_push_service.clay.routines_client import RoutinesClient
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.database import Database
from clay_push_service.deliveries.eligibility import Resend
from clay_push_service.deliveries.results import Result
from clay_push_service.enrichment.inbound import applier as applier_module
from clay_push_service.enrichment.inbound import apply as apply_module
from clay_push_service.enrichment.runs import poll as poll_module
from clay_push_service.enrichment.runs import start as start_module
from clay_push_service.enrichment.runs.record_start import record_start
from clay_push_service.enrichment.runs.write_results import write_results
from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.leads import payload
from clay_push_service.push_jobs.accept import accept
from clay_push_service.push_jobs.selection import select_by_filters
from clay_push_service.push_jobs.targets.choose import require_destination
from clay_push_service.sending import build_payloads as payloads_module
from clay_push_service.sending import build_turns as turns_module
from clay_push_service.sending import slice as slice_module
from clay_push_service.sending.result_writer import ResultWriter
from clay_push_service.states import PushMode
from clay_push_service.worker import worker


def kill_self() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class After:
    """Kills the process at call number `number` (0 is the first call)."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self) -> None:
        if self._left == 0:
            kill_self()
        self._left -= 1


def after_claim(count: After) -> None:
    async def build_payloads(*_: Any) -> NoReturn:
        count()
        raise AssertionError

    setattr(slice_module, "build_payloads", build_payloads)  # noqa: B010 - it is not exported
    setattr(turns_module, "build_payloads_of_projects", build_payloads)  # noqa: B010 - likewise


def marked_sending(count: After) -> None:
    post = ClayClient.post

    async def crashing(*values: Any) -> Any:
        count()
        return await post(*values)

    setattr(ClayClient, "post", crashing)  # noqa: B010 - mypy refuses the assignment to a method


def answered(count: After) -> None:
    add = ResultWriter.add

    def crashing(self: ResultWriter, result: Result) -> None:
        count()
        add(self, result)

    setattr(ResultWriter, "add", crashing)  # noqa: B010


def recorded(count: After) -> None:
    """Crash after a batch of results is committed."""

    def crashing(_seconds: float) -> None:
        count()

    setattr(metrics, "results_written", crashing)  # noqa: B010 - mypy refuses the assignment to a function


def blocked(_count: After) -> None:
    """Block the event loop for ever, without a crash."""

    async def build_payloads(*_: Any) -> NoReturn:
        time.sleep(1000)  # noqa: ASYNC251 - blocks on purpose
        raise AssertionError

    setattr(slice_module, "build_payloads", build_payloads)  # noqa: B010 - it is not exported


def holding_the_lock(_count: After) -> None:
    """Block in C code that holds Python's global lock, so that no other thread of the process can run."""

    async def build_payloads(*_: Any) -> NoReturn:
        ctypes.PyDLL(None).sleep(1000)
        raise AssertionError

    setattr(slice_module, "build_payloads", build_payloads)  # noqa: B010 - it is not exported


def results_not_committed(count: After) -> None:
    """Crash after a batch of results is written and before its commit."""
    apply = apply_module.apply_results

    async def crashing(*values: Any) -> Any:
        finished = await apply(*values)
        count()
        return finished

    setattr(applier_module, "apply_results", crashing)  # noqa: B010 - it is not exported


def results_committed(count: After) -> None:
    def crashing(_finished: Any) -> None:
        count()

    setattr(applier_module, "count_finished", crashing)  # noqa: B010


def run_marked(count: After) -> None:
    """Crash after the run is committed as starting and before any byte is sent."""

    async def crashing(*_: Any) -> NoReturn:
        count()
        raise AssertionError

    setattr(RoutinesClient, "start_run", crashing)  # noqa: B010


def run_taken(count: After) -> None:
    """Crash after Clay has started the run and before its response is recorded."""
    start_run = RoutinesClient.start_run

    async def crashing(*values: Any) -> Any:
        started = await start_run(*values)
        count()
        return started

    setattr(RoutinesClient, "start_run", crashing)  # noqa: B010


def run_recorded(count: After) -> None:
    async def crashing(*values: Any) -> None:
        await record_start(*values)
        count()

    setattr(start_module, "record_start", crashing)  # noqa: B010 - it is not exported


def page_read(count: After) -> None:
    """Crash after a page of results is read and before it is written."""
    read_results = RoutinesClient.read_results

    async def crashing(*values: Any) -> Any:
        page = await read_results(*values)
        count()
        return page

    setattr(RoutinesClient, "read_results", crashing)  # noqa: B010


def page_not_committed(count: After) -> None:
    """Crash after a page of results is written and before its commit."""

    async def crashing(*values: Any) -> Any:
        written = await write_results(*values)
        count()
        return written

    setattr(poll_module, "write_results", crashing)  # noqa: B010 - it is not exported


POINTS: dict[str, Callable[[After], None]] = {
    "after_claim": after_claim,
    "marked_sending": marked_sending,
    "answered": answered,
    "recorded": recorded,
    "results_not_committed": results_not_committed,
    "results_committed": results_committed,
    "run_marked": run_marked,
    "run_taken": run_taken,
    "run_recorded": run_recorded,
    "page_read": page_read,
    "page_not_committed": page_not_committed,
    "blocked": blocked,
    "holding_the_lock": holding_the_lock,
}


def poison(lead_id: UUID) -> None:
    """Crash when the payload of this lead is built."""
    build = payload.build

    def crashing(row: LeadRow, *values: Any) -> payload.Payload:
        if row.lead_id == lead_id:
            kill_self()
        return build(row, *values)

    setattr(payloads_module, "build", crashing)  # noqa: B010 - it is not exported


async def accepting(org_id: UUID, project_id: UUID, *, commits: bool) -> None:
    """Accept a push of the whole project, and crash before or after its commit."""
    found = settings_module.load()
    database, host = Database.of(found), HostTableCache(found.host_schema)
    async with database.transaction() as connection:
        tables = await host.tables(connection)
        destination = await require_destination(connection, org_id)
        choice = await select_by_filters(connection, tables, org_id, project_id, LeadCriteria(), PushMode.ALL, Resend())
        await accept(connection, tables, Actor(org_id, "user:test"), destination, choice)
        if not commits:
            kill_self()
    kill_self()


def main(arguments: Sequence[str]) -> None:
    point, *rest = arguments
    if point in POINTS:
        POINTS[point](After(int(rest[0])))
        worker.run(settings_module.load())
    elif point == "poison":
        poison(UUID(rest[0]))
        worker.run(settings_module.load())
    else:
        asyncio.run(accepting(UUID(rest[0]), UUID(rest[1]), commits=point == "committed"))


if __name__ == "__main__":
    main(sys.argv[1:])
