"""Runs our migrations in schema `clay`, with bounds on every lock and statement, over psycopg."""

import os

from alembic import context
from sqlalchemy import text

from clay_push_service import migrations

SCHEMA = "clay"
LOCK_TIMEOUT = "5s"  # a migration waits this long for a lock, then gives up instead of queueing everybody behind it
STATEMENT_TIMEOUT = "10min"


def url() -> str:
    given: str | None = context.config.attributes.get("database_url")
    given = given or os.environ.get("CLAY_PUSH_ADMIN_DATABASE_URL") or os.environ.get("CLAY_PUSH_DATABASE_URL")
    if not given:
        raise SystemExit("Set CLAY_PUSH_DATABASE_URL, or run `clay-push migrate`.")
    return given


def run() -> None:
    engine = migrations.engine(url())
    with engine.connect() as connection:
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.execute(text("SELECT pg_advisory_lock(hashtext('clay_push_migrate'))"))  # one migrator at a time
        connection.execute(
            text(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        )  # only now: who comes second waits for the first
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.commit()
        context.configure(connection=connection, version_table_schema=SCHEMA, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("SELECT pg_advisory_unlock(hashtext('clay_push_migrate'))"))
        connection.commit()
    engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Offline migrations are not supported: the queue's own schema script is run raw.")
run()
