"""Finds tables, columns and read rights of NexusLeads that the service needs and the running role lacks. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.host.columns import COLUMNS, OPTIONAL_COLUMNS, OPTIONAL_TABLES, SETTINGS_TABLES
from clay_push_service.host.detect import read_catalogue
from clay_push_service.host.tables import HostTables

ROLE = Statement("SELECT current_user::text", str)


@dataclass(frozen=True, slots=True)
class Missing:
    """A table, column or right that is missing, in a sentence with the host's names."""

    sentence: str
    is_right: bool
    """The table exists; a GRANT is sufficient."""


async def find_missing(
    connection: AsyncConnection, tables: HostTables, *, billing_enabled: bool = False
) -> Sequence[Missing]:
    """Returns each table, column or right that the service needs to read and this role lacks.

    `billing_enabled` adds `org_billing`. Settings tables are excluded: see `tables.settings`.
    """
    found = await read_catalogue(connection, tables.schema, [tables.vintage])
    role = await ROLE.one(connection)
    lacking = []
    for word, columns in COLUMNS.items():
        name = tables.host_name(word)
        has = found.get(name)
        is_needed = word not in OPTIONAL_TABLES or (billing_enabled and word == "org_billing")
        if has is None:
            if word not in OPTIONAL_TABLES:
                lacking.append(Missing(f"table {tables.schema}.{name} does not exist", is_right=False))
            continue
        needed = [tables.host_name(key) for key in columns if f"{word}.{key}" not in OPTIONAL_COLUMNS]
        lacking += [
            Missing(f"column {tables.schema}.{name}.{column} does not exist", is_right=False)
            for column in needed
            if column not in has
        ]
        closed = [column for column in needed if has.get(column) is False]
        if closed and is_needed and word not in SETTINGS_TABLES:
            sentence = f"role {role} may not SELECT {', '.join(closed)} of {tables.schema}.{name}"
            lacking.append(Missing(sentence, is_right=True))
    return lacking
