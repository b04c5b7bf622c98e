"""The migration derives the number of uncertain attempts of earlier deliveries from their rows, where possible."""

import asyncpg
import pytest
from alembic import command

from clay_push_service import migrations

BEFORE = "0007"
OLD_ROWS = """
WITH destination AS (INSERT INTO clay.destinations (org_id) VALUES (gen_random_uuid()) RETURNING id, org_id),
version AS (INSERT INTO clay.destination_versions (id, org_id, destination_id, number, url_mask, source)
    SELECT gen_random_uuid(), org_id, id, 1, 'masked', 'api' FROM destination RETURNING id, org_id),
job AS (INSERT INTO clay.push_jobs (id, org_id, project_id, destination_version_id, table_epoch, push_mode, status)
    SELECT gen_random_uuid(), org_id, gen_random_uuid(), id, 1, 'all', 'running' FROM version RETURNING id, org_id, project_id)
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, table_epoch, status, state, cause,
    clay_response_status, attempts, finished_at)
SELECT org_id, id, gen_random_uuid(), project_id, 1, $1::text, $2::text, $3::text, $4::integer, $5::integer,
       CASE WHEN $2::text = 'done' THEN now() END
FROM job
"""
# status, state, cause, Clay's status, attempts → uncertain attempts
CASES = [
    (("failed", "done", "unknown", None, 1), 1),
    (("failed", "done", "server_error", 503, 4), 1),
    (("pending", "waiting", "server_error", 500, 1), 1),
    (("skipped", "done", "cancelled", 500, 1), 1),
    (("skipped", "done", "erased", 502, 2), 1),
    (("failed", "done", "lead_gone", None, 1), 1),
    (("failed", "done", "rejected", 422, 2), 1),
    (("failed", "done", "rejected", 422, 1), 0),
    (("failed", "done", "network_error", None, 4), 0),
    (("failed", "done", "lead_gone", None, 0), 0),
    (("skipped", "done", "cancelled", None, 0), 0),
    (("success", "done", None, 200, 1), 0),
    (("pending", "waiting", None, None, 0), 0),
]


@pytest.mark.parametrize(("row", "expected"), CASES)
async def test_an_old_row_shows_whether_its_lead_may_be_in_clay(
    empty_database_url: str, row: tuple[object, ...], expected: int
) -> None:
    command.upgrade(migrations.alembic_config(empty_database_url), BEFORE)
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute(OLD_ROWS, *row)
        migrations.upgrade(empty_database_url)
        assert await connection.fetchval("SELECT uncertain_attempts FROM clay.clay_push_log") == expected
    finally:
        await connection.close()
