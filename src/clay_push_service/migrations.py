"""Runs the database migrations of schema `clay` and grants permissions to the runtime role; changes nothing in NexusLeads' schema."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from clay_push_service.database import drivers
from clay_push_service.database_url import parse
from clay_push_service.errors import ConflictError
from clay_push_service.session_settings import SCHEMA

_INSTALLED = Path(__file__).resolve().parent / "alembic"
SCRIPTS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).resolve().parents[2] / "alembic"
"""Inside the package when installed from a wheel, as in the image; beside `src/` in a checkout."""

REVOKED: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        # The audit log can be appended to and read, never changed; a trigger enforces the same.
        "audit_log": ("UPDATE", "DELETE"),
        "alembic_version": ("INSERT", "UPDATE", "DELETE"),
        # Enriched values are appended, and deleted by an erasure or by age, never changed.
        "enriched_values": ("UPDATE",),
        # A push job names a version of a mapping: what it sends must not change.
        "mapping_versions": ("UPDATE",),
    }
)
"""Table → the privileges that the role of the service does not have. It has all others; `clay-push doctor` checks that."""
GRANTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}",
    *(f"REVOKE {', '.join(privileges)} ON {{schema}}.{table} FROM {{role}}" for table, privileges in REVOKED.items()),
)

RUNNING_SECONDS = 30
"""A worker with a heartbeat in this time is running, as `/status` counts it; a worker writes one every 5 s."""
RUNNING_WORKERS = text(f"""
SELECT hostname, pid, extract(epoch FROM clock_timestamp() - seen_at) AS age FROM clay.workers
WHERE seen_at > clock_timestamp() - interval '{RUNNING_SECONDS} seconds' ORDER BY hostname, pid
""")


def alembic_config(url: str | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["database_url"] = url
    return config


def engine(url: str) -> Engine:
    """Return an engine for Alembic, without pooling."""
    client = drivers.Client(url, "clay-push-migrate")
    return create_engine("postgresql+psycopg://", creator=lambda: drivers.connect_psycopg(client), poolclass=NullPool)


def upgrade(url: str, runtime_role: str | None = None) -> None:
    """Run every missing migration as the role in `url`; safe to repeat and to run concurrently.

    `runtime_role` gets its permissions on the schema, unless it is the migrating role.
    """
    command.upgrade(alembic_config(url), "head")
    if runtime_role is not None and runtime_role != parse(url).role:
        client = drivers.Client(url, "clay-push-migrate")
        with drivers.connect_psycopg(
            client
        ) as connection:  # one transaction: the role never has more permissions than at its end
            for statement in GRANTS:
                connection.execute(
                    sql.SQL(statement).format(schema=sql.Identifier(SCHEMA), role=sql.Identifier(runtime_role))
                )


def require_stopped_workers(connection: Connection) -> None:
    """Raise 409 `workers_running` while a worker has a heartbeat. Contracting migrations call this first.

    Earlier migrations of the same run are committed already.
    """
    running = [
        f"{row.hostname} (process {row.pid}, {row.age:.0f} s ago)" for row in connection.execute(RUNNING_WORKERS)
    ]
    if running:
        raise ConflictError(
            f"The next migration needs all workers stopped, and these have a heartbeat: {', '.join(running)}. Stop the web and"
            f" worker processes, then run `clay-push migrate` again. A worker that was killed counts for {RUNNING_SECONDS} s.",
            code="workers_running",
        )


@cache
def head() -> str:
    """Return the revision that this release requires."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head() or ""


@cache
def revisions() -> frozenset[str]:
    """Return all revisions of this release."""
    scripts = ScriptDirectory.from_config(alembic_config())
    return frozenset(script.revision for script in scripts.walk_revisions())


def is_behind(revision: str | None) -> bool:
    """Return whether migrations are missing. An unknown revision is from a newer release, and compatible."""
    return revision is None or (revision in revisions() and revision != head())


def current(url: str) -> str | None:
    """Return the revision of the database, or None if it was never migrated."""
    with engine(url).connect() as connection:
        return MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA}).get_current_revision()
