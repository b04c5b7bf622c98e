"""Finds leads that have changed since Clay accepted them, compared within the project they were last pushed from."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.eligibility import as_sql, is_in_clay
from clay_push_service.deliveries.table import LOG
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.mapping.compile import CompiledMapping
from clay_push_service.leads.payload import MAPPED_HASH_VERSION, content_hash, is_comparable
from clay_push_service.leads.payload_fields import PayloadError
from clay_push_service.mappings.versions import VersionKey, read_versions

BATCH = 500


class _AcceptedLead(NamedTuple):
    contributor_id: UUID
    seq: int
    project_id: UUID
    payload_hash: bytes | None
    pushed_at: datetime | None
    mapping_version_id: UUID | None
    """The mapping that was sent, under which the lead is compared; null: the standard payload."""


ACCEPTED = Statement(
    f"""
SELECT newest.contributor_id, newest.seq, newest.project_id, newest.payload_hash, newest.pushed_at, job.mapping_version_id
FROM (SELECT DISTINCT ON (contributor_id) contributor_id, seq, project_id, payload_hash, pushed_at, job_id, org_id
      FROM clay.clay_push_log
      WHERE org_id = :org_id AND contributor_id = ANY(CAST(:lead_ids AS uuid[])) AND {as_sql(is_in_clay(LOG))}
        AND destination_id = :destination_id AND table_epoch = :table_epoch
      ORDER BY contributor_id, seq DESC) AS newest
JOIN clay.push_jobs AS job ON job.org_id = newest.org_id AND job.id = newest.job_id
""",
    _AcceptedLead,
)


class _Written(NamedTuple):
    lead_id: UUID
    field: str
    value_hash: bytes
    written_at: datetime


# The text is compared by its hash: another value in the column is the host's own.
WRITTEN = Statement(
    """
SELECT lead_id, field, value_hash, written_at FROM clay.host_writes
WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[]))
""",
    _Written,
)
WRITTEN_COLUMNS = {
    "email": "email", "company_name": "company", "location": "location", "linkedin_url": "linkedin_url",
    "industry": "industry", "job_title": "current_position",
}  # fmt: skip
"""The column of a lead's row that write-back fills, by field."""


async def changed_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, clay_table: ClayTable, lead_ids: Sequence[UUID]
) -> set[UUID]:
    """Those of `lead_ids` whose payload would differ now: see `find_changed`."""
    return set(await find_changed(connection, tables, org_id, clay_table, lead_ids))


async def find_changed(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, clay_table: ClayTable, lead_ids: Sequence[UUID]
) -> dict[UUID, int]:
    """Those of `lead_ids` whose payload would differ now, each with the `seq` of the delivery that it was compared with; unknown, and so left out, for leads that have left the project.

    Scores belong to a project: compared across projects every lead would look changed, and Clay would bill it twice.
    A hash of another version cannot be compared, so its lead is left out, too.
    """
    values = {
        "org_id": org_id,
        "destination_id": clay_table.destination_id,
        "table_epoch": clay_table.epoch,
        "lead_ids": list(lead_ids),
    }
    by_project: defaultdict[UUID, dict[UUID, _AcceptedLead]] = defaultdict(dict)
    sent = await ACCEPTED.rows(connection, values)
    mappings = await read_versions(
        connection, (VersionKey(org_id, row.mapping_version_id) for row in sent if row.mapping_version_id is not None)
    )
    hashes: dict[UUID, Callable[[LeadRow], bytes]] = {}
    for row in sent:
        hasher = find_hasher(row.payload_hash, row.mapping_version_id, org_id, mappings)
        if hasher is not None:
            by_project[row.project_id][row.contributor_id] = row
            hashes[row.contributor_id] = hasher
    written: defaultdict[UUID, list[_Written]] = defaultdict(list)
    for write in await WRITTEN.rows(connection, {"org_id": org_id, "lead_ids": list(lead_ids)}):
        written[write.lead_id].append(write)
    found: dict[UUID, int] = {}
    for project_id, accepted in by_project.items():
        pushed = list(accepted)
        for start in range(0, len(pushed), BATCH):
            batch = pushed[start : start + BATCH]
            for lead_id, lead in (await read_lead_rows(connection, tables, org_id, project_id, batch)).items():
                try:
                    if _is_changed(lead, accepted[lead_id], written[lead_id], hashes[lead_id]):
                        found[lead_id] = accepted[lead_id].seq
                except PayloadError:
                    continue  # a lead without a valid payload cannot be pushed again
    return found


def find_hasher(
    stored: bytes | None,
    mapping_version_id: UUID | None,
    org_id: UUID,
    mappings: Mapping[VersionKey, CompiledMapping | None],
) -> Callable[[LeadRow], bytes] | None:
    """How to hash a lead for a comparison with the stored hash; None: it cannot be compared."""
    if stored is None:
        return None
    if mapping_version_id is None:
        return content_hash if is_comparable(stored) else None
    mapping = mappings.get(VersionKey(org_id, mapping_version_id))
    if mapping is None or not is_comparable(stored, MAPPED_HASH_VERSION):
        return None  # also of a worker of an earlier release, which has sent the standard payload
    return mapping.content_hash


def _is_changed(
    lead: LeadRow, accepted: _AcceptedLead, written: Sequence[_Written], hasher: Callable[[LeadRow], bytes]
) -> bool:
    """A value that came from Clay is no change: the row is compared as it was before this service wrote into it after the push."""
    if hasher(lead) == accepted.payload_hash:
        return False
    before = copy(lead)
    for write in written:
        column = WRITTEN_COLUMNS[write.field]
        value = getattr(lead, column)
        ours = isinstance(value, str) and hashlib.sha256(value.encode()).digest() == write.value_hash
        if ours and (accepted.pushed_at is None or write.written_at > accepted.pushed_at):
            setattr(before, column, None)
    return hasher(before) != accepted.payload_hash
