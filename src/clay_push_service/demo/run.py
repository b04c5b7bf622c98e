"""`clay-push demo`: runs the whole service on this machine against the sandbox, and stops everything it started."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
from rich.console import Console

from clay_push_service import migrations
from clay_push_service.clay.cause import Cause
from clay_push_service.commands.progress import job_bar, print_result
from clay_push_service.demo import host_database, service
from clay_push_service.demo.demo_user import DemoUser, access_token
from clay_push_service.demo.enrichment import EnrichmentDemo
from clay_push_service.demo.home import DemoError, DemoHome, port_for
from clay_push_service.demo.host_database import DemoProject
from clay_push_service.demo.output import DemoOutput
from clay_push_service.demo.sandbox_check import count_arrivals
from clay_push_service.demo.service import Service
from clay_push_service.demo.tables import SOURCE, TablesDemo
from clay_push_service.local_database import postgres
from clay_push_service.local_database.postgres import PostgresError
from clay_push_service.push_jobs.summary import ENDED
from clay_push_service.push_jobs.views import JobView
from clay_push_service.sandbox.server import running as sandbox_running
from clay_push_service.sandbox.store import DirectoryInUseError

PUSH_SECONDS = 180.0
"""Seconds to wait for a push. 200 leads at 100 ms take 20 s."""
NOTICE_SECONDS = 2.0
INTERRUPTED = 130

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class DemoOptions:
    directory: Path = Path(".data")
    once: bool = False
    vintage: str | None = None
    port: int = 8080
    sandbox_port: int = 8090


def run(options: DemoOptions) -> int:
    """Without `once`, runs until Ctrl-C. With `once`, returns 0 only if the pushes and the enrichment are complete.

    A push is complete if every lead is in the sandbox's table without new duplicates.
    """
    output = DemoOutput(Console())
    try:
        home = DemoHome(options.directory).create()
        with postgres.start(home.directory) as server:
            return _run_cancellable(_Demo(options, home, output).run(server.url))
    except KeyboardInterrupt:
        output.line("Stopped.")
        return INTERRUPTED
    except PostgresError as error:
        raise DemoError(str(error)) from None
    except DirectoryInUseError as error:
        raise DemoError(f"Another demo uses this directory: {error}") from None


def _run_cancellable(main: Coroutine[None, None, Result]) -> Result:
    """Handle SIGTERM like Ctrl-C, which asyncio handles itself."""

    async def cancelled_by_sigterm() -> Result:
        task = asyncio.ensure_future(main)
        before = signal.getsignal(signal.SIGTERM)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            return await task
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, before)

    try:
        return asyncio.run(cancelled_by_sigterm())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@dataclass(frozen=True, slots=True)
class _Demo:
    options: DemoOptions
    home: DemoHome
    output: DemoOutput

    async def run(self, database_url: str) -> int:
        options, output = self.options, self.output
        await asyncio.to_thread(migrations.upgrade, database_url)
        project = await host_database.prepare(database_url, options.vintage, self.home)
        output.host(project)
        secrets = self.home.secrets()
        async with contextlib.AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(
                sandbox_running("127.0.0.1", port_for(options.sandbox_port), self.home.sandbox_rows)
            )
            output.step(f"Sandbox, a stand-in for Clay: {sandbox.url}")
            output.port_taken("The sandbox", options.sandbox_port, sandbox.port)
            port = port_for(options.port)
            running = await stack.enter_async_context(
                service.running(self.home, secrets, database_url, port, sandbox.port)
            )
            api = await stack.enter_async_context(httpx.AsyncClient(base_url=running.url, timeout=30, trust_env=False))
            await running.until_ready(api)
            output.step(f"API and worker: {running.url}")
            output.port_taken("The API", options.port, port)
            token = access_token(secrets)
            member = DemoUser(api, token, project)
            is_good = await _run_while_serving(running, self._push(member, project, sandbox.webhook_url(), sandbox.url))
            enriching = EnrichmentDemo(member, output, running.url, sandbox.url)
            is_good = await _run_while_serving(running, enriching.run()) and is_good
            tables = TablesDemo(member, output, sandbox.url)
            filling = tables.run(sandbox.webhook_url(SOURCE), partial(self._watch, member))
            is_good = await _run_while_serving(running, filling) and is_good
            if options.once:
                return 0 if is_good else 1
            output.where(running.url, sandbox.url, token, project, self.home.directory)
            output.line("Everything runs until you press Ctrl-C.", "bold")
            await _run_while_serving(running, _wait_for_stop_signal())
            output.line("Stopping. The rows and the database are kept for the next run.")
        return 0

    async def _push(self, member: DemoUser, project: DemoProject, webhook_url: str, sandbox_url: str) -> bool:
        """Push the project's leads. Returns True if all are in the sandbox afterwards and this run made no duplicates."""
        before = await count_arrivals(sandbox_url, project.lead_ids)
        await member.configure(webhook_url)
        for job in await member.live_jobs():
            self.output.step("The push of an interrupted run continues")
            await self._watch(member, job.id)
        answer = await member.push()
        queued = answer.lead_count - answer.skipped_count
        already = f", {answer.skipped_count} are in Clay already" if answer.skipped_count else ""
        self.output.step(f"POST /api/clay/push-filtered for {project.organization}: {queued} leads queued{already}")
        causes: set[Cause] = set()
        for queued_job in answer.jobs:
            ended = await self._watch(member, queued_job.job_id)
            causes |= {cause.cause for cause in ended.causes}
            self.output.step(f"Push job {ended.id}: {ended.status}")
        found = await count_arrivals(sandbox_url, project.lead_ids)
        if found.missing and Cause.MAYBE_IN_CLAY in causes:
            # An earlier run was killed before the response arrived. The sandbox shows which of these leads are missing.
            self.output.step(f"{len(found.missing)} leads of uncertain outcome are not in the sandbox: push them again")
            queued = (again := await member.push_again(found.missing)).lead_count
            await self._watch(member, again.job_id)
            found = await count_arrivals(sandbox_url, project.lead_ids)
        is_good = found.is_complete_since(before)
        self.output.outcome(project, found, queued, is_good=is_good)
        if not is_good:
            self.output.remedy(found, self.home)
        return is_good

    async def _watch(self, member: DemoUser, job_id: UUID) -> JobView:
        """Follow the job's event stream; reopen a stream that ends before the job."""
        try:
            async with asyncio.timeout(PUSH_SECONDS):
                with job_bar(self.output.console) as bar:
                    while (job := await member.job(job_id)).status not in ENDED:
                        async for snapshot in member.snapshots(job_id):
                            bar.show(snapshot)
                    bar.show(job)
        except TimeoutError:
            raise DemoError(
                f"The push did not finish in {PUSH_SECONDS:.0f} s. Read {self.home.service_log}, or start over: rm -rf {self.home.directory}"
            ) from None
        print_result(self.output.console, job)
        return job


async def _wait_for_stop_signal() -> None:
    """After the push, Ctrl-C is the normal end of the demo and not a failure."""
    stop_requested = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop_requested.set)
    await stop_requested.wait()


async def _run_while_serving(running: Service, act: Coroutine[None, None, Result]) -> Result:
    """Await `act`. Raises DemoError with the end of the log as soon as the service exits."""
    acting = asyncio.ensure_future(act)
    try:
        await asyncio.wait({acting, running.ended}, return_when=asyncio.FIRST_COMPLETED)
        if acting.done() and isinstance(acting.exception(), httpx.TransportError):
            await asyncio.wait({running.ended}, timeout=NOTICE_SECONDS)  # its sockets close before its exit is noticed
            raise running.failure("The API stopped responding")
        if not acting.done():
            raise running.failure("The API stopped")
        return acting.result()
    finally:
        acting.cancel()
