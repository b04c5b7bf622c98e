"""Fills empty columns of NexusLeads with values that Clay found, and undoes it. Only after `attach --write-enrichment`.

The UPDATE compares: a column is written only while it is empty, and emptied by an undo only while it still holds what was written.
A lead whose row other organizations use as well is left out: they share NexusLeads' row, and Clay forbids passing its data on.
"""

import asyncio
from uuid import UUID

from sqlalchemy import Uuid, and_, func, literal, not_, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.audit import audit
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.values.fields import Field
from clay_push_service.enrichment.write_back.writes import (
    WritableValue,
    lock_writes,
    organizations_enabled,
    read_writable,
    record_undo,
    record_write,
)
from clay_push_service.errors import ConflictError
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import HostTables
from clay_push_service.host_integration.attach.attachment import may_write_enrichment, try_lock_enrichment_columns
from clay_push_service.host_integration.write_back.columns import WRITTEN

PASS_SECONDS = 5.0
BATCH = 200
ACTOR = "worker"
NOT_PERMITTED = (
    "The NexusLeads operator has not permitted writing into NexusLeads. Ask for `clay-push attach --write-enrichment`."
)

log = logs.get(__name__)


class WriteBack:
    """One for each worker. Every value is considered once in a process: a column that is empty later is filled by the next value."""

    def __init__(self, database: Database, host: HostTableCache) -> None:
        self._database = database
        self._host = host
        self._considered: dict[UUID, int] = {}
        """By organization, the newest `seq` of a value that was considered."""

    async def run(self) -> None:
        while True:
            try:
                await self.run_pass()
            except Exception as error:  # noqa: BLE001 - the next pass repeats it
                log.warning("write_back.failed", **failure(error))
            await asyncio.sleep(PASS_SECONDS)

    async def run_pass(self) -> int:
        """Returns the number of columns that were written."""
        async with self._database.transaction() as connection:
            org_ids = await organizations_enabled(connection)
        return sum([await self._write_organization(org_id) for org_id in org_ids])

    async def _write_organization(self, org_id: UUID) -> int:
        written = 0
        while True:
            async with self._database.transaction() as connection:
                if not await try_lock_enrichment_columns(connection, self._host.schema):
                    return written
                tables = await self._host.tables(connection)
                after = self._considered.get(org_id, 0)
                values = await read_writable(connection, org_id, [each.value for each in WRITTEN], after, BATCH)
                done = sum([await write_value(connection, tables, org_id, each) for each in values])
            if values:
                self._considered[org_id] = values[-1].seq
            metrics.WRITTEN_BACK.labels(change="written").inc(done)
            written += done
            if len(values) < BATCH:
                return written


async def write_value(connection: AsyncConnection, tables: HostTables, org_id: UUID, value: WritableValue) -> bool:
    """Write one value if its column is empty and the row is this organization's alone. Audits it. Returns whether it was written."""
    place = WRITTEN[Field(value.field)]
    if not tables.has(place.table, place.column) or "\0" in value.text or not value.text.strip():
        return False
    table = {"leads": tables.leads, "social_context": tables.social_context}[place.table]
    scores, projects = tables.lead_scores, tables.projects
    owners = (
        select(projects.c.org_id)
        .join_from(scores, projects, projects.c.id == scores.c.project_id)
        .where(scores.c.lead_id == value.lead_id)
    )
    ours = and_(
        literal(org_id, Uuid()).in_(owners),
        not_(owners.where(projects.c.org_id.is_distinct_from(org_id)).exists()),
    )
    column = table.c[place.column]
    empty = or_(column.is_(None), func.btrim(column) == "")
    conditions = [table.c[place.key] == value.lead_id, empty, ours]
    if place.unless is not None and tables.has("social_context", place.unless):
        social = tables.social_context
        own = select(social.c.lead_id).where(
            social.c.lead_id == value.lead_id, func.btrim(social.c[place.unless]) != ""
        )
        conditions.append(not_(own.exists()))
    statement = update(table).where(*conditions).values({column: value.text})
    async with connection.begin_nested() as attempt:
        if not await Statement(statement).execute(connection):
            return False
        if not await record_write(connection, org_id, value, value.text):
            await attempt.rollback()
            return False
        await audit(connection, org_id, ACTOR, "host.written", {"field": value.field, "value_id": str(value.value_id)})
    return True


async def undo_writes(
    connection: AsyncConnection, tables: HostTables, schema: str, org_id: UUID, actor: str, lead_id: UUID | None
) -> tuple[int, int]:
    """As `undo`. Raises 409 `write_back_not_permitted`."""
    if not await may_write_enrichment(connection, schema):
        raise ConflictError(NOT_PERMITTED, code="write_back_not_permitted")
    return await undo(connection, tables, org_id, actor, lead_id)


async def undo(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, actor: str, lead_id: UUID | None
) -> tuple[int, int]:
    """Empty the columns that still hold what was written. Returns how many were emptied, and how many had changed and stay."""
    emptied = kept = 0
    for each in await lock_writes(connection, org_id, lead_id):
        place = WRITTEN[Field(each.field)]
        table = {"leads": tables.leads, "social_context": tables.social_context}[place.table]
        column = table.c[place.column]
        same = func.sha256(func.convert_to(column, "UTF8")) == each.value_hash
        empty = update(table).where(table.c[place.key] == each.lead_id, same).values({column: null()})
        changed = await Statement(empty).execute(connection)
        emptied += changed
        kept += not changed
        await record_undo(connection, org_id, each.id, actor)
    await audit(connection, org_id, actor, "host.write_undone", {"emptied": emptied, "kept": kept})
    return emptied, kept
