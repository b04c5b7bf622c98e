"""Runs the migrations in schema `clay` over psycopg, with timeouts on locks and statements."""

import os

from alembic import context
from sqlalchemy import text

from clay_push_service import migrations

SCHEMA = "clay"
LOCK_TIMEOUT = (
    "5s"  # then the migration fails; while it waits for a lock, all later statements on the table wait behind it
)
STATEMENT_TIMEOUT = "10min"


def url() -> str:
    address: str | None = context.config.attributes.get("database_url")
    address = address or os.environ.get("CLAY_PUSH_ADMIN_DATABASE_URL") or os.environ.get("CLAY_PUSH_DATABASE_URL")
    if not address:
        raise SystemExit("Set CLAY_PUSH_DATABASE_URL, or run `clay-push migrate`.")
    return address


def run() -> None:
    engine = migrations.engine(url())
    with engine.connect() as connection:
        connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
        connection.execute(text("SELECT pg_advisory_lock(hashtext('clay_push_migrate'))"))  # one migrator at a time
        # After the advisory lock, so that a second migrator waits for the first one to finish.
        connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.commit()
        context.configure(connection=connection, version_table_schema=SCHEMA, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("SELECT pg_advisory_unlock(hashtext('clay_push_migrate'))"))
        connection.commit()
    engine.dispose()


if context.is_offline_mode():
    raise SystemExit(
        "Offline migrations are not supported, because migrations run scripts of several statements on the driver's connection."
    )
run()
