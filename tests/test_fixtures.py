"""The database fixtures give each test its own migrated database, owned by an ordinary role."""

import psycopg
from sqlalchemy import text

from clay_push_service import migrations
from clay_push_service.database.database import Database
from clay_push_service.session_settings import SCHEMA


async def test_a_database_has_our_schema_by_an_ordinary_role(database: Database) -> None:
    async with database.transaction() as connection:
        superuser = await connection.scalar(text("SELECT current_setting('is_superuser')"))
        tables = await connection.scalar(
            text("SELECT count(*) FROM pg_tables WHERE schemaname = :schema"), {"schema": SCHEMA}
        )
        revision = await connection.scalar(text(f"SELECT version_num FROM {SCHEMA}.alembic_version"))
    assert superuser == "off"
    assert tables
    assert revision == migrations.head()


def test_an_empty_database_has_none_of_our_tables(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [SCHEMA]).fetchone()
    assert found is None
