"""Computes the column grants that the running role needs on the host's tables, and finds missing ones. Grants nothing itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.automation.rule import COLUMNS as RULE_COLUMNS
from clay_push_service.database.statement import Statement
from clay_push_service.host.columns import COLUMNS, SETTINGS_TABLES
from clay_push_service.host.tables import HostTables
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.host_schema import (
    JOB_CHANGES,
    JOB_COLUMNS,
    JOBS,
    LOG,
    LOG_CHANGES,
    LOG_COLUMNS,
    PROGRESS,
    PROGRESS_CHANGES,
    PROGRESS_COLUMNS,
    HostSchema,
    present,
    quoted,
)
from clay_push_service.host_integration.write_back.columns import WRITTEN


class _MissingColumn(NamedTuple):
    place: int
    column: str


SELECT_MISSING = Statement(
    """
SELECT wanted.place, wanted."column" FROM unnest(CAST(:places AS integer[]), CAST(:tables AS text[]), CAST(:columns AS text[]),
                                CAST(:privileges AS text[])) AS wanted (place, "table", "column", privilege)
WHERE NOT has_column_privilege(coalesce(CAST(:role AS name), current_user), wanted."table", wanted."column", wanted.privilege)
""",
    _MissingColumn,
)


class _GrantedColumn(NamedTuple):
    table: str
    column: str
    privilege: str


# Column grants to this role only: rights of a table's owner, or on a whole table, do not come from `attach`.
SELECT_GRANTED = Statement(
    """
SELECT c.relname::text AS "table", a.attname::text AS "column", granted.privilege_type::text AS privilege
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
CROSS JOIN LATERAL aclexplode(a.attacl) AS granted
WHERE n.nspname = :schema AND granted.grantee = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = :role)
""",
    _GrantedColumn,
)
HAS_SCHEMA_RIGHT = Statement(
    """
SELECT has_schema_privilege(coalesce(CAST(:role AS name), current_user), CAST(:schema AS text), :privilege)
""",
    bool,
)


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege on columns of one host table, by the host's names."""

    privilege: str
    table: str
    columns: tuple[str, ...]

    def statement(self, schema: str, role: str) -> str:
        columns = ", ".join(map(quoted, self.columns))
        return f"GRANT {self.privilege} ({columns}) ON {quoted(schema)}.{quoted(self.table)} TO {quoted(role)}"

    def revoke(self, schema: str, role: str) -> str:
        return self.statement(schema, role).replace("GRANT", "REVOKE", 1).replace(" TO ", " FROM ")


def read_grants(tables: HostTables) -> Sequence[Grant]:
    """SELECT on every column that `host` reads and this database has; of users, for example, not the passwords.

    Excludes the settings tables, which hold other services' keys: a function reads those for the role.
    """
    return [
        Grant("SELECT", tables.host_name(word), columns)
        for word, keys in COLUMNS.items()
        if word not in SETTINGS_TABLES
        if (columns := tuple(tables.host_name(key) for key in keys if tables.has(word, key)))
    ]


def write_grants(host_schema: HostSchema) -> Sequence[Grant]:
    """The rights to show push jobs on the host's pages. Never DELETE."""
    log = tuple(host_schema.log_columns(LOG_COLUMNS))
    wanted: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
        JOBS: ((), tuple(present(JOB_COLUMNS, host_schema.jobs)), tuple(present(JOB_CHANGES, host_schema.jobs))),
        PROGRESS: (("id",), tuple(present(PROGRESS_COLUMNS, host_schema.progress)), tuple(present(PROGRESS_CHANGES, host_schema.progress))),
        LOG: (log, log, tuple(host_schema.log_columns(LOG_CHANGES))),
    }  # fmt: skip
    return [
        Grant(privilege, table, columns)
        for table, privileges in wanted.items()
        for privilege, columns in zip(("SELECT", "INSERT", "UPDATE"), privileges, strict=True)
        if columns
    ]


def rule_grants(tables: HostTables) -> Sequence[Grant]:
    """The right to store an auto-export rule where the host's Project page shows it."""
    if not all(tables.has("projects", column) for column in RULE_COLUMNS):
        return []
    return [Grant("UPDATE", tables.host_name("projects"), tuple(map(tables.host_name, RULE_COLUMNS)))]


def enrichment_grants(tables: HostTables) -> Sequence[Grant]:
    """The right to fill exactly the columns of `write_back`, and no others."""
    columns: dict[str, list[str]] = {}
    for each in WRITTEN.values():
        if tables.has(each.table, each.column):
            columns.setdefault(tables.host_name(each.table), []).append(tables.host_name(each.column))
    return [Grant("UPDATE", table, tuple(names)) for table, names in columns.items()]


def needed_grants(
    tables: HostTables, host_schema: HostSchema, level: Level, *, write_enrichment: bool = False
) -> Sequence[Grant]:
    written = [*write_grants(host_schema), *rule_grants(tables)] if level.mirrors else []
    return [*read_grants(tables), *written, *(enrichment_grants(tables) if write_enrichment else ())]


async def missing_grants(connection: AsyncConnection, schema: str, role: str, grants: Sequence[Grant]) -> list[Grant]:
    """Returns the grants that the role lacks, each with its missing columns."""
    return await _lacking(connection, schema, role, grants, "")


async def ungrantable(connection: AsyncConnection, schema: str, grants: Sequence[Grant]) -> list[Grant]:
    """Returns the grants that the connection's role cannot give: it neither owns the table nor has a grant option."""
    return await _lacking(connection, schema, None, grants, " WITH GRANT OPTION")


async def _lacking(
    connection: AsyncConnection, schema: str, role: str | None, grants: Sequence[Grant], option: str
) -> list[Grant]:
    flat = [(place, grant, column) for place, grant in enumerate(grants) for column in grant.columns]
    rows = await SELECT_MISSING.rows(
        connection,
        {
            "role": role,
            "places": [place for place, _, _ in flat],
            "tables": [f"{quoted(schema)}.{quoted(grant.table)}" for _, grant, _ in flat],
            "columns": [column for _, _, column in flat],
            "privileges": [grant.privilege + option for _, grant, _ in flat],
        },
    )
    lacking: dict[int, list[str]] = {}
    for row in rows:
        lacking.setdefault(row.place, []).append(row.column)
    return [replace(grant, columns=tuple(lacking[place])) for place, grant in enumerate(grants) if place in lacking]


async def may_use_schema(connection: AsyncConnection, schema: str, role: str) -> bool:
    values = {"role": role, "schema": schema, "privilege": "USAGE"}
    return await HAS_SCHEMA_RIGHT.one(connection, values)


async def may_grant_schema_usage(connection: AsyncConnection, schema: str) -> bool:
    """Whether the connection's role may grant USAGE on the schema."""
    values = {"role": None, "schema": schema, "privilege": "USAGE WITH GRANT OPTION"}
    return await HAS_SCHEMA_RIGHT.one(connection, values)


async def granted_columns(connection: AsyncConnection, schema: str, role: str, grants: Sequence[Grant]) -> list[Grant]:
    """Returns the grants that the role has by column, as `attach` gives them."""
    rows = await SELECT_GRANTED.rows(connection, {"schema": schema, "role": role})
    found = {(row.table, row.privilege, row.column) for row in rows}
    still = (
        replace(grant, columns=tuple(each for each in grant.columns if (grant.table, grant.privilege, each) in found))
        for grant in grants
    )
    return [grant for grant in still if grant.columns]
