"""Attaches the service to NexusLeads or detaches it, in one transaction. Alters no host table."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement
from clay_push_service.errors import UnavailableError
from clay_push_service.host.tables import HostTables
from clay_push_service.host_integration.attach.attachment import LOCK, read_attachment
from clay_push_service.host_integration.attach.found_triggers import Step
from clay_push_service.host_integration.attach.grants import (
    Grant,
    enrichment_grants,
    granted_columns,
    missing_grants,
    read_grants,
    rule_grants,
    write_grants,
)
from clay_push_service.host_integration.attach.host_schema import JOBS, HostSchema, read_host_schema
from clay_push_service.host_integration.attach.plan import AttachRequest, Plan, make_plan, plan_removals
from clay_push_service.host_integration.attach.settings_function import table_grants
from clay_push_service.host_integration.inbox.finished_scans import discard_waiting_scans
from clay_push_service.host_integration.mirror.write import WRITE_AS_MIRROR, end_row
from clay_push_service.states import JobStatus

DETACHED = (
    "NexusLeads no longer shows this push, because clay-push was detached. The Clay push service continues to send it."
)
NOT_ACCEPTED = "Nothing was sent, because clay-push was detached before it accepted this push. Push the leads again."

# While a lock on a host table waits, the host's writers queue behind it, so the wait is short.
TIMEOUTS = Statement("SELECT set_config('lock_timeout', '3s', true), set_config('statement_timeout', '60s', true)")
MIGRATED = Statement("SELECT pg_catalog.to_regclass('clay.finished_scans') IS NOT NULL", bool)
RECORD = Statement("""
INSERT INTO clay.attachment (level, host_schema, attached_by, writes_enrichment)
VALUES (:level, :schema, current_user, :writes_enrichment)
ON CONFLICT (only_one) DO UPDATE
SET level = excluded.level, host_schema = excluded.host_schema, attached_by = excluded.attached_by, attached_at = now(),
    writes_enrichment = excluded.writes_enrichment
""")
DELETE_ATTACHMENT = Statement("DELETE FROM clay.attachment")


class _OpenEntry(NamedTuple):
    host_job_id: UUID
    push_mode: str | None
    end_status: str
    end_message: str


END_OPEN_ENTRIES = Statement(
    """
UPDATE clay.inbox SET done_at = coalesce(done_at, now()), end_status = coalesce(end_status, 'failed'),
    end_message = coalesce(end_message, :message), written_at = now()
WHERE done_at IS NULL OR (end_status IS NOT NULL AND written_at IS NULL)
RETURNING host_job_id, push_mode, end_status, end_message
""",
    _OpenEntry,
)


class _LiveRow(NamedTuple):
    host_job_id: UUID
    metadata: str | None


def _live_rows(host_schema: HostSchema) -> Statement[_LiveRow]:
    return Statement(
        f"""
SELECT mirror.host_job_id, CAST(host.metadata AS text) AS metadata FROM clay.mirror
JOIN {host_schema.table(JOBS)} AS host ON host.id = mirror.host_job_id
WHERE mirror.settled_at IS NULL AND host.status::text IN ('pending', 'running')
""",
        _LiveRow,
    )


class NotMigratedError(UnavailableError):
    code = "not_migrated"


class NotAttachableError(UnavailableError):
    code = "not_attachable"


async def attach(connection: AsyncConnection, tables: HostTables, request: AttachRequest, *, dry_run: bool) -> Plan:
    """Plans the changes, and applies them unless `dry_run`. Raises NotAttachableError with the problems that prevent it."""
    await _begin(connection, lock=not dry_run)
    host_schema = await read_host_schema(connection, tables)
    plan = await make_plan(connection, tables, host_schema, request)
    if dry_run:
        return plan
    if plan.problems:
        raise NotAttachableError("Nothing was changed: " + "; ".join(plan.problems) + ".")
    if plan.attachment is not None and plan.attachment.level.mirrors and not request.level.mirrors:
        await _end_unfinished(connection, host_schema)
    for step in plan.steps:
        await connection.exec_driver_sql(step.statement)
    if still := await missing_grants(connection, tables.schema, request.runtime_role, plan.grants):
        lacking = "; ".join(grant.statement(tables.schema, request.runtime_role) for grant in still)
        raise NotAttachableError(f"Nothing was changed: these grants had no effect: {lacking}.")
    if plan.attachment is None or (plan.attachment.level, plan.attachment.host_schema) != (
        request.level,
        tables.schema,
    ):
        await discard_waiting_scans(connection)
        await _record(connection, tables, request)
    elif plan.attachment.writes_enrichment is not request.write_enrichment:
        await _record(connection, tables, request)
    return plan


async def _record(connection: AsyncConnection, tables: HostTables, request: AttachRequest) -> None:
    writes = request.write_enrichment
    values = {"level": request.level, "schema": tables.schema, "writes_enrichment": writes}
    await RECORD.execute(connection, values)
    details: dict[str, Detail] = {"level": request.level.value, "writes_enrichment": writes}
    await audit(connection, None, "shell", "host.attached", details)


async def detach(
    connection: AsyncConnection, tables: HostTables, runtime_role: str, *, dry_run: bool
) -> tuple[Sequence[Step], int, Sequence[Grant]]:
    """Removes what `attach` created. Finished host rows stay; unfinished ones end with a message.

    Returns the steps, the number of rows to end, and the grants that are no longer needed.
    """
    await _begin(connection, lock=not dry_run)
    host_schema = await read_host_schema(connection, tables)
    steps = await plan_removals(connection, tables.schema)
    all_grants = [
        *read_grants(tables), *write_grants(host_schema), *rule_grants(tables), *enrichment_grants(tables),
    ]  # fmt: skip
    grants = [
        *await granted_columns(connection, tables.schema, runtime_role, _merge(all_grants)),
        *await table_grants(connection, tables, runtime_role),
    ]
    if dry_run:
        live = await _live_rows(host_schema).rows(connection)
        return steps, len(live), grants
    attachment = await read_attachment(connection)
    ended = await _end_unfinished(connection, host_schema)
    for step in steps:
        await connection.exec_driver_sql(step.statement)
    if attachment is not None:
        await discard_waiting_scans(connection)
        await DELETE_ATTACHMENT.execute(connection)
        await audit(connection, None, "shell", "host.detached", {"level": attachment.level.value, "role": runtime_role})
    return steps, ended, grants


def _merge(grants: Sequence[Grant]) -> Sequence[Grant]:
    """One grant per privilege and table: columns of `job_progress`, for example, come from two lists."""
    columns: dict[tuple[str, str], dict[str, None]] = {}
    for grant in grants:
        columns.setdefault((grant.privilege, grant.table), {}).update(dict.fromkeys(grant.columns))
    return [Grant(privilege, table, tuple(names)) for (privilege, table), names in columns.items()]


async def _begin(connection: AsyncConnection, *, lock: bool) -> None:
    if not await MIGRATED.one(connection):
        raise NotMigratedError("Schema clay is not migrated to this release. Run `clay-push migrate` first.")
    await TIMEOUTS.execute(connection)
    if lock:
        await LOCK.execute(connection)


async def _end_unfinished(connection: AsyncConnection, host_schema: HostSchema) -> int:
    """Ends unfinished rows: the host resets `running` rows to pending at its next start, and its processor fails them.

    Their push jobs continue, and are shown again after the next `attach`.
    """
    await WRITE_AS_MIRROR.execute(connection)
    rows = await _live_rows(host_schema).rows(connection)
    for row in rows:
        await end_row(connection, host_schema, row.host_job_id, JobStatus.FAILED, DETACHED, row.metadata or "{}")
    entries = await END_OPEN_ENTRIES.rows(connection, {"message": NOT_ACCEPTED})
    for entry in entries:
        await end_row(connection, host_schema, entry.host_job_id, JobStatus(entry.end_status), entry.end_message, "{}")
    return len(rows) + len(entries)
