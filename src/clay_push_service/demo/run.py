"""`clay-push demo`: the whole service on this machine, against a stand-in Clay; ends everything it has started."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
from rich.console import Console

from clay_push_service import migrations
from clay_push_service.clay.cause import Cause
from clay_push_service.commands.progress import job_bar, tell_end
from clay_push_service.demo import host_database, postgres, service
from clay_push_service.demo.demo_user import Member, access_token
from clay_push_service.demo.home import DemoError, DemoHome, port_for
from clay_push_service.demo.host_database import DemoProject
from clay_push_service.demo.output import Teller
from clay_push_service.demo.postgres import PostgresError
from clay_push_service.demo.sandbox_check import arrived
from clay_push_service.demo.service import Service
from clay_push_service.push_jobs.summary import ENDED
from clay_push_service.push_jobs.views import JobView
from clay_push_service.sandbox.server import running as sandbox_running
from clay_push_service.sandbox.store import DirectoryInUseError

PUSH_SECONDS = 180.0
"""200 leads at 100 ms are 20 s."""
NOTICE_SECONDS = 2.0
INTERRUPTED = 130

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Wishes:
    directory: Path = Path(".data")
    once: bool = False
    vintage: str | None = None
    port: int = 8080
    sandbox_port: int = 8090


def run(wishes: Wishes) -> int:
    """With `once`: 0 only if every lead of the project is in the sandbox's table, and none was doubled. Else it stays until Ctrl-C."""
    teller = Teller(Console())
    try:
        home = DemoHome(wishes.directory).settle()
        with postgres.start(home.directory) as server:
            return _run_cancellable(_Demo(wishes, home, teller).run(server.url))
    except KeyboardInterrupt:
        teller.line("Ended.")
        return INTERRUPTED
    except PostgresError as error:
        raise DemoError(str(error)) from None
    except DirectoryInUseError as error:
        raise DemoError(f"Another demo uses this directory: {error}") from None


def _run_cancellable(main: Coroutine[None, None, Done]) -> Done:
    """Ctrl-C is asyncio's own; SIGTERM shall end it in the same order."""

    async def cancelled_by_sigterm() -> Done:
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
    wishes: Wishes
    home: DemoHome
    teller: Teller

    async def run(self, database_url: str) -> int:
        wishes, teller = self.wishes, self.teller
        await asyncio.to_thread(migrations.upgrade, database_url)
        project = await host_database.prepare(database_url, wishes.vintage, self.home)
        teller.host(project)
        secrets = self.home.secrets()
        async with contextlib.AsyncExitStack() as stack:
            sandbox = await stack.enter_async_context(
                sandbox_running("127.0.0.1", port_for(wishes.sandbox_port), self.home.sandbox_rows)
            )
            teller.step(f"Sandbox, a stand-in Clay: {sandbox.url}")
            teller.moved("the sandbox", wishes.sandbox_port, sandbox.port)
            port = port_for(wishes.port)
            running = await stack.enter_async_context(
                service.running(self.home, secrets, database_url, port, sandbox.port)
            )
            api = await stack.enter_async_context(httpx.AsyncClient(base_url=running.url, timeout=30, trust_env=False))
            await running.until_ready(api)
            teller.step(f"API and worker: {running.url}")
            teller.moved("the API", wishes.port, port)
            token = access_token(secrets)
            member = Member(api, token, project)
            is_good = await _unless_ended(running, self._push(member, project, sandbox.webhook_url(), sandbox.url))
            if wishes.once:
                return 0 if is_good else 1
            teller.where(running.url, sandbox.url, token, project, self.home.directory)
            teller.line("Everything stays up until you press Ctrl-C.", "bold")
            await _unless_ended(running, _asked_to_end())
            teller.line("Ending; the rows and the database stay for the next run.")
        return 0

    async def _push(self, member: Member, project: DemoProject, webhook_url: str, sandbox_url: str) -> bool:
        """Push the project's leads. True if each is at the sandbox afterwards, and none has come a second time by this run."""
        before = await arrived(sandbox_url, project.lead_ids)
        await member.configure(webhook_url)
        for job in await member.live_jobs():
            self.teller.step("The push of an interrupted run goes on")
            await self._watch(member, job.id)
        answer = await member.push()
        queued = answer.lead_count - answer.skipped_count
        already = f", {answer.skipped_count} are there already" if answer.skipped_count else ""
        self.teller.step(f"POST /api/clay/push-filtered for {project.organization}: {queued} leads queued{already}")
        ended = await self._watch(member, answer.job_id)
        self.teller.step(f"Push job {ended.id}: {ended.status}")
        found = await arrived(sandbox_url, project.lead_ids)
        if found.missing and any(cause.cause == Cause.MAYBE_IN_CLAY for cause in ended.causes):
            # An earlier run was killed before an answer came. What the remedy asks of a person can be done here: look.
            self.teller.step(f"{len(found.missing)} leads may have arrived, and have not: pushed again, on purpose")
            queued = (again := await member.push_again(found.missing)).lead_count
            await self._watch(member, again.job_id)
            found = await arrived(sandbox_url, project.lead_ids)
        is_good = found.holds_after(before)
        self.teller.outcome(project, found, queued, is_good=is_good)
        if not is_good:
            self.teller.remedy(found, self.home)
        return is_good

    async def _watch(self, member: Member, job_id: UUID) -> JobView:
        """By its events; a stream that ends before the job does is opened again."""
        try:
            async with asyncio.timeout(PUSH_SECONDS):
                with job_bar(self.teller.console) as bar:
                    while (job := await member.job(job_id)).status not in ENDED:
                        async for snapshot in member.snapshots(job_id):
                            bar.show(snapshot)
                    bar.show(job)
        except TimeoutError:
            raise DemoError(
                f"The push did not end in {PUSH_SECONDS:.0f} s; see {self.home.service_log}. Start afresh: rm -rf {self.home.directory}"
            ) from None
        tell_end(self.teller.console, job)
        return job


async def _asked_to_end() -> None:
    """Once the push is over, Ctrl-C is how the demo ends, and no failure."""
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    await asked.wait()


async def _unless_ended(running: Service, act: Coroutine[None, None, Done]) -> Done:
    """Raises DemoError with the log's end as soon as the service is gone."""
    acting = asyncio.ensure_future(act)
    try:
        await asyncio.wait({acting, running.ended}, return_when=asyncio.FIRST_COMPLETED)
        if acting.done() and isinstance(acting.exception(), httpx.TransportError):
            await asyncio.wait(
                {running.ended}, timeout=NOTICE_SECONDS
            )  # its sockets close before it is seen to have ended
            raise running.failure("The API stopped answering")
        if not acting.done():
            raise running.failure("The API stopped")
        return acting.result()
    finally:
        acting.cancel()
