"""Retention empties names and texts of old rows and keeps the ledger. Newer and unfinished rows are unchanged."""

from pathlib import Path

from sqlalchemy import text

from clay_push_service.database.database import Database
from clay_push_service.privacy.retention import BATCH_ROWS, empty_old_jobs
from tests.harness.installation import Installation, install, install_with_drainer
from tests.support.receiver import OK, Receiver, status


async def age(installation: Installation, days: int) -> None:
    await installation.fetch(
        "UPDATE clay.push_jobs SET finished_at = finished_at - :days * interval '1 day' WHERE finished_at IS NOT NULL",
        days=days,
    )


async def test_names_and_texts_are_emptied_and_the_ledger_remains(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(422) if number < 3 else OK)
    async with install_with_drainer(database_url, clay, leads=10) as (installation, drainer, _):
        accepted = await installation.push()
        await installation.drain_all(drainer)
        await installation.fetch(
            """UPDATE clay.push_jobs SET filters = '{"search": "ada@example.org", "min_score": 50}'"""
        )
        before = await installation.deliveries(accepted.job_id)
        assert all(row.username for row in before)
        assert sum(row.error_message is not None for row in before) == 3
        await age(installation, 179)
        assert (await empty_old_jobs(installation.database, 180)).rows == 0
        await age(installation, 2)
        done = await empty_old_jobs(installation.database, 180)
        assert (done.rows, done.jobs) == (10, 1)
        after = await installation.deliveries(accepted.job_id)
        assert all(row.username is row.full_name is row.error_message is None for row in after)
        kept = ("id", "seq", "org_id", "job_id", "contributor_id", "project_id", "status", "cause", "payload_hash")
        times = ("attempts", "created_at", "pushed_at", "finished_at", "clay_response_status", "table_epoch")
        for name in kept + times:
            assert [getattr(row, name) for row in before] == [getattr(row, name) for row in after]
        assert (await installation.job(accepted.job_id)).filters == {"min_score": 50}
        assert (await empty_old_jobs(installation.database, 180)).jobs == 0
        again = await installation.push()
        assert again.skipped_count == 7, "leads in Clay must still count as in Clay"


async def test_live_rows_are_unchanged(database_url: str) -> None:
    async with install(database_url, leads=3) as installation:
        await installation.configure("https://api.clay.com/v3/sources/webhook/x")
        accepted = await installation.push()
        await installation.fetch("UPDATE clay.push_jobs SET created_at = created_at - interval '400 days'")
        assert (await empty_old_jobs(installation.database, 1)).rows == 0
        assert all(row.username for row in await installation.deliveries(accepted.job_id))


async def test_a_large_job_is_emptied_in_bounded_batches(database_url: str) -> None:
    async with install(database_url, leads=1) as installation:
        await installation.configure("https://api.clay.com/v3/sources/webhook/x")
        accepted = await installation.push()
        await installation.fetch("""
            INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch, username, status, state,
                cause, finished_at)
            SELECT org_id, job_id, gen_random_uuid(), project_id, destination_id, 1, 'u' || n, 'failed', 'done', 'rejected', now()
            FROM clay.clay_push_log, generate_series(1, 4500) AS n""")
        await installation.fetch(
            "UPDATE clay.clay_push_log SET state = 'done', status = 'success', finished_at = now() WHERE state <> 'done'"
        )
        await installation.fetch(
            "UPDATE clay.push_jobs SET status = 'completed', finished_at = now() - interval '2 days'"
        )
        first = await empty_old_jobs(installation.database, 1, batches=1)
        assert (first.rows, first.jobs) == (BATCH_ROWS, 0)
        rest = await empty_old_jobs(installation.database, 1)
        assert (rest.rows, rest.jobs) == (4501 - BATCH_ROWS, 1)
        assert not any(row.username for row in await installation.deliveries(accepted.job_id))


async def test_docs_privacy_lists_every_table(database: Database) -> None:
    page = (Path(__file__).parents[2] / "docs/privacy.md").read_text()
    async with database.transaction() as connection:
        tables = await connection.execute(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'clay'::regnamespace AND relkind = 'r'"
                " AND relname NOT LIKE 'procrastinate%' AND relname <> 'alembic_version'"
            )
        )
        missing = [name for name in tables.scalars() if f"`clay.{name}`" not in page]
    assert missing == []
