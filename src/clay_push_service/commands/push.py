"""`clay-push push`: queues a push with the functions of the API, and can show its progress."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization, find_project
from clay_push_service.commands.progress import job_bar, print_result
from clay_push_service.commands.tables.session import find_destination
from clay_push_service.database.database import Database
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.push_jobs.accept import AcceptedJob
from clay_push_service.push_jobs.push_service import PushService, push_message
from clay_push_service.push_jobs.queries.jobs import read_job
from clay_push_service.push_jobs.schemas import Preview, PushFilteredBody
from clay_push_service.push_jobs.summary import ENDED
from clay_push_service.settings import Settings
from clay_push_service.states import JobStatus, SyncedLeads

POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class PushOptions:
    org: str
    project: str
    min_score: float | None = None
    destination: str | None = None
    """The destination's id or name; None: the default destination."""
    again: bool = False
    dry_run: bool = False
    watch: bool = False
    anywhere: bool = False
    changed: bool = False


def run(settings: Settings, options: PushOptions) -> int:
    """Returns the exit code: 0 if the push was queued (dry run: would be queued), with `watch` if no lead failed."""
    try:
        return asyncio.run(_Push(settings, options).run())
    except KeyboardInterrupt:
        typer.echo("Stopped watching. The push job continues.", err=True)
        return 130


class _Push:
    def __init__(self, settings: Settings, options: PushOptions) -> None:
        self._settings = settings
        self._options = options
        self._console = Console()
        self._database = Database.for_shell(settings.database_url)
        self._host = HostTableCache(settings.host_schema)

    async def run(self) -> int:
        try:
            if self._options.dry_run:
                return await self._preview()
            org_id, jobs = await self._push()
            codes = [await self._watch(org_id, job) for job in jobs] if self._options.watch else [0]
            return max(codes)
        finally:
            await self._database.close()

    async def _preview(self) -> int:
        preview = await self._host.on_fresh_tables(self._read_preview)
        self._print_preview(preview)
        return 1 if preview.blocked else 0

    async def _read_preview(self) -> Preview:
        async with self._database.transaction() as connection:
            service, body = await self._push_service(connection)
            return await service.preview(body)

    async def _push(self) -> tuple[UUID, Sequence[UUID]]:
        """One push job for each table that the routes choose; without routes one."""
        org_id, jobs = await self._host.on_fresh_tables(self._accept)
        for job in jobs:
            queued = job.lead_count - job.skipped_count
            message = f"{queued:,} leads queued, {job.skipped_count:,} skipped." if queued else push_message([job])
            table = f" to “{job.destination.name}”" if len(jobs) > 1 else ""
            self._console.print(Text(f"Push job {job.job_id}{table}: {message}"), soft_wrap=True)
        return org_id, [job.job_id for job in jobs]

    async def _accept(self) -> tuple[UUID, Sequence[AcceptedJob]]:
        async with self._database.transaction() as connection:
            service, body = await self._push_service(connection)
            jobs = await service.push(body)
        return service.actor.org_id, jobs

    async def _push_service(self, connection: AsyncConnection) -> tuple[PushService, PushFilteredBody]:
        """The service and the request body that the API would use."""
        options = self._options
        tables = await self._host.tables(connection)
        org = await find_organization(connection, tables, options.org)
        chosen = await find_project(connection, tables, org, options.project)
        body = PushFilteredBody(
            project_id=chosen.id,
            filters=LeadFilters(min_score=options.min_score),
            push_mode="all" if options.min_score is None else "filtered",
            push_again=options.again,
            destination_id=None
            if options.destination is None
            else await find_destination(connection, org.id, options.destination),
            anywhere=options.anywhere,
            sync_mode=SyncedLeads.NEW_AND_CHANGED if options.changed else SyncedLeads.NEW,
        )
        return PushService(connection, tables, Actor(org.id, shell_actor()), self._settings), body

    async def _watch(self, org_id: UUID, job_id: UUID) -> int:
        with job_bar(self._console) as bar:
            while True:
                async with self._database.transaction() as connection:
                    job = await read_job(connection, org_id, job_id)
                bar.show(job)
                if job.status in ENDED:
                    break
                await asyncio.sleep(POLL_SECONDS)
        print_result(self._console, job)
        return 0 if job.status is JobStatus.COMPLETED and not job.failed_count else 1

    def _print_preview(self, preview: Preview) -> None:
        about = "about " if preview.estimated else ""
        before = f", after {preview.queued_before:,} leads that are already queued" if preview.queued_before else ""
        would = (
            f"Of {preview.lead_count:,} leads {preview.to_send:,} would be sent, in {preview.seconds:,.0f} s{before}."
        )
        lines = [
            *([f"A push would be refused now: {preview.message}"] if preview.blocked else []),
            *(["Clay has an outage: a push would wait until it ends."] if preview.waiting else []),
            f"Nothing was queued. {would}",
            *(f"  {each.count:,} skipped, {each.cause}: {each.message}" for each in preview.skipped),
            f"  {about}{preview.without_email:,} without an e-mail address, {about}{preview.too_large:,} too large for Clay",
            *([f"  {preview.sync_note}"] if preview.sync_note else []),
            *([f"  {preview.quota_warning}"] if preview.quota_warning else []),
        ]
        self._console.print(Text("\n".join(lines)), soft_wrap=True)
