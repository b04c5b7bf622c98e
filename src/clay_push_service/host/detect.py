"""Detects NexusLeads' tables and their vintage from PostgreSQL's catalogue. Changes nothing."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.errors import UnavailableError
from clay_push_service.host.columns import COLUMNS, OPTIONAL_COLUMNS, OPTIONAL_TABLES, Vintage, name_in
from clay_push_service.host.tables import SETTINGS_FUNCTION, HostTables, SettingsAccess, host_tables


class HostMissingError(UnavailableError):
    code = "host_missing"


class _HostColumn(NamedTuple):
    table_name: str
    column_name: str
    readable: bool


# relkind: ordinary and partitioned tables only. A compatibility view `contributors` over `members` does not decide the vintage.
_CATALOGUE = Statement(
    text("""
    SELECT c.relname::text AS table_name, a.attname::text AS column_name,
           pg_catalog.has_schema_privilege(n.oid, 'USAGE')
             AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE n.nspname = :schema AND c.relkind IN ('r', 'p') AND c.relname = ANY(:names)
""").bindparams(bindparam("names", type_=ARRAY(Text()))),
    _HostColumn,
)

_FUNCTION = Statement(
    """
    SELECT coalesce(bool_or(pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                            AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), false)
      FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = 'clay' AND p.proname = :name
""",
    bool,
)

Catalogue = Mapping[str, Mapping[str, bool]]
"""The host's table → column → whether the role may read it."""


async def read_catalogue(connection: AsyncConnection, schema: str, vintages: Iterable[Vintage]) -> Catalogue:
    """Reads the tables of these vintages that exist in the schema."""
    names = sorted({name_in(word, vintage) for word in COLUMNS for vintage in vintages})
    found: dict[str, dict[str, bool]] = {}
    for row in await _CATALOGUE.rows(connection, {"schema": schema, "names": names}):
        found.setdefault(row.table_name, {})[row.column_name] = row.readable
    return found


async def detect(connection: AsyncConnection, schema: str = "public") -> HostTables:
    """Detects the vintage from the catalogue. Where both lead tables exist, `members` is in use and the other is a leftover."""
    found = await read_catalogue(connection, schema, Vintage)
    if "members" in found:
        vintage = Vintage.TODAY
    elif "contributors" in found:
        vintage = Vintage.DOCUMENT
    else:
        raise HostMissingError(
            f"This database has no NexusLeads in schema {schema}: tables members and contributors are missing."
        )
    absent = set()
    for word, columns in COLUMNS.items():
        has = found.get(name_in(word, vintage), {})
        wanted = {key: name_in(key, vintage) for key in columns}
        if not has or (
            word in OPTIONAL_TABLES
            and not all(has.get(name, True) for key, name in wanted.items() if f"{word}.{key}" not in OPTIONAL_COLUMNS)
        ):
            absent.add(word)
        absent |= {f"{word}.{key}" for key, name in wanted.items() if name not in has}
    return host_tables(vintage, schema, frozenset(absent), await _settings_access(connection, found))


async def _settings_access(connection: AsyncConnection, found: Catalogue) -> SettingsAccess:
    readable = found.get("org_settings")
    if readable is None:
        return SettingsAccess.NONE
    if await _FUNCTION.one(connection, {"name": SETTINGS_FUNCTION}):
        return SettingsAccess.FUNCTION
    can_read = all(readable.get(column, False) for column in COLUMNS["org_settings"])
    return SettingsAccess.TABLE if can_read else SettingsAccess.NONE
