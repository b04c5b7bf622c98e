"""Attaches us to NexusLeads, or detaches us, in one transaction: all of a plan or nothing. Alters no table of the host's."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.errors import UnavailableError
from clay_push_service.host.tables import HostTables
from clay_push_service.host_integration.attach.attachment import LOCK, read_attachment
from clay_push_service.host_integration.attach.grants import (
    Grant,
    given,
    missing_grants,
    read_grants,
    rule_grants,
    write_grants,
)
from clay_push_service.host_integration.attach.host_schema import JOBS, HostSchema, read_host_schema
from clay_push_service.host_integration.attach.plan import AttachRequest, Plan, Step, make_plan, removals
from clay_push_service.host_integration.attach.settings_function import table_grants
from clay_push_service.host_integration.inbox.finished_scans import forget_waiting
from clay_push_service.host_integration.mirror.write import WRITE_AS_MIRROR, end_row
from clay_push_service.states import JobStatus

DETACHED = "NexusLeads no longer follows this push: clay-push was detached. The Clay push service goes on with it."
NEVER_TAKEN = "clay-push was detached before it came to this push, so nothing was sent."

# The host's writers wait behind a lock on its table that waits itself: so not for long.
BOUNDS = text("SELECT set_config('lock_timeout', '3s', true), set_config('statement_timeout', '60s', true)")
MIGRATED = text("SELECT pg_catalog.to_regclass('clay.finished_scans') IS NOT NULL")
RECORD = text("""
INSERT INTO clay.attachment (level, host_schema, attached_by) VALUES (:level, :schema, current_user)
ON CONFLICT (only_one) DO UPDATE
SET level = excluded.level, host_schema = excluded.host_schema, attached_by = excluded.attached_by, attached_at = now()
""")
FORGET = text("DELETE FROM clay.attachment")
LEFT_ENTRIES = text("""
UPDATE clay.inbox SET done_at = coalesce(done_at, now()), end_status = coalesce(end_status, 'failed'),
    end_message = coalesce(end_message, :message), written_at = now()
WHERE done_at IS NULL OR (end_status IS NOT NULL AND written_at IS NULL)
RETURNING host_job_id, push_mode, end_status, end_message
""")
LIVE_ROWS = """
SELECT mirror.host_job_id, CAST(host.metadata AS text) AS metadata FROM clay.mirror
JOIN {jobs} AS host ON host.id = mirror.host_job_id
WHERE mirror.settled_at IS NULL AND host.status::text IN ('pending', 'running')
"""


class NotMigratedError(UnavailableError):
    code = "not_migrated"


class NotAttachableError(UnavailableError):
    code = "not_attachable"


async def attach(connection: AsyncConnection, tables: HostTables, request: AttachRequest, *, dry_run: bool) -> Plan:
    """Say what is to be done, and do it unless this is a dry run. Raises NotAttachableError with what stands in the way."""
    await _begin(connection, lock=not dry_run)
    host_schema = await read_host_schema(connection, tables)
    plan = await make_plan(connection, tables, host_schema, request)
    if dry_run:
        return plan
    if plan.problems:
        raise NotAttachableError("Nothing was changed: " + "; ".join(plan.problems) + ".")
    if plan.standing is not None and plan.standing.level.mirrors and not request.level.mirrors:
        await _end_unfinished(connection, host_schema)
    for step in plan.steps:
        await connection.exec_driver_sql(step.statement)
    if still := await missing_grants(connection, tables.schema, request.runtime_role, plan.grants):
        lacking = "; ".join(grant.statement(tables.schema, request.runtime_role) for grant in still)
        raise NotAttachableError(f"Nothing was changed: these grants had no effect: {lacking}.")
    if plan.standing is None or (plan.standing.level, plan.standing.host_schema) != (request.level, tables.schema):
        await forget_waiting(connection)
        await connection.execute(RECORD, {"level": request.level, "schema": tables.schema})
        await audit(connection, None, "shell", "host.attached", {"level": request.level.value})
    return plan


async def detach(
    connection: AsyncConnection, tables: HostTables, runtime_role: str, *, dry_run: bool
) -> tuple[Sequence[Step], int, Sequence[Grant]]:
    """Take away what `attach` put there. Finished rows stay; unfinished ones end with a sentence.

    Returns the steps, the number of rows to be ended, and the grants that are no longer needed.
    """
    await _begin(connection, lock=not dry_run)
    host_schema = await read_host_schema(connection, tables)
    steps = await removals(connection, tables.schema)
    all_grants = [*read_grants(tables), *write_grants(host_schema), *rule_grants(tables)]
    grants = [
        *await given(connection, tables.schema, runtime_role, _merged(all_grants)),
        *await table_grants(connection, tables, runtime_role),
    ]
    if dry_run:
        live = (await connection.execute(text(LIVE_ROWS.format(jobs=host_schema.table(JOBS))))).all()
        return steps, len(live), grants
    standing = await read_attachment(connection)
    ended = await _end_unfinished(connection, host_schema)
    for step in steps:
        await connection.exec_driver_sql(step.statement)
    if standing is not None:
        await forget_waiting(connection)
        await connection.execute(FORGET)
        await audit(connection, None, "shell", "host.detached", {"level": standing.level.value, "role": runtime_role})
    return steps, ended, grants


def _merged(grants: Sequence[Grant]) -> Sequence[Grant]:
    """One for each privilege on a table: what is read of `job_progress`, say, comes from two lists."""
    columns: dict[tuple[str, str], dict[str, None]] = {}
    for grant in grants:
        columns.setdefault((grant.privilege, grant.table), {}).update(dict.fromkeys(grant.columns))
    return [Grant(privilege, table, tuple(named)) for (privilege, table), named in columns.items()]


async def _begin(connection: AsyncConnection, *, lock: bool) -> None:
    if not (await connection.execute(MIGRATED)).scalar_one():
        raise NotMigratedError("Schema clay is not at this release's state: run `clay-push migrate` first.")
    await connection.execute(BOUNDS)
    if lock:
        await connection.execute(LOCK)


async def _end_unfinished(connection: AsyncConnection, host_schema: HostSchema) -> int:
    """Left `running` they would be turned to pending at the host's next start, and failed by its processor.

    Their push jobs go on, and are shown again where we are attached again.
    """
    await connection.execute(WRITE_AS_MIRROR)
    rows = (await connection.execute(text(LIVE_ROWS.format(jobs=host_schema.table(JOBS))))).all()
    for row in rows:
        await end_row(connection, host_schema, row.host_job_id, JobStatus.FAILED, DETACHED, row.metadata or "{}")
    entries = (await connection.execute(LEFT_ENTRIES, {"message": NEVER_TAKEN})).all()
    for row in entries:
        await end_row(connection, host_schema, row.host_job_id, JobStatus(row.end_status), row.end_message, "{}")
    return len(rows) + len(entries)
