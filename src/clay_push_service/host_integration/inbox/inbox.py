"""Processes pushes that the host queued and a trigger took over: its auto-export runs OUR rule, other entries become pushes.

Scans that the host completed run that rule, too. The host's row then shows the push job; without a push job it ends with the
reason. The push commits first; the host's row is written afterwards, as everything in the mirror.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.automation import run as auto_export
from clay_push_service.automation.run import RunOutcome
from clay_push_service.callers.actor import Actor
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.statement import Statement, select_one_or_none
from clay_push_service.errors import ClayPushError
from clay_push_service.host.leads import unknown_leads
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import HostTables
from clay_push_service.host_integration.attach.attachment import Level, read_attachment
from clay_push_service.host_integration.inbox.end_host_jobs import end_host_jobs
from clay_push_service.host_integration.inbox.finished_scans import find_scan, run_next_scan
from clay_push_service.host_integration.inbox.host_push import HostPush, InboxRow, host_push
from clay_push_service.push_jobs.push_service import PushService
from clay_push_service.push_jobs.schemas import PushBody
from clay_push_service.settings import Settings
from clay_push_service.states import JobStatus

POLL_SECONDS = 1.0
FAILED_SECONDS = 5.0
BATCH = 50
MAX_ATTEMPTS: Final = 10
ACTOR: Final = "host"
NOT_ACCEPTED: Final = "The Clay push service failed to accept this push. Push the leads again, or contact the operator."
ALREADY_ENDED: Final = "The job in NexusLeads has already ended."
SHOWN_ELSEWHERE: Final = "Auto-export already ran after this scan; another job on this page shows it."

NEXT = Statement(
    """
SELECT id, host_job_id, project_id, created_by, push_mode, CAST(metadata AS text) AS metadata, attempts
FROM clay.inbox WHERE done_at IS NULL AND due_at <= now() ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
""",
    InboxRow,
)
# The push job has the lead ids, so the entry no longer needs them. Without a push job they are kept for a retry.
DONE = Statement("""
UPDATE clay.inbox
SET done_at = now(), end_status = CAST(:end_status AS text), end_message = :end_message,
    metadata = CASE WHEN CAST(:end_status AS text) IS NULL AND jsonb_typeof(metadata) = 'object' THEN metadata - 'lead_ids'
                    ELSE metadata END
WHERE id = :id
""")
SHOW = Statement("""
INSERT INTO clay.mirror (job_id, org_id, host_job_id)
SELECT id, org_id, :host_job_id FROM clay.push_jobs WHERE id = :job_id ON CONFLICT DO NOTHING
""")
READ_HOST_JOB = Statement("SELECT host_job_id FROM clay.mirror WHERE job_id = :job_id", UUID)
# Exponential, up to a minute: the usual cause is the database or a migration of the host's tables.
POSTPONE = Statement("""
UPDATE clay.inbox SET attempts = attempts + 1, due_at = now() + least(60, power(2, attempts)) * interval '1 second'
WHERE id = :id AND done_at IS NULL
""")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class EntryEnd:
    """How the host's row ends when it has no push job."""

    status: JobStatus
    message: str


class Inbox:
    """One per worker process; SKIP LOCKED distributes the entries."""

    def __init__(self, database: Database, host: HostTableCache, settings: Settings) -> None:
        self._database = database
        self._host = host
        self._settings = settings

    async def run(self) -> None:
        """Runs until cancelled and retries after every error."""
        while True:
            pause = POLL_SECONDS
            try:
                await self.process_due()
            except Exception as error:  # noqa: BLE001 - usually the database; the next pass retries
                log.warning("inbox.failed", **failure(error))
                pause = FAILED_SECONDS
            await asyncio.sleep(pause)

    async def process_due(self) -> int:
        """Processes due entries and finished scans, then ends host rows without a push job. Returns the number processed."""
        processed = 0
        while processed < BATCH and await self._process_next():
            processed += 1
        while processed < BATCH and await run_next_scan(self._database, self._host, self._settings):
            processed += 1
        await end_host_jobs(self._database, self._host)
        return processed

    async def _process_next(self) -> bool:
        """Processes one entry in one transaction, which commits the push, its host row and the entry's end together. False: no entry is due."""
        taken: list[int] = []
        try:
            return await self._host.on_fresh_tables(lambda: self._take(taken))
        except Exception as error:
            if not taken:
                raise
            entry_id = taken[-1]
            self._host.invalidate()
            log.warning("inbox.entry_failed", entry_id=entry_id, **failure(error))
            async with self._database.transaction() as connection:
                await POSTPONE.execute(connection, {"id": entry_id})
        return True

    async def _take(self, taken: list[int]) -> bool:
        """The transaction of `_process_next`; appends the entry's id to `taken`."""
        async with self._database.transaction() as connection:
            attachment = await read_attachment(connection)
            if attachment is None or attachment.level is not Level.INBOX:
                return False
            row = await NEXT.one_or_none(connection)
            if row is None:
                return False
            taken.append(row.id)
            push = host_push(row)
            end = EntryEnd(JobStatus.FAILED, NOT_ACCEPTED) if push.attempts >= MAX_ATTEMPTS else None
            end = end or await self._create_jobs(connection, push)
            values = {"end_status": end.status if end else None, "end_message": end.message if end else None}
            await DONE.execute(connection, {"id": push.entry_id, **values})
        return True

    async def _create_jobs(self, connection: AsyncConnection, push: HostPush) -> EntryEnd | None:
        """Returns None if push jobs were created; the host's row shows the first."""
        tables = await self._host.tables(connection)
        jobs = tables.sourcing_jobs.c
        status = await select_one_or_none(connection, select(jobs.status).where(jobs.id == push.host_job_id), str)
        if status != JobStatus.RUNNING:  # deleted or cancelled meanwhile
            return EntryEnd(JobStatus.CANCELLED, ALREADY_ENDED)
        before = await connection.begin_nested()
        try:
            result = await self._push(connection, tables, push)
        except ClayPushError as error:
            await before.rollback()
            result = EntryEnd(JobStatus.FAILED, error.detail)
        else:
            await before.commit()
        entry_log = log.bind(host_job_id=str(push.host_job_id), push_mode=push.push_mode)
        if isinstance(result, EntryEnd):
            entry_log.info("inbox.ended", status=result.status, reason=result.message)
            return result
        await SHOW.execute(connection, {"job_id": result[0], "host_job_id": push.host_job_id})
        if await READ_HOST_JOB.one(connection, {"job_id": result[0]}) != push.host_job_id:
            return EntryEnd(JobStatus.COMPLETED, SHOWN_ELSEWHERE)
        entry_log.info("inbox.pushed", job_ids=[str(job_id) for job_id in result])
        return None

    async def _push(self, connection: AsyncConnection, tables: HostTables, push: HostPush) -> Sequence[UUID] | EntryEnd:
        org_id = await _find_organization(connection, tables, push)
        if org_id is None:
            return EntryEnd(
                JobStatus.FAILED, "This job belongs to no organization: it names neither a project nor an organization."
            )
        actor = Actor(org_id, ACTOR, push.created_by)
        if push.push_mode == "auto":
            if push.project_id is None:
                return EntryEnd(JobStatus.FAILED, "This auto-export names no project, so no rule can run.")
            scan_id = await find_scan(connection, push.entry_id, push.project_id) or push.host_job_id
            run = await auto_export.run_rule(connection, tables, actor, push.project_id, scan_id, self._settings)
            if run.job_id is not None:
                return [run.job_id]
            is_success = run.outcome in {RunOutcome.NOTHING_NEW, RunOutcome.OFF}
            return EntryEnd(JobStatus.COMPLETED if is_success else JobStatus.FAILED, run.message)
        if push.refusal is not None:
            return EntryEnd(JobStatus.FAILED, push.refusal)
        # One lead that was deleted after the host queued its job must not block the others.
        gone = set(
            await unknown_leads(connection, tables, org_id, push.lead_ids, push.project_id, limit=len(push.lead_ids))
        )
        leads = [lead_id for lead_id in push.lead_ids if lead_id not in gone]
        if gone and leads:
            log.info("inbox.leads_gone", host_job_id=str(push.host_job_id), leads=len(gone))
        service = PushService(connection, tables, actor, self._settings)
        body = PushBody.model_construct(lead_ids=leads or list(push.lead_ids), project_id=push.project_id)
        return [job.job_id for job in await service.push(body)]


async def _find_organization(connection: AsyncConnection, tables: HostTables, push: HostPush) -> UUID | None:
    """Returns the project's organization; the metadata's organization counts only for a job without a project."""
    projects, organizations = tables.projects.c, tables.organizations.c
    if push.project_id is not None:
        found = select(projects.org_id).where(projects.id == push.project_id, projects.org_id.is_not(None))
    else:
        found = select(organizations.id).where(organizations.id == push.org_id)
    return await select_one_or_none(connection, found, UUID)
