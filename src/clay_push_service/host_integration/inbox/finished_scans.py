"""Runs a project's auto-export rule once after each scan that the host completes.

A trigger records the scans (see `triggers`) at the moment when a scan becomes `completed`. A sweep over the host's jobs would have
to compare the host's clock with the attachment's time to skip older scans, and would read that table repeatedly. The host's own
processor may queue the same export: see `find_scan`.
"""

from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.automation import run as auto_export
from clay_push_service.callers.actor import Actor
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.statement import Statement, select_one_or_none
from clay_push_service.enrichment.rules.runs import queue_scan_run
from clay_push_service.errors import ClayPushError
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host_integration.attach.attachment import Level, read_attachment
from clay_push_service.settings import Settings

ACTOR: Final = "host"
MAX_ATTEMPTS: Final = 10
SAME_SCAN_MINUTES: Final = 5
"""The host's processor queues its own export directly after the scan, so 5 minutes are enough."""


class _Scan(NamedTuple):
    source_job_id: UUID
    project_id: UUID
    created_by: UUID | None
    attempts: int


NEXT = Statement(
    """
SELECT source_job_id, project_id, created_by, attempts FROM clay.finished_scans
WHERE done_at IS NULL AND due_at <= now() ORDER BY due_at, source_job_id LIMIT 1 FOR UPDATE SKIP LOCKED
""",
    _Scan,
)
DONE = Statement("UPDATE clay.finished_scans SET done_at = now() WHERE source_job_id = :source_job_id")
# Exponential, up to a minute: the usual reason is a migration of the host's tables, or the database.
POSTPONE = Statement("""
UPDATE clay.finished_scans SET attempts = attempts + 1, due_at = now() + least(60, power(2, attempts)) * interval '1 second'
WHERE source_job_id = :source_job_id AND done_at IS NULL
""")
DISCARD_WAITING = Statement("UPDATE clay.finished_scans SET done_at = now() WHERE done_at IS NULL")
OF_ENTRY = Statement(
    f"""
SELECT scan.source_job_id FROM clay.inbox AS entry
JOIN clay.finished_scans AS scan ON scan.project_id = :project_id
     AND scan.finished_at > entry.taken_at - interval '{SAME_SCAN_MINUTES} minutes'
WHERE entry.id = :entry_id ORDER BY scan.finished_at DESC LIMIT 1
""",
    UUID,
)

log = logs.get(__name__)


async def run_next_scan(database: Database, host: HostTableCache, settings: Settings) -> bool:
    """Processes one scan in one transaction, which commits the rule's run and the scan's end together. False: no scan is due."""
    scan_id: UUID | None = None
    try:
        async with database.transaction() as connection:
            attachment = await read_attachment(connection)
            if attachment is None or attachment.level is not Level.INBOX:
                return False
            row = await NEXT.one_or_none(connection)
            if row is None:
                return False
            scan_id = row.source_job_id
            if row.attempts >= MAX_ATTEMPTS:
                log.error("scan.given_up", source_job_id=str(scan_id), remedy="POST …/auto-export/run for its project")
            else:
                await _run(connection, host, settings, row.project_id, row.source_job_id, row.created_by)
            await DONE.execute(connection, {"source_job_id": scan_id})
    except Exception as error:
        if scan_id is None:
            raise
        host.invalidate()
        log.warning("scan.failed", source_job_id=str(scan_id), **failure(error))
        async with database.transaction() as connection:
            await POSTPONE.execute(connection, {"source_job_id": scan_id})
    return True


async def _run(
    connection: AsyncConnection,
    host: HostTableCache,
    settings: Settings,
    project_id: UUID,
    source_job_id: UUID,
    created_by: UUID | None,
) -> None:
    tables = await host.tables(connection)
    projects = tables.projects.c
    owner = select(projects.org_id).where(projects.id == project_id, projects.org_id.is_not(None))
    org_id = await select_one_or_none(connection, owner, UUID)
    if org_id is None:  # the project is deleted or has no organization
        log.info("scan.without_organization", source_job_id=str(source_job_id), project_id=str(project_id))
        return
    await queue_scan_run(connection, org_id, project_id, source_job_id)
    before = await connection.begin_nested()
    try:
        await auto_export.run_rule(
            connection, tables, Actor(org_id, ACTOR, created_by), project_id, source_job_id, settings
        )
    except ClayPushError as error:
        await before.rollback()
        log.info("scan.refused", source_job_id=str(source_job_id), code=error.code)
    else:
        await before.commit()


async def discard_waiting_scans(connection: AsyncConnection) -> None:
    """Discards scans that finished under an earlier attachment."""
    await DISCARD_WAITING.execute(connection)


async def find_scan(connection: AsyncConnection, entry_id: int, project_id: UUID) -> UUID | None:
    """Returns the scan after which the host queued this export, or None. The export's row names only the project.

    Both then use the scan's id, so the rule runs once. A wrong match loses nothing: each recorded scan runs the rule
    itself, and the match only decides which push job the host's row shows.
    """
    values = {"entry_id": entry_id, "project_id": project_id}
    return await OF_ENTRY.one_or_none(connection, values)
