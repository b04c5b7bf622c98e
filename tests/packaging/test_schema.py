"""Migrations build the same schema on an empty database and from every revision: the schema of docs/schema.sql."""

from importlib.metadata import version

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager

from clay_push_service import migrations
from tests.support.schema import DOCUMENT, document_text, dump_schema

REVISIONS = [
    script.revision
    for script in ScriptDirectory.from_config(migrations.alembic_config()).walk_revisions()  # newest first
][::-1]
FIRST_REVERSIBLE = "0005"
"""Earlier migrations refuse a downgrade, because it would delete the only record of leads in Clay and of exclusions."""
REVERSIBLE = [revision for revision in REVISIONS if revision >= FIRST_REVERSIBLE and revision < "0017"]
"""A contracting migration (0017) has no downgrade either. Revisions after the last contracting one are reversible again."""


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_upgrade_from_each_revision_builds_the_schema_of_a_fresh_database(
    empty_database_url: str, database_url: str, revision: str
) -> None:
    command.upgrade(migrations.alembic_config(empty_database_url), revision)
    migrations.upgrade(empty_database_url)
    assert dump_schema(empty_database_url) == dump_schema(database_url)


def test_each_downgrade_restores_the_schema_before_it(empty_database_url: str) -> None:
    config = migrations.alembic_config(empty_database_url)
    command.upgrade(config, REVISIONS[REVISIONS.index(FIRST_REVERSIBLE) - 1])
    before = []
    for revision in REVERSIBLE:
        before.append(dump_schema(empty_database_url))
        command.upgrade(config, revision)
    for revision, expected in zip(reversed(REVERSIBLE), reversed(before), strict=True):
        command.downgrade(config, "-1")
        assert dump_schema(empty_database_url) == expected, f"downgrade of {revision}"


def test_upgrade_after_a_downgrade_builds_the_schema_of_a_fresh_database(
    empty_database_url: str, database_url: str
) -> None:
    config = migrations.alembic_config(empty_database_url)
    command.upgrade(config, REVERSIBLE[-1])
    command.downgrade(config, REVISIONS[REVISIONS.index(FIRST_REVERSIBLE) - 1])
    migrations.upgrade(empty_database_url)
    assert dump_schema(empty_database_url) == dump_schema(database_url)


def test_document_describes_the_schema(database_url: str) -> None:
    assert DOCUMENT.read_text() == document_text(database_url), "run `make schema` and commit docs/schema.sql"


def test_frozen_queue_schema_is_that_of_the_installed_procrastinate() -> None:
    """A release of procrastinate with another schema needs a new migration, because migration 0001 never changes."""
    frozen = (migrations.SCRIPTS / "sql/procrastinate-3.10.0.sql").read_text(encoding="utf-8")
    assert SchemaManager.get_schema() == frozen, (
        f"procrastinate {version('procrastinate')} has another schema than 3.10.0, which migration 0001 creates. Write a new"
        " migration that runs the SQL of its procrastinate/sql/migrations/ since then in schema clay, keep the new"
        " release's full schema as alembic/sql/procrastinate-<version>.sql, and let this test read that file."
    )
