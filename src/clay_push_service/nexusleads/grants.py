"""What the running role needs of the host's tables, column by column: no more than it reads, or writes. Grants nothing itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.auto_export.rule import COLUMNS as RULE_COLUMNS
from clay_push_service.host.tables import COLUMNS, HostTables
from clay_push_service.nexusleads.attachment import Level
from clay_push_service.nexusleads.shape import (
    JOB_CHANGES,
    JOB_COLUMNS,
    JOBS,
    LOG,
    LOG_CHANGES,
    LOG_COLUMNS,
    PROGRESS,
    PROGRESS_CHANGES,
    PROGRESS_COLUMNS,
    Shape,
    present,
    quoted,
)

HAS = text("""
SELECT wanted.place FROM unnest(CAST(:places AS integer[]), CAST(:tables AS text[]), CAST(:columns AS text[]),
                                CAST(:privileges AS text[])) AS wanted (place, "table", "column", privilege)
WHERE NOT has_column_privilege(CAST(:role AS name), wanted."table", wanted."column", wanted.privilege)
""")
# By column and to this very role: what a role has as the owner of a table, or on the whole of it, was not given by us.
GIVEN = text("""
SELECT c.relname::text AS "table", granted.privilege_type::text AS privilege
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
CROSS JOIN LATERAL aclexplode(a.attacl) AS granted
WHERE n.nspname = :schema AND granted.grantee = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = :role)
""")
MAY_ENTER = text("SELECT has_schema_privilege(CAST(:role AS name), CAST(:schema AS text), 'USAGE')")


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege on columns of one table of the host's, by its names."""

    privilege: str
    table: str
    columns: tuple[str, ...]

    def statement(self, schema: str, role: str) -> str:
        columns = ", ".join(map(quoted, self.columns))
        return f"GRANT {self.privilege} ({columns}) ON {quoted(schema)}.{quoted(self.table)} TO {quoted(role)}"

    def revoke(self, schema: str, role: str) -> str:
        return self.statement(schema, role).replace("GRANT", "REVOKE", 1).replace(" TO ", " FROM ")


def read_grants(tables: HostTables) -> Sequence[Grant]:
    """SELECT on every column that `host` names and this database has: of users, say, not the passwords."""
    return [
        Grant("SELECT", tables.host_name(word), columns)
        for word, keys in COLUMNS.items()
        if (columns := tuple(tables.host_name(key) for key in keys if tables.has(word, key)))
    ]


def write_grants(shape: Shape) -> Sequence[Grant]:
    """To show push jobs on the host's pages. No DELETE anywhere."""
    log = tuple(shape.log_columns(LOG_COLUMNS))
    wanted: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
        JOBS: ((), tuple(present(JOB_COLUMNS, shape.jobs)), tuple(present(JOB_CHANGES, shape.jobs))),
        PROGRESS: (("id",), tuple(present(PROGRESS_COLUMNS, shape.progress)), tuple(present(PROGRESS_CHANGES, shape.progress))),
        LOG: (log, log, tuple(shape.log_columns(LOG_CHANGES))),
    }  # fmt: skip
    return [
        Grant(privilege, table, columns)
        for table, privileges in wanted.items()
        for privilege, columns in zip(("SELECT", "INSERT", "UPDATE"), privileges, strict=True)
        if columns
    ]


def rule_grants(tables: HostTables) -> Sequence[Grant]:
    """To keep an auto-export rule that was set here where the host's Project page shows it."""
    if not all(tables.has("projects", column) for column in RULE_COLUMNS):
        return []
    return [Grant("UPDATE", tables.host_name("projects"), tuple(map(tables.host_name, RULE_COLUMNS)))]


def needed(tables: HostTables, shape: Shape, level: Level) -> Sequence[Grant]:
    written = [*write_grants(shape), *rule_grants(tables)] if level.mirrors else []
    return [*read_grants(tables), *written]


async def missing_grants(connection: AsyncConnection, schema: str, role: str, grants: Sequence[Grant]) -> list[Grant]:
    """Those that the role lacks, as far as a column of them is missing."""
    flat = [(place, grant, column) for place, grant in enumerate(grants) for column in grant.columns]
    rows = await connection.execute(
        HAS,
        {
            "role": role,
            "places": [place for place, _, _ in flat],
            "tables": [f"{quoted(schema)}.{quoted(grant.table)}" for _, grant, _ in flat],
            "columns": [column for _, _, column in flat],
            "privileges": [grant.privilege for _, grant, _ in flat],
        },
    )
    lacking = set(rows.scalars())
    return [grant for place, grant in enumerate(grants) if place in lacking]


async def may_enter(connection: AsyncConnection, schema: str, role: str) -> bool:
    return bool((await connection.execute(MAY_ENTER, {"role": role, "schema": schema})).scalar_one())


async def given(connection: AsyncConnection, schema: str, role: str, grants: Sequence[Grant]) -> list[Grant]:
    """Those that the role was given column by column, as `attach` does."""
    rows = await connection.execute(GIVEN, {"schema": schema, "role": role})
    found = {(row.table, row.privilege) for row in rows}
    return [grant for grant in grants if (grant.table, grant.privilege) in found]
