"""Pushes that the host queued itself, taken by our trigger: its auto-export becomes a run of OUR rule, anything else a push.

Scans that it completed run that rule, too. The host's row goes on as the row that shows our push job. Where there is none
to show, the row ends with the reason. Our part commits first; the host's row is written behind it, as all of the mirror.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.automation import run as auto_export
from clay_push_service.automation.run import RunOutcome
from clay_push_service.callers.actor import Actor
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import on_fresh_plan
from clay_push_service.errors import ClayPushError
from clay_push_service.host.leads import unknown_leads
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import HostTables
from clay_push_service.host_integration.attach.attachment import Level, read_attachment
from clay_push_service.host_integration.inbox.end_host_jobs import end_host_jobs
from clay_push_service.host_integration.inbox.finished_scans import run_next_scan, scan_of
from clay_push_service.host_integration.inbox.host_push import HostPush, host_push
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.schemas import PushBody
from clay_push_service.settings import Settings
from clay_push_service.states import JobStatus

LOOK_SECONDS = 1.0
FAILED_SECONDS = 5.0
BATCH = 50
MAX_ATTEMPTS: Final = 10
ACTOR: Final = "host"
NOT_TAKEN: Final = (
    "This push could not be taken over by the Clay push service. Push the leads again, or call its operator."
)
GONE: Final = "The host's job has ended meanwhile."
SHOWN_ELSEWHERE: Final = "Auto-export already ran after this scan, and another job on this page shows it."

NEXT = text("""
SELECT id, host_job_id, project_id, created_by, push_mode, CAST(metadata AS text) AS metadata, attempts
FROM clay.inbox WHERE done_at IS NULL AND due_at <= now() ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
""")
# Once a push job has the ids they are not needed here, where they would stay for ever. Without one the row may be tried again.
DONE = text("""
UPDATE clay.inbox
SET done_at = now(), end_status = CAST(:end_status AS text), end_message = :end_message,
    metadata = CASE WHEN CAST(:end_status AS text) IS NULL AND jsonb_typeof(metadata) = 'object' THEN metadata - 'lead_ids'
                    ELSE metadata END
WHERE id = :id
""")
SHOW = text("""
INSERT INTO clay.mirror (job_id, host_job_id) VALUES (:job_id, :host_job_id) ON CONFLICT DO NOTHING
""")
SHOWN = text("SELECT host_job_id FROM clay.mirror WHERE job_id = :job_id")
# Exponential, up to a minute: what fails here is most likely the database, or the host's tables in a migration.
POSTPONE = text("""
UPDATE clay.inbox SET attempts = attempts + 1, due_at = now() + least(60, power(2, attempts)) * interval '1 second'
WHERE id = :id AND done_at IS NULL
""")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class End:
    """How the host's row ends, where no push job shows in it."""

    status: JobStatus
    message: str


class Inbox:
    """One a worker process; entries are shared by SKIP LOCKED."""

    def __init__(self, database: Database, host: HostTableCache, settings: Settings) -> None:
        self._database = database
        self._host = host
        self._settings = settings

    async def run(self) -> None:
        """Until cancelled. Whatever fails is tried again."""
        while True:
            pause = LOOK_SECONDS
            try:
                await self.work_off()
            except Exception as error:  # noqa: BLE001 - most likely the database; the next look finds out
                log.warning("inbox.failed", **failure(error))
                pause = FAILED_SECONDS
            await asyncio.sleep(pause)

    async def work_off(self) -> int:
        """Deal with entries and finished scans that are due, then end the host's rows that show no push job. Returns how many."""
        dealt = 0
        while dealt < BATCH and await self._next():
            dealt += 1
        while dealt < BATCH and await run_next_scan(self._database, self._host, self._settings):
            dealt += 1
        await end_host_jobs(self._database, self._host)
        return dealt

    async def _next(self) -> bool:
        """One entry, in one transaction: the push, what shows it, and the entry's end stand or fall together."""
        taken: list[int] = []
        try:
            return await on_fresh_plan(lambda: self._take(taken))
        except Exception as error:
            if not taken:
                raise
            entry_id = taken[-1]
            self._host.invalidate()
            log.warning("inbox.entry_failed", entry_id=entry_id, **failure(error))
            async with self._database.transaction() as connection:
                await connection.execute(POSTPONE, {"id": entry_id})
        return True

    async def _take(self, taken: list[int]) -> bool:
        """The transaction of `_next`; the entry's id is noted in `taken`. False: there is none."""
        async with self._database.transaction() as connection:
            attached = await read_attachment(connection)
            if attached is None or attached.level is not Level.INBOX:
                return False
            row = (await connection.execute(NEXT)).one_or_none()
            if row is None:
                return False
            taken.append(row.id)
            push = host_push(row)
            end = End(JobStatus.FAILED, NOT_TAKEN) if push.attempts >= MAX_ATTEMPTS else None
            end = end or await self._deal(connection, push)
            values = {"end_status": end.status if end else None, "end_message": end.message if end else None}
            await connection.execute(DONE, {"id": push.entry_id, **values})
        return True

    async def _deal(self, connection: AsyncConnection, push: HostPush) -> End | None:
        """None: push jobs were made, and the host's row shows the first."""
        tables = await self._host.tables(connection)
        jobs = tables.sourcing_jobs.c
        status = (await connection.execute(select(jobs.status).where(jobs.id == push.host_job_id))).scalar_one_or_none()
        if status != JobStatus.RUNNING:  # deleted or cancelled before we came
            return End(JobStatus.CANCELLED, GONE)
        before = await connection.begin_nested()
        try:
            made = await self._push(connection, tables, push)
        except ClayPushError as error:
            await before.rollback()
            made = End(JobStatus.FAILED, error.detail)
        else:
            await before.commit()
        said = log.bind(host_job_id=str(push.host_job_id), push_mode=push.push_mode)
        if isinstance(made, End):
            said.info("inbox.ended", status=made.status, why=made.message)
            return made
        await connection.execute(SHOW, {"job_id": made[0], "host_job_id": push.host_job_id})
        if (await connection.execute(SHOWN, {"job_id": made[0]})).scalar_one() != push.host_job_id:
            return End(JobStatus.COMPLETED, SHOWN_ELSEWHERE)
        said.info("inbox.pushed", job_ids=[str(job_id) for job_id in made])
        return None

    async def _push(self, connection: AsyncConnection, tables: HostTables, push: HostPush) -> Sequence[UUID] | End:
        org_id = await _organization(connection, tables, push)
        if org_id is None:
            return End(JobStatus.FAILED, "This job names neither a project of an organization nor an organization.")
        actor = Actor(org_id, ACTOR, push.created_by)
        if push.push_mode == "auto":
            if push.project_id is None:
                return End(JobStatus.FAILED, "An auto-export needs a project.")
            scan_id = await scan_of(connection, push.entry_id, push.project_id) or push.host_job_id
            result = await auto_export.run_rule(connection, tables, actor, push.project_id, scan_id, self._settings)
            if result.job_id is not None:
                return [result.job_id]
            quiet = result.outcome in {RunOutcome.NOTHING_NEW, RunOutcome.OFF}
            return End(JobStatus.COMPLETED if quiet else JobStatus.FAILED, result.message)
        if push.refused is not None:
            return End(JobStatus.FAILED, push.refused)
        # Somebody who was deleted since the host queued its job must not keep thousands of others from being pushed.
        gone = set(
            await unknown_leads(connection, tables, org_id, push.lead_ids, push.project_id, limit=len(push.lead_ids))
        )
        leads = [lead_id for lead_id in push.lead_ids if lead_id not in gone]
        if gone and leads:
            log.info("inbox.leads_gone", host_job_id=str(push.host_job_id), leads=len(gone))
        service = await PushService.open(connection, tables, actor, self._settings)
        body = PushBody.model_construct(lead_ids=leads or list(push.lead_ids), project_id=push.project_id)
        return [job.job_id for job in await service.push(body)]


async def _organization(connection: AsyncConnection, tables: HostTables, push: HostPush) -> UUID | None:
    """The project's; what the metadata says counts only for a job without a project."""
    projects, organizations = tables.projects.c, tables.organizations.c
    if push.project_id is not None:
        found = await connection.execute(select(projects.org_id).where(projects.id == push.project_id))
    else:
        found = await connection.execute(select(organizations.id).where(organizations.id == push.org_id))
    return found.scalar_one_or_none()
