"""NexusLeads' tables in either vintage, as SQLAlchemy tables with OUR keys over ITS names."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import ClassVar

from sqlalchemy import Column, MetaData, Table, null
from sqlalchemy.sql.elements import ColumnElement

from clay_push_service.host.columns import COLUMNS, Vintage, name_in

SETTINGS_FUNCTION = "host_settings"
"""Function in schema clay, created by `attach`: returns the settings for Clay and no others."""


class SettingsAccess(StrEnum):
    """How the connection's role can read the host's settings."""

    FUNCTION = "function"
    TABLE = "table"
    """The whole table: the role owns it, or has a grant that an earlier release required."""
    NONE = "none"


@dataclass(frozen=True, eq=False)
class HostTables:
    """The tables of one host database. `tables.lead_scores.c.lead_id` is `contributor_id` or `member_id`, by vintage.

    Compared by identity and created once per (vintage, schema, absent): SQLAlchemy's statement cache is keyed on the tables.
    """

    vintage: Vintage
    schema: str
    absent: frozenset[str]
    """`table` and `table.column`, by our names, that this database lacks (or, in optional tables, the role cannot read)."""
    settings: SettingsAccess
    organizations: Table
    org_members: Table
    org_settings: Table
    app_settings: Table
    org_billing: Table
    users: Table
    projects: Table
    sources: Table
    leads: Table
    source_leads: Table
    stats: Table
    social_context: Table
    lead_scores: Table
    sourcing_jobs: Table
    job_progress: Table

    NAMES: ClassVar[tuple[str, ...]] = tuple(COLUMNS)

    def host_name(self, word: str) -> str:
        """The host's name for our name of a table or column."""
        return name_in(word, self.vintage)

    def has(self, table: str, column: str | None = None) -> bool:
        return table not in self.absent and (column is None or f"{table}.{column}" not in self.absent)

    def read(self, table: str, column: str) -> ColumnElement[object]:
        """The column, or NULL of its type where this database lacks it, so that a payload keeps every key."""
        known: Column[object] = getattr(self, table).c[column]
        return known if self.has(table, column) else null().cast(known.type)


@cache
def host_tables(
    vintage: Vintage,
    schema: str = "public",
    absent: frozenset[str] = frozenset(),
    settings: SettingsAccess = SettingsAccess.TABLE,
) -> HostTables:
    metadata = MetaData(schema=schema)
    return HostTables(
        vintage,
        schema,
        absent,
        settings,
        **{
            word: Table(
                name_in(word, vintage),
                metadata,
                *(Column(name_in(key, vintage), kind, key=key) for key, kind in columns.items()),
            )
            for word, columns in COLUMNS.items()
        },
    )
