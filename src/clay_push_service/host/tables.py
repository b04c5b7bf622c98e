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
    "org_settings": {"org_id": _uuid, "key": _text, "value": _text, "is_secret": _flag},
    "app_settings": {"key": _text, "value": _text, "is_secret": _flag},
    "org_billing": {"org_id": _uuid, "is_enterprise": _flag},
    "users": {"id": _uuid, "username": _text, "email": _text, "is_active": _flag, "is_admin": _flag},
    "projects": {
        "id": _uuid, "user_id": _uuid, "org_id": _uuid, "name": _text, "is_active": _flag,
        "auto_export_clay_enabled": _flag, "auto_export_clay_min_score": _number,
        "auto_export_clay_classifications": ARRAY(Text()),
    },
    "sources": {"id": _uuid, "project_id": _uuid, "full_name": _text, "github_url": _text},
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
OPTIONAL_COLUMNS = frozenset({
    "org_settings.is_secret", "app_settings.is_secret", "users.is_admin", "users.email", "organizations.slug",
    "projects.user_id", "projects.is_active",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class HostTables:
    """One host database's tables. `tables.lead_scores.c.lead_id` is `contributor_id` or `member_id`, as it has it.

    Compared by identity and made once a (vintage, schema, absent): SQLAlchemy's statement cache is keyed on the tables.
    """

    vintage: Vintage
    schema: str
    absent: frozenset[str]
    """`table` and `table.column`, in our words, that this database has not (or, for optional tables, may not be read)."""
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
def host_tables(vintage: Vintage, schema: str = "public", absent: frozenset[str] = frozenset()) -> HostTables:
    metadata = MetaData(schema=schema)
    return HostTables(
        vintage,
        schema,
        absent,
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

Catalogue = Mapping[str, Mapping[str, bool]]
"""Its table → its column → may we read it."""


async def _catalogue(connection: AsyncConnection, schema: str, vintages: Iterable[Vintage]) -> Catalogue:
    names = sorted({name_of(word, vintage) for word in COLUMNS for vintage in vintages})
    found: dict[str, dict[str, bool]] = {}
    for table, column, readable in await connection.execute(_CATALOGUE, {"schema": schema, "names": names}):
        found.setdefault(table, {})[column] = readable
    return found


async def detect(connection: AsyncConnection, schema: str = "public") -> HostTables:
    """Find the vintage from the catalogue. Where both member tables stand, today's is in use and the other left over."""
    found = await _catalogue(connection, schema, Vintage)
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
    return host_tables(vintage, schema, frozenset(absent))


async def missing(connection: AsyncConnection, tables: HostTables) -> list[str]:
    """One sentence for each table or column we need and cannot read, by the host's names; empty if all is well."""
    found = await _catalogue(connection, tables.schema, [tables.vintage])
    role = (await connection.execute(text("SELECT current_user::text"))).scalar_one()
    said = []
    for word, columns in COLUMNS.items():
        name = tables.host_name(word)
        has = found.get(name)
        if has is None:
            if word not in OPTIONAL_TABLES:
                said.append(f"table {tables.schema}.{name} does not exist")
            continue
        needed = [tables.host_name(key) for key in columns if f"{word}.{key}" not in OPTIONAL_COLUMNS]
        said += [f"column {tables.schema}.{name}.{column} does not exist" for column in needed if column not in has]
        closed = [column for column in needed if has.get(column) is False]
        if not closed or word in OPTIONAL_TABLES:
            continue
        what = "" if len(closed) == len(needed) else f" ({', '.join(closed)})"
        said.append(f"role {role} may not SELECT from {tables.schema}.{name}{what}")
    return said
