"""Migration 0016 expands the schema while processes run. Migration 0017 contracts it while workers are stopped."""

from uuid import UUID, uuid4

import asyncpg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from clay_push_service import migrations
from clay_push_service.errors import ConflictError
from tests.support.schema import dump_schema

DESTINATION = """
INSERT INTO clay.destinations (id, org_id, table_name, rate_limit_ms, next_slot_at, throttled_ms, throttled_at)
VALUES ($1, $1, 'Leads', 250, '2030-01-01', 500, '2029-12-31')
"""
METER = "INSERT INTO clay.quota_meters (id, org_id, used) VALUES ($1, $1, 3)"
VERSION = """
INSERT INTO clay.destination_versions (id, org_id, destination_id, number, url_mask, source, meter_id)
VALUES ($1, $1, $1, 1, 'masked', 'api', $1)
"""
JOB = """
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_version_id, table_epoch, push_mode, lead_count)
VALUES ($2, $1, $1, $1, 1, 'all', 1)
"""
DELIVERY = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, table_epoch) VALUES ($1, $2, $3, $1, 1)
"""
MIRRORED = "INSERT INTO clay.mirror (job_id, host_job_id) VALUES ($1, $1)"
WORKER = "INSERT INTO clay.workers (id, hostname, pid, version) VALUES (gen_random_uuid(), 'box-1', 4711, '0.1.0')"
PACE = "SELECT rate_limit_ms, next_slot_at::date::text AS slot, throttled_ms, throttled_at::date::text AS at FROM clay.workspaces"


async def add_organization(connection: asyncpg.Connection) -> UUID:
    """Add an organization as the previous release stores it. Returns its id, which is also the id of its destination."""
    org_id = uuid4()
    for statement in (DESTINATION, METER, VERSION):
        await connection.execute(statement, org_id)
    return org_id


async def add_job(connection: asyncpg.Connection, org_id: UUID) -> None:
    """Add a push job with one waiting delivery, as the previous release stores it."""
    job_id = uuid4()
    await connection.execute(JOB, org_id, job_id)
    await connection.execute(DELIVERY, org_id, job_id, uuid4())
    await connection.execute(MIRRORED, job_id)


async def test_rows_of_the_previous_release_get_their_destination_and_workspace(empty_database_url: str) -> None:
    config = migrations.alembic_config(empty_database_url)
    command.upgrade(config, "0015")
    connection = await asyncpg.connect(empty_database_url)
    try:
        first, second = [await add_organization(connection) for _ in range(2)]
        await add_job(connection, first)
        command.upgrade(config, "0016")
        assert await connection.fetchval("SELECT count(destination_id) FROM clay.clay_push_log") == 1
        await add_job(connection, second)
        migrations.upgrade(empty_database_url)
        for table in ("push_jobs", "clay_push_log"):
            rows = await connection.fetch(f"SELECT org_id, destination_id FROM clay.{table}")
            assert {(row["org_id"], row["destination_id"]) for row in rows} == {(first, first), (second, second)}
        assert await connection.fetchval("SELECT count(*) FROM clay.mirror JOIN clay.push_jobs USING (org_id)") == 2
        paces = [tuple(row) for row in await connection.fetch(PACE)]
        assert paces == [(250, "2030-01-01", 500.0, "2029-12-31")] * 2
    finally:
        await connection.close()


async def test_contraction_is_refused_while_a_worker_has_a_heartbeat(empty_database_url: str) -> None:
    command.upgrade(migrations.alembic_config(empty_database_url), "0015")
    connection = await asyncpg.connect(empty_database_url)
    try:
        await connection.execute(WORKER)
        with pytest.raises(ConflictError, match=r"box-1 \(process 4711, \d+ s ago\)") as refused:
            migrations.upgrade(empty_database_url)
        assert refused.value.code == "workers_running"
        assert migrations.current(empty_database_url) == "0016", "the expansion must be applied"
        await connection.execute("UPDATE clay.workers SET seen_at = now() - interval '31 seconds'")
        migrations.upgrade(empty_database_url)
        assert migrations.current(empty_database_url) == migrations.head()
    finally:
        await connection.close()


async def test_expansion_can_be_repeated_after_an_interruption(empty_database_url: str, database_url: str) -> None:
    config = migrations.alembic_config(empty_database_url)
    command.upgrade(config, "0016")
    command.stamp(config, "0015")
    migrations.upgrade(empty_database_url)
    assert dump_schema(empty_database_url) == dump_schema(database_url)


async def test_the_expansion_does_not_wait_for_rows_that_a_worker_has_locked(empty_database_url: str) -> None:
    command.upgrade(migrations.alembic_config(empty_database_url), "0015")
    connection = await asyncpg.connect(empty_database_url)
    try:
        org_id = await add_organization(connection)
        await add_job(connection, org_id)
        expansion = ScriptDirectory.from_config(migrations.alembic_config()).get_revision("0016")
        assert expansion is not None
        command.upgrade(migrations.alembic_config(empty_database_url), "0016")
        await connection.execute("UPDATE clay.clay_push_log SET destination_id = NULL")
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM clay.clay_push_log FOR UPDATE")
            with migrations.engine(empty_database_url).connect() as migrating:
                cursor = migrating.connection.driver_connection.cursor()  # type: ignore[union-attr]
                cursor.execute("SET lock_timeout = '1s'")
                expansion.module.fill(cursor)
        assert await connection.fetchval("SELECT count(destination_id) FROM clay.clay_push_log") == 0
    finally:
        await connection.close()
