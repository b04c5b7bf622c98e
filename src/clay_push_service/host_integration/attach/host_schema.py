"""Reads which columns the host tables written by the mirror have in this database; they differ between versions of the host."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.host.tables import HostTables

JOBS, PROGRESS, LOG = "sourcing_jobs", "job_progress", "clay_push_log"

JOB_COLUMNS = (
    "id", "project_id", "job_type", "status", "total_steps", "current_step", "progress_percentage", "started_at",
    "completed_at", "error_message", "metadata", "created_by", "created_at", "updated_at",
)  # fmt: skip
JOB_CHANGES = (
    "status", "total_steps", "current_step", "progress_percentage", "started_at", "completed_at", "error_message",
    "metadata", "updated_at",
)  # fmt: skip
PROGRESS_COLUMNS = (
    "id", "job_id", "step_number", "step_name", "status", "message", "started_at", "completed_at", "created_at",
)  # fmt: skip
PROGRESS_CHANGES = ("step_name", "status", "message", "started_at", "completed_at")
LOG_COLUMNS = (
    "id", "org_id", "{lead}", "project_id", "job_id", "status", "error_message", "pushed_at", "clay_response_status",
)  # fmt: skip
LOG_CHANGES = ("job_id", "project_id", "status", "error_message", "pushed_at", "clay_response_status")
LEAD_COLUMNS = ("member_id", "contributor_id")


class _HostColumn(NamedTuple):
    table_name: str
    column_name: str


COLUMNS = Statement(
    """
SELECT c.relname::text AS table_name, a.attname::text AS column_name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE n.nspname = :schema AND c.relkind IN ('r', 'p') AND c.relname IN ('sourcing_jobs', 'job_progress', 'clay_push_log')
""",
    _HostColumn,
)
# Unique keys of the host's log over plain columns: a second success of the same lead would violate them.
KEYS = Statement(
    """
SELECT array_agg(a.attname::text ORDER BY a.attname) AS columns
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
WHERE n.nspname = :schema AND c.relname = 'clay_push_log' AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
GROUP BY i.indexrelid
""",
    list,
)


@dataclass(frozen=True, slots=True)
class HostSchema:
    """`log_key`: the unique key by which the host's log holds a lead once; empty if it may hold a lead several times."""

    schema: str
    leads: str
    lead_id: str
    """The name of the lead's id column in the log."""
    jobs: frozenset[str]
    progress: frozenset[str]
    log: frozenset[str]
    log_key: tuple[str, ...]

    def table(self, name: str) -> str:
        return f"{quoted(self.schema)}.{quoted(name)}"

    def log_columns(self, columns: Sequence[str]) -> list[str]:
        """The given columns that the log has, with its name for the lead's id."""
        return present((self.lead_id if column == "{lead}" else column for column in columns), self.log)


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def present(columns: Iterable[str], has: frozenset[str]) -> list[str]:
    return [column for column in columns if column in has]


async def read_host_schema(connection: AsyncConnection, tables: HostTables) -> HostSchema:
    found: dict[str, set[str]] = {JOBS: set(), PROGRESS: set(), LOG: set()}
    for row in await COLUMNS.rows(connection, {"schema": tables.schema}):
        found[row.table_name].add(row.column_name)
    log = frozenset(found[LOG])
    lead_id = next((name for name in LEAD_COLUMNS if name in log), tables.host_name("lead_id"))
    keys = [tuple(columns) for columns in await KEYS.rows(connection, {"schema": tables.schema})]
    usable = [key for key in keys if lead_id in key and set(key) <= {"org_id", lead_id, "project_id"}]
    return HostSchema(
        tables.schema,
        tables.host_name("leads"),
        lead_id,
        frozenset(found[JOBS]),
        frozenset(found[PROGRESS]),
        log,
        min(usable, key=len, default=()),
    )
