"""`clay-push push`: a push from the shell through the functions the API accepts with, and a progress bar to watch it."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import actor
from clay_push_service.commands.lookup import organization, project
from clay_push_service.commands.progress import job_bar, tell_end
from clay_push_service.database.database import Database
from clay_push_service.host.detect import detect
from clay_push_service.leads.filters import LeadFilters
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.queries.jobs import read_job
from clay_push_service.push_jobs.schemas import Preview, PushFilteredBody
from clay_push_service.push_jobs.summary import ENDED, push_message
from clay_push_service.settings import Settings
from clay_push_service.states import JobStatus

LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Wanted:
    org: str
    project: str
    min_score: float | None = None
    again: bool = False
    dry_run: bool = False
    watch: bool = False


def run(settings: Settings, wanted: Wanted) -> int:
    """0 when it was queued (a dry run: would be), or, watched, when it ended without a failed lead."""
    try:
        return asyncio.run(_Push(settings, wanted).run())
    except KeyboardInterrupt:
        typer.echo("Not watched any more; what is queued goes on.", err=True)
        return 130


class _Push:
    def __init__(self, settings: Settings, wanted: Wanted) -> None:
        self._settings = settings
        self._wanted = wanted
        self._console = Console()
        self._database = Database.for_shell(settings.database_url)

    async def run(self) -> int:
        try:
            if self._wanted.dry_run:
                return await self._preview()
            org_id, job_id = await self._push()
            return await self._watch(org_id, job_id) if self._wanted.watch else 0
        finally:
            await self._database.close()

    async def _preview(self) -> int:
        async with self._database.transaction() as connection:
            service, body = await self._push_service(connection)
            found = await service.preview(body)
        self._tell(found)
        return 1 if found.blocked else 0

    async def _push(self) -> tuple[UUID, UUID]:
        async with self._database.transaction() as connection:
            service, body = await self._push_service(connection)
            [job] = await service.push(body)
        queued = job.lead_count - job.skipped_count
        said = f"{queued:,} leads queued, {job.skipped_count:,} skipped." if queued else push_message([job])
        self._console.print(Text(f"Push job {job.job_id}: {said}"), soft_wrap=True)
        return service.actor.org_id, job.job_id

    async def _push_service(self, connection: AsyncConnection) -> tuple[PushService, PushFilteredBody]:
        """The same service, asked with the same body, as the API's."""
        wanted = self._wanted
        tables = await detect(connection, self._settings.host_schema)
        org = await organization(connection, tables, wanted.org)
        chosen = await project(connection, tables, org, wanted.project)
        body = PushFilteredBody(
            project_id=chosen.id,
            filters=LeadFilters(min_score=wanted.min_score),
            push_mode="all" if wanted.min_score is None else "filtered",
            push_again=wanted.again,
        )
        return await PushService.open(connection, tables, Actor(org.id, actor()), self._settings), body

    async def _watch(self, org_id: UUID, job_id: UUID) -> int:
        with job_bar(self._console) as shown:
            while True:
                async with self._database.transaction() as connection:
                    job = await read_job(connection, org_id, job_id)
                shown.show(job)
                if job.status in ENDED:
                    break
                await asyncio.sleep(LOOK_SECONDS)
        tell_end(self._console, job)
        return 0 if job.status is JobStatus.COMPLETED and not job.failed_count else 1

    def _tell(self, found: Preview) -> None:
        about = "about " if found.estimated else ""
        before = f", behind {found.queued_before:,} that are queued" if found.queued_before else ""
        would = f"Of {found.lead_count:,} leads {found.to_send:,} would be sent, in {found.seconds:,.0f} s{before}."
        lines = [
            *([f"A push would be refused now: {found.message}"] if found.blocked else []),
            *(["Clay is having an outage: a push would wait for its end."] if found.waiting else []),
            f"Nothing was queued. {would}",
            *(f"  {each.count:,} skipped, {each.cause}: {each.message}" for each in found.skipped),
            f"  {about}{found.without_email:,} without an e-mail address, {about}{found.too_large:,} too large for Clay",
            *([f"  {found.quota_warning}"] if found.quota_warning else []),
        ]
        self._console.print(Text("\n".join(lines)), soft_wrap=True)
