"""NexusLeads' tables in either vintage, as Core tables with OUR keys over ITS names. Reads its catalogue; makes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    Uuid,
    bindparam,
    null,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from clay_push_service.errors import UnavailableError


class Vintage(StrEnum):
    """Whose names the database uses: the feature document's, or those NexusLeads has since renamed them to."""

    DOCUMENT = "2026-02"
    TODAY = "today"


class HostMissingError(UnavailableError):
    code = "host_missing"


RENAMED: Mapping[str, Mapping[Vintage, str]] = {
    "leads": {Vintage.DOCUMENT: "contributors", Vintage.TODAY: "members"},
    "sources": {Vintage.DOCUMENT: "repositories", Vintage.TODAY: "community_sources"},
    "source_leads": {Vintage.DOCUMENT: "repository_contributors", Vintage.TODAY: "community_members"},
    "stats": {Vintage.DOCUMENT: "contributor_stats", Vintage.TODAY: "member_activity"},
    "lead_id": {Vintage.DOCUMENT: "contributor_id", Vintage.TODAY: "member_id"},
    "source_id": {Vintage.DOCUMENT: "repository_id", Vintage.TODAY: "source_id"},
}
"""Our word → its word. What is not here has the same name in both."""

_uuid, _text, _int, _number, _flag, _date, _time = (
    Uuid(),
    Text(),
    BigInteger(),
    Numeric(),
    Boolean(),
    Date(),
    DateTime(True),
)

COLUMNS: Mapping[str, Mapping[str, TypeEngine[Any]]] = {
    "organizations": {"id": _uuid, "name": _text, "slug": _text},
    "org_members": {"org_id": _uuid, "user_id": _uuid, "role": _text},
    "org_settings": {"org_id": _uuid, "key": _text, "value": _text},
    "app_settings": {"key": _text, "value": _text},
    "org_billing": {"org_id": _uuid, "is_enterprise": _flag},
    "users": {"id": _uuid, "username": _text, "is_active": _flag},
    "projects": {
        "id": _uuid, "org_id": _uuid, "name": _text,
        "auto_export_clay_enabled": _flag, "auto_export_clay_min_score": _number,
        "auto_export_clay_classifications": ARRAY(Text()),
    },
    "sources": {"id": _uuid, "project_id": _uuid, "full_name": _text},
    "leads": {
        "id": _uuid, "username": _text, "full_name": _text, "email": _text, "company": _text, "location": _text,
        "bio": _text, "avatar_url": _text, "github_url": _text, "public_repos": _int, "followers": _int,
        "following": _int,
    },
    "source_leads": {"source_id": _uuid, "lead_id": _uuid},
    "stats": {
        "source_id": _uuid, "lead_id": _uuid, "total_commits": _int, "commits_last_3_months": _int,
        "commits_last_6_months": _int, "commits_last_year": _int, "pull_requests": _int, "issues_opened": _int,
        "issues_closed": _int, "code_reviews": _int, "is_maintainer": _flag, "is_core_team": _flag,
        "first_commit_date": _date, "last_commit_date": _date,
    },
    "social_context": {
        "lead_id": _uuid, "linkedin_url": _text, "linkedin_headline": _text, "current_company": _text,
        "current_position": _text, "position_level": _text, "industry": _text, "years_of_experience": _int,
        "skills": ARRAY(Text()), "classification": _text, "classification_confidence": _number,
        "classification_reasoning": _text,
    },
    "lead_scores": {
        "lead_id": _uuid, "project_id": _uuid, "overall_score": _number, "activity_score": _number,
        "influence_score": _number, "position_score": _number, "engagement_score": _number,
        "is_qualified_lead": _flag, "priority": _text,
    },
    "sourcing_jobs": {
        "id": _uuid, "project_id": _uuid, "source_id": _uuid, "job_type": _text, "status": _text,
        "total_steps": Integer(), "current_step": Integer(), "progress_percentage": _number, "started_at": _time,
        "completed_at": _time, "error_message": _text, "metadata": JSONB(), "created_by": _uuid,
        "created_at": _time, "updated_at": _time,
    },
    "job_progress": {
        "job_id": _uuid, "step_number": Integer(), "step_name": _text, "status": _text, "message": _text,
        "details": JSONB(), "started_at": _time, "completed_at": _time,
    },
}  # fmt: skip
"""Every host column this service may name, by our words."""

OPTIONAL_TABLES = frozenset({"app_settings", "org_billing"})
"""An older host has none: then there is no global fallback, and nobody is on Enterprise."""
OPTIONAL_COLUMNS = frozenset({"organizations.slug"})
SETTINGS_TABLES = frozenset({"org_settings", "app_settings"})
"""They also hold other services' keys: the running role reads them through SETTINGS_FUNCTION alone."""
SETTINGS_FUNCTION = "host_settings"
"""In our schema, made by `attach`: the settings about Clay, and no others."""


class SettingsAccess(StrEnum):
    """How the host's settings can be read by the role that asks."""

    FUNCTION = "function"
    TABLE = "table"
    """All of the table: the role owns it, or has a grant that an earlier release asked for."""
    NONE = "none"


@dataclass(frozen=True, eq=False)
class HostTables:
    """One host database's tables. `tables.lead_scores.c.lead_id` is `contributor_id` or `member_id`, as it has it.

    Compared by identity and made once a (vintage, schema, absent): SQLAlchemy's statement cache is keyed on the tables.
    """

    vintage: Vintage
    schema: str
    absent: frozenset[str]
    """`table` and `table.column`, in our words, that this database has not (or, for optional tables, may not be read)."""
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
        """The host's name of a table or column of ours."""
        return name_of(word, self.vintage)

    def has(self, table: str, column: str | None = None) -> bool:
        return table not in self.absent and (column is None or f"{table}.{column}" not in self.absent)

    def read(self, table: str, column: str) -> ColumnElement[object]:
        """The column, or NULL of its type where this database has none, so that a payload keeps every key."""
        found: Column[object] = getattr(self, table).c[column]
        return found if self.has(table, column) else null().cast(found.type)


def name_of(word: str, vintage: Vintage) -> str:
    return RENAMED[word][vintage] if word in RENAMED else word


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
                name_of(word, vintage),
                metadata,
                *(Column(name_of(key, vintage), kind, key=key) for key, kind in columns.items()),
            )
            for word, columns in COLUMNS.items()
        },
    )


# relkind: ordinary and partitioned tables only. A compatibility view called `contributors` over `members` is no vintage.
_CATALOGUE = text("""
    SELECT c.relname::text AS table_name, a.attname::text AS column_name,
           pg_catalog.has_schema_privilege(n.oid, 'USAGE')
             AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE n.nspname = :schema AND c.relkind IN ('r', 'p') AND c.relname = ANY(:names)
""").bindparams(bindparam("names", type_=ARRAY(Text())))

_FUNCTION = text("""
    SELECT coalesce(bool_or(pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                            AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')), false)
      FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = 'clay' AND p.proname = :name
""")

Catalogue = Mapping[str, Mapping[str, bool]]
"""Its table → its column → may we read it."""


async def catalogue(connection: AsyncConnection, schema: str, vintages: Iterable[Vintage]) -> Catalogue:
    """The tables of these vintages that stand in the schema."""
    names = sorted({name_of(word, vintage) for word in COLUMNS for vintage in vintages})
    found: dict[str, dict[str, bool]] = {}
    for table, column, readable in await connection.execute(_CATALOGUE, {"schema": schema, "names": names}):
        found.setdefault(table, {})[column] = readable
    return found


async def detect(connection: AsyncConnection, schema: str = "public") -> HostTables:
    """Find the vintage from the catalogue. Where both member tables stand, today's is in use and the other left over."""
    found = await catalogue(connection, schema, Vintage)
    if "members" in found:
        vintage = Vintage.TODAY
    elif "contributors" in found:
        vintage = Vintage.DOCUMENT
    else:
        raise HostMissingError(
            f"This database has no NexusLeads in schema {schema}: neither a table members nor a table contributors."
        )
    absent = set()
    for word, columns in COLUMNS.items():
        has = found.get(name_of(word, vintage), {})
        wanted = {key: name_of(key, vintage) for key in columns}
        if not has or (
            word in OPTIONAL_TABLES
            and not all(has.get(name, True) for key, name in wanted.items() if f"{word}.{key}" not in OPTIONAL_COLUMNS)
        ):
            absent.add(word)
        absent |= {f"{word}.{key}" for key, name in wanted.items() if name not in has}
    return host_tables(vintage, schema, frozenset(absent), await _settings_access(connection, found))


async def _settings_access(connection: AsyncConnection, found: Catalogue) -> SettingsAccess:
    if (await connection.execute(_FUNCTION, {"name": SETTINGS_FUNCTION})).scalar_one():
        return SettingsAccess.FUNCTION
    readable = found.get("org_settings", {})
    can_read = all(readable.get(column, False) for column in COLUMNS["org_settings"])
    return SettingsAccess.TABLE if can_read else SettingsAccess.NONE
