"""A process that dies by SIGKILL at a chosen point of its work: `python -m tests.faults.dying POINT [NUMBER or ID …]`, never imported.

The points are made from outside, by replacing a function of the product in this process alone.
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
from clay_push_service.push_jobs.accept import accept, require_destination
from clay_push_service.push_jobs.selection import select_by_filters
from clay_push_service.sending import build_payloads as payloads_module
from clay_push_service.sending import build_turns as turns_module
from clay_push_service.sending import slice as slice_module
from clay_push_service.sending.result_writer import ResultWriter
from clay_push_service.states import PushMode
from clay_push_service.worker import worker


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


class After:
    """Dies at the call number `number` (0 is the first)."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self) -> None:
        if self._left == 0:
            die()
        self._left -= 1


def after_claim(count: After) -> None:
    async def build_payloads(*_: Any) -> NoReturn:
        count()
        raise AssertionError

    setattr(slice_module, "build_payloads", build_payloads)  # noqa: B010 - it is not exported
    setattr(turns_module, "build_payloads_of_projects", build_payloads)  # noqa: B010 - likewise


def marked_sending(count: After) -> None:
    post = ClayClient.post

    async def dying(*values: Any) -> Any:
        count()
        return await post(*values)

    setattr(ClayClient, "post", dying)  # noqa: B010 - mypy refuses the assignment to a method


def answered(count: After) -> None:
    add = ResultWriter.add

    def dying(self: ResultWriter, result: Result) -> None:
        count()
        add(self, result)

    setattr(ResultWriter, "add", dying)  # noqa: B010


def recorded(count: After) -> None:
    """Called right after the commit of a batch."""

    def dying(_seconds: float) -> None:
        count()

    setattr(metrics, "results_written", dying)  # noqa: B010 - mypy refuses the assignment to a function


def blocked(_count: After) -> None:
    """Not killed: it blocks its event loop for good."""

    async def build_payloads(*_: Any) -> NoReturn:
        time.sleep(1000)  # noqa: ASYNC251 - that is the point
        raise AssertionError

    setattr(slice_module, "build_payloads", build_payloads)  # noqa: B010 - it is not exported


def holding_the_lock(_count: After) -> None:
    """Not killed either: it blocks in C, and holds Python's global lock, so that no thread of its own can see it."""

    async def build_payloads(*_: Any) -> NoReturn:
        ctypes.PyDLL(None).sleep(1000)
        raise AssertionError

    setattr(slice_module, "build_payloads", build_payloads)  # noqa: B010 - it is not exported


def results_not_committed(count: After) -> None:
    """Everything of a batch of results is written, and not committed."""
    apply = apply_module.apply_results

    async def dying(*values: Any) -> Any:
        finished = await apply(*values)
        count()
        return finished

    setattr(applier_module, "apply_results", dying)  # noqa: B010 - it is not exported


def results_committed(count: After) -> None:
    def dying(_finished: Any) -> None:
        count()

    setattr(applier_module, "count_finished", dying)  # noqa: B010


def run_marked(count: After) -> None:
    """The run is marked as starting and committed; no byte has left."""

    async def dying(*_: Any) -> NoReturn:
        count()
        raise AssertionError

    setattr(RoutinesClient, "start_run", dying)  # noqa: B010


def run_taken(count: After) -> None:
    """Clay has started the run, and its response is not recorded."""
    start_run = RoutinesClient.start_run

    async def dying(*values: Any) -> Any:
        started = await start_run(*values)
        count()
        return started

    setattr(RoutinesClient, "start_run", dying)  # noqa: B010


def run_recorded(count: After) -> None:
    async def dying(*values: Any) -> None:
        await record_start(*values)
        count()

    setattr(start_module, "record_start", dying)  # noqa: B010 - it is not exported


def page_read(count: After) -> None:
    """A page of results has arrived, and nothing of it is written."""
    read_results = RoutinesClient.read_results

    async def dying(*values: Any) -> Any:
        page = await read_results(*values)
        count()
        return page

    setattr(RoutinesClient, "read_results", dying)  # noqa: B010


def page_not_committed(count: After) -> None:
    """Everything of a page is written, and not committed."""

    async def dying(*values: Any) -> Any:
        written = await write_results(*values)
        count()
        return written

    setattr(poll_module, "write_results", dying)  # noqa: B010 - it is not exported


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
    """One lead kills the process that builds its payload."""
    build = payload.build

    def dying(row: LeadRow, *values: Any) -> payload.Payload:
        if row.lead_id == lead_id:
            die()
        return build(row, *values)

    setattr(payloads_module, "build", dying)  # noqa: B010 - it is not exported


async def accepting(org_id: UUID, project_id: UUID, *, commits: bool) -> None:
    """Accept a push of the whole project, and die before or after its commit."""
    found = settings_module.load()
    database, host = Database.of(found), HostTableCache(found.host_schema)
    async with database.transaction() as connection:
        tables = await host.tables(connection)
        destination = await require_destination(connection, org_id)
        choice = await select_by_filters(connection, tables, org_id, project_id, LeadCriteria(), PushMode.ALL, Resend())
        await accept(connection, tables, Actor(org_id, "user:test"), destination, choice)
        if not commits:
            die()
    die()


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
