"""A downgrade works on the data that the newer release permits, or refuses before it changes anything."""

from uuid import uuid4

import psycopg
import pytest
from alembic import command

from clay_push_service import migrations
from tests.support.schema import dump_schema

SCAN = """
ALTER TABLE clay.push_jobs DROP CONSTRAINT push_jobs_destination_version_fk;
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, source_job_id)
SELECT gen_random_uuid(), %(org)s, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'auto', %(scan)s FROM generate_series(1, 2)
"""
OF_SEGMENT = """
ALTER TABLE clay.exclusions DROP CONSTRAINT exclusions_segment_fk;
INSERT INTO clay.exclusions (id, org_id, kind, segment_id, created_by)
VALUES (gen_random_uuid(), %(org)s, 'exclusion', gen_random_uuid(), 'user:test')
"""
OF_ADDRESS = """
INSERT INTO clay.exclusions (id, org_id, kind, address_hashes, created_by)
VALUES (gen_random_uuid(), %(org)s, 'exclusion', ARRAY['\\x01'::bytea], 'user:test')
"""


def insert(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        for part in statement.split(";"):
            connection.execute(part, {"org": uuid4(), "scan": uuid4()})


def test_two_push_jobs_of_one_scan_survive_the_downgrade_of_0036(empty_database_url: str) -> None:
    config = migrations.alembic_config(empty_database_url)
    command.upgrade(config, "0036")
    insert(empty_database_url, SCAN)
    command.downgrade(config, "0035")
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute("SELECT count(*), count(source_job_id) FROM clay.push_jobs").fetchone()
    assert found == (2, 1)
    command.upgrade(config, "0036")


@pytest.mark.parametrize(("revision", "before", "row"), [("0031", "0030", OF_SEGMENT), ("0028", "0027", OF_ADDRESS)])
def test_a_downgrade_that_would_lose_exclusions_is_refused_before_it_changes_anything(
    empty_database_url: str, revision: str, before: str, row: str
) -> None:
    config = migrations.alembic_config(empty_database_url)
    command.upgrade(config, revision)
    insert(empty_database_url, row)
    schema = dump_schema(empty_database_url)
    with pytest.raises(RuntimeError, match="Remove the exclusions first"):
        command.downgrade(config, before)
    assert dump_schema(empty_database_url) == schema
