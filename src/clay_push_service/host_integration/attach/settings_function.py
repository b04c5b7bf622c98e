"""The SQL function through which the running role reads the host's Clay settings, without other services' keys.

It runs with the rights of the role that runs `attach` (SECURITY DEFINER), which may read the tables; the running role may
call the function and has no right on the tables.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.host.columns import COLUMNS, SETTINGS_TABLES
from clay_push_service.host.org_settings import API_KEY, RATE_LIMIT_MS, TABLE_NAME, WEBHOOK_URL
from clay_push_service.host.tables import SETTINGS_FUNCTION, HostTables
from clay_push_service.host_integration.attach.grants import Grant, granted_columns
from clay_push_service.host_integration.attach.host_schema import quoted

SIGNATURE = f"clay.{SETTINGS_FUNCTION}(uuid)"
CONFIG = "search_path=pg_catalog, pg_temp"


@dataclass(frozen=True, slots=True)
class FoundFunction:
    body: str
    is_definer: bool
    config: str
    is_public: bool
    may_call: bool
    """Whether the running role may call it."""


FUNCTION = Statement(
    """
SELECT p.prosrc AS body, p.prosecdef AS is_definer, coalesce(array_to_string(p.proconfig, ';'), '') AS config,
       has_function_privilege('public', p.oid, 'EXECUTE') AS is_public,
       has_function_privilege(coalesce(CAST(:role AS name), current_user), p.oid, 'EXECUTE') AS may_call
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'clay' AND p.proname = :name
""",
    FoundFunction,
)


class _UnreadableColumns(NamedTuple):
    role: str
    columns: list[str] | None


UNREADABLE = Statement(
    """
SELECT current_user::text AS role, array_agg(wanted.name) AS columns
FROM unnest(CAST(:columns AS text[])) AS wanted (name)
WHERE NOT has_column_privilege(CAST(:table AS text), wanted.name, 'SELECT')
""",
    _UnreadableColumns,
)


def function_body(tables: HostTables) -> str:
    """Names are qualified and the body is text, so the host can rename or alter its tables.

    Returns a global value only for the rate: a global webhook URL would send all organizations' leads to one table.
    """
    schema = quoted(tables.schema)
    keys = ", ".join(f"'{key}'" for key in (WEBHOOK_URL, TABLE_NAME, RATE_LIMIT_MS, API_KEY))
    own = f"""
BEGIN
    RETURN QUERY SELECT own.key::text, own.value::text, false FROM {schema}.org_settings AS own
        WHERE own.org_id = of_organization AND own.key IN ({keys});"""
    if not tables.has("app_settings"):
        return f"{own}\nEND\n"
    overall = f"""
    IF pg_catalog.to_regclass('{schema.replace("'", "''")}.app_settings') IS NOT NULL THEN
        RETURN QUERY SELECT overall.key::text, overall.value::text, true FROM {schema}.app_settings AS overall
            WHERE overall.key = '{RATE_LIMIT_MS}';
    END IF;
END
"""
    return own + overall


def create_statement(tables: HostTables) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION clay.{SETTINGS_FUNCTION}(of_organization uuid)\n"
        "RETURNS TABLE (key text, value text, is_global boolean) LANGUAGE plpgsql STABLE SECURITY DEFINER\n"
        f"SET search_path = pg_catalog, pg_temp AS $clay${function_body(tables)}$clay$"
    )


def missing_steps(tables: HostTables, role: str, found: FoundFunction | None) -> list[tuple[str, str]]:
    """The missing steps: description and statement of each."""
    wanted = []
    is_current = found is not None and (found.body, found.is_definer, found.config) == (
        function_body(tables),
        True,
        CONFIG,
    )
    if not is_current:
        wanted.append((f"create function {SIGNATURE}, which reads the settings for Clay", create_statement(tables)))
    if found is None or found.is_public:
        wanted.append(
            (f"close function {SIGNATURE} to all other roles", f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC")
        )
    if found is None or found.is_public or not found.may_call:
        wanted.append(
            (f"allow {role} to call function {SIGNATURE}", f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {quoted(role)}")
        )
    return wanted


DROP = f"DROP FUNCTION IF EXISTS {SIGNATURE}"


async def find_function(connection: AsyncConnection, role: str | None) -> FoundFunction | None:
    """`role`: the role that calls it; None: the connection's role."""
    return await FUNCTION.one_or_none(connection, {"name": SETTINGS_FUNCTION, "role": role})


async def unreadable_tables(connection: AsyncConnection, tables: HostTables) -> list[str]:
    """A sentence for each table that the function's owner (the role that runs `attach`) cannot read."""
    lacking = []
    for word in sorted(SETTINGS_TABLES):
        if not tables.has(word):
            continue
        name = f"{quoted(tables.schema)}.{quoted(word)}"
        row = await UNREADABLE.one(connection, {"table": name, "columns": list(COLUMNS[word])})
        if row.columns:
            columns = ", ".join(row.columns)
            lacking.append(
                f"role {row.role} may not read {name}: GRANT SELECT ({columns}) ON {name} TO {quoted(row.role)}"
            )
    return lacking


async def table_grants(connection: AsyncConnection, tables: HostTables, role: str) -> list[Grant]:
    """Column grants on all settings that an earlier release required, to this role only."""
    former = [
        Grant("SELECT", word, tuple(column for column in (*COLUMNS[word], "is_secret")))
        for word in sorted(SETTINGS_TABLES)
    ]
    return await granted_columns(connection, tables.schema, role, former)
