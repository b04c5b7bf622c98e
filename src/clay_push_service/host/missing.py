"""Names what the service's own reads need of NexusLeads' tables and the running role cannot read. Only looks."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.columns import COLUMNS, OPTIONAL_COLUMNS, OPTIONAL_TABLES, SETTINGS_TABLES
from clay_push_service.host.detect import read_catalogue
from clay_push_service.host.tables import HostTables


@dataclass(frozen=True, slots=True)
class Missing:
    """What the service needs of the host and this role cannot read, in a sentence by the host's names."""

    sentence: str
    is_right: bool
    """The table is there, and a GRANT is what it takes."""


async def find_missing(
    connection: AsyncConnection, tables: HostTables, *, billing_enabled: bool = False
) -> Sequence[Missing]:
    """Each table, column or right that the service's own reads need and this role lacks; empty if all is well.

    `billing_enabled` needs `org_billing`, too. Settings are not read from their tables: see `tables.settings`.
    """
    found = await read_catalogue(connection, tables.schema, [tables.vintage])
    role = (await connection.execute(text("SELECT current_user::text"))).scalar_one()
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
