"""The inbox takes over pushes that the host queues, before the host's processor claims them. It does not affect the host's transactions."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from clay_push_service.host.columns import Vintage
from clay_push_service.host_integration.attach.attachment import Level
from tests.harness.attached import HostProcessor, install_attached

BOTH = pytest.mark.parametrize("vintage", list(Vintage))


@BOTH
async def test_an_auto_export_of_the_host_becomes_a_run_of_the_rule_shown_in_its_row(
    database_url: str, vintage: Vintage
) -> None:
    async with install_attached(database_url, vintage=vintage, leads=10) as a:
        await a.auto_export_on(min_score=40)
        wanted = {
            str(row[0])
            for row in await a.host.connection.fetch(
                f"SELECT {'member_id' if vintage is Vintage.TODAY else 'contributor_id'} FROM lead_scores"
                " WHERE overall_score >= 40"
            )
        }
        assert 0 < len(wanted) < 10
        queued = await a.host_queues(a.installation.lead_ids[:1])  # NOTIFY is only a hint
        processor = HostProcessor(a.host.connection)
        await processor.poll()
        assert await a.status(queued) == "running"
        metadata = await a.metadata(queued)
        assert "clay_webhook_url" not in metadata
        assert "lead_ids" not in metadata
        stored = await a.host.connection.fetchval("SELECT metadata::text FROM clay.inbox")
        assert "clay_webhook_url" not in stored
        await a.inbox.process_due()
        await a.mirror_now()
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert set(a.receiver.leads) == wanted
        assert await a.status(queued) == "completed"
        assert (await a.metadata(queued))["push_mode"] == "auto"
        assert await a.host.connection.fetchval("SELECT count(*) FROM sourcing_jobs") == 1
        assert processor.would_push == []


async def test_without_leads_to_send_no_push_job_is_created_and_the_row_shows_the_reason(database_url: str) -> None:
    async with install_attached(database_url, leads=3) as a:
        off = await a.host_queues(a.installation.lead_ids)
        await a.inbox.process_due()
        row = await a.row(off)
        assert row is not None
        assert (row["status"], row["error_message"]) == ("completed", None)
        assert (await a.steps(off))[-1] == (3, "Completing", "completed", "Auto-export is off for this project.")
        assert await a.installation.fetch("SELECT 1 FROM clay.push_jobs") == []


async def test_a_push_of_selected_leads_is_taken_over(database_url: str) -> None:
    async with install_attached(database_url, leads=5) as a:
        user_id = await a.host.connection.fetchval("INSERT INTO users (username) VALUES ('ann') RETURNING id")
        queued = await a.host_queues(a.installation.lead_ids[:2], mode="selected")
        await a.host.connection.execute("UPDATE clay.inbox SET created_by = $1", user_id)
        await a.inbox.process_due()
        [job] = await a.installation.fetch("SELECT * FROM clay.push_jobs")
        assert (job.push_mode, job.created_by, job.created_by_user_id) == ("selected", "host", user_id)
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert await a.status(queued) == "completed"
        assert set(a.receiver.leads) == {str(each) for each in a.installation.lead_ids[:2]}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ('{"push_mode": "selected", "lead_ids": []}', "contains no leads"),
        ('{"push_mode": "selected", "lead_ids": "x"}', "contains no leads"),
        ('{"push_mode": "selected", "lead_ids": [1, null, "x", {}]}', "contains no leads"),
        ('{"push_mode": "selected", "lead_ids": ["6b0c3f3c-6b7b-4f6e-9a52-0d7f1f6c7f10"]}', "no leads with these ids"),
        ("[1]", "contains no leads"),
        ("null", "contains no leads"),
        (None, "contains no leads"),
    ],
)
async def test_an_impossible_push_ends_with_a_message(database_url: str, metadata: str | None, message: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        host_job_id = await a.host.connection.fetchval(
            "INSERT INTO sourcing_jobs (project_id, job_type, metadata) VALUES ($1, 'clay_push', $2) RETURNING id",
            a.installation.project_id, metadata,
        )  # fmt: skip
        assert await a.status(host_job_id) == "running"
        await a.inbox.process_due()
        row = await a.row(host_job_id)
        assert row is not None
        assert row["status"] == "failed"
        assert message in row["error_message"]


async def test_a_deleted_lead_does_not_block_the_other_leads(database_url: str) -> None:
    async with install_attached(database_url, leads=3) as a:
        queued = await a.host_queues([*a.installation.lead_ids, uuid4()], mode="selected")
        await a.inbox.process_due()
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert await a.status(queued) == "completed"
        [job] = await a.installation.fetch("SELECT lead_count, success_count FROM clay.push_jobs")
        assert tuple(job) == (3, 3)


async def test_too_many_leads_are_refused_and_not_truncated(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        queued = await a.host_queues(
            [*a.installation.lead_ids, *(UUID(int=number) for number in range(50_000))], mode="selected"
        )
        await a.inbox.process_due()
        assert "Push them in several parts" in (await a.row(queued))["error_message"]  # type: ignore[index]  # the row is there
        assert await a.installation.fetch("SELECT 1 FROM clay.push_jobs") == []


async def test_the_row_of_an_organization_without_access_or_settings_shows_the_reason(database_url: str) -> None:
    async with install_attached(database_url, leads=2, billing_enabled=True) as a:
        gated = await a.host_queues(a.installation.lead_ids, mode="selected")
        await a.inbox.process_due()
        assert "Enterprise" in (await a.row(gated))["error_message"]  # type: ignore[index]  # the row is there
        await a.host.connection.execute(
            "INSERT INTO org_billing (org_id, is_enterprise) VALUES ($1, true)", a.installation.org_id
        )
        await a.installation.fetch("UPDATE clay.destinations SET version_id = NULL")
        bare = await a.host_queues(a.installation.lead_ids, mode="selected")
        await a.inbox.process_due()
        assert "Configure your Clay webhook URL" in (await a.row(bare))["error_message"]  # type: ignore[index]


async def test_jobs_of_other_types_or_states_are_not_taken_over(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        for job_type, state in (
            ("repository_sourcing", "pending"),
            ("clay_push", "failed"),
            ("clay_push", "completed"),
        ):
            await a.host.connection.execute(
                "INSERT INTO sourcing_jobs (job_type, status, metadata) VALUES ($1, $2, '{\"lead_ids\": [\"x\"]}')",
                job_type, state,
            )  # fmt: skip
        rows = await a.host.connection.fetch("SELECT status, metadata::text FROM sourcing_jobs ORDER BY status")
        assert [row[0] for row in rows] == ["completed", "failed", "pending"]
        assert {row[1] for row in rows} == {'{"lead_ids": ["x"]}'}
        assert await a.installation.fetch("SELECT 1 FROM clay.inbox") == []


async def test_a_push_that_is_cancelled_before_it_is_processed_is_not_sent(database_url: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        queued = await a.host_queues(a.installation.lead_ids, mode="selected")
        await a.host.connection.execute("UPDATE sourcing_jobs SET status = 'cancelled' WHERE id = $1", queued)
        deleted = await a.host_queues(a.installation.lead_ids, mode="selected")
        await a.host.connection.execute("DELETE FROM sourcing_jobs WHERE id = $1", deleted)
        await a.inbox.process_due()
        assert await a.status(queued) == "cancelled"
        assert await a.installation.fetch("SELECT 1 FROM clay.push_jobs") == []


async def test_a_push_of_a_rolled_back_host_transaction_is_not_queued(database_url: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        transaction = a.host.connection.transaction()
        await transaction.start()
        await a.host_queues(a.installation.lead_ids)
        await transaction.rollback()
        assert await a.installation.fetch("SELECT 1 FROM clay.inbox") == []


async def test_a_finished_row_that_the_host_retries_is_taken_over_again(database_url: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        await a.installation.fetch("UPDATE clay.destinations SET version_id = NULL")
        queued = await a.host_queues(a.installation.lead_ids, mode="selected")
        await a.inbox.process_due()
        assert await a.status(queued) == "failed"
        await a.installation.configure(a.receiver.url)
        await a.host.connection.execute("UPDATE sourcing_jobs SET status = 'pending' WHERE id = $1", queued)
        assert await a.status(queued) == "running"
        await a.inbox.process_due()
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert await a.status(queued) == "completed"
        assert len(a.receiver.posts) == 2


@pytest.mark.parametrize(
    "broken",
    [
        "DROP TABLE clay.inbox CASCADE",
        "ALTER TABLE clay.inbox ADD COLUMN needed text NOT NULL",
        "DROP TABLE clay.inbox CASCADE; DROP TABLE clay.mirror CASCADE; DROP TABLE clay.attachment",
        "ALTER TABLE clay.inbox RENAME TO elsewhere",
        "ALTER TABLE sourcing_jobs RENAME metadata TO details",
        "ALTER TABLE sourcing_jobs RENAME id TO job_id",
    ],
)
async def test_statements_of_the_host_succeed_despite_any_fault_of_this_service(database_url: str, broken: str) -> None:
    """The row stays unchanged, and the host's processor handles it as it does without this service."""
    async with install_attached(database_url, leads=1) as a:
        job_id = (await a.installation.push()).job_id
        await a.mirror_now()
        await a.host.connection.execute(broken)
        key = "job_id" if "job_id" in broken else "id"
        queued = uuid4()
        async with a.host.connection.transaction():
            await a.host.connection.execute(
                f"INSERT INTO sourcing_jobs ({key}, job_type, status) VALUES ($1, 'clay_push', 'pending')", queued
            )
            await a.host.connection.execute(f"UPDATE sourcing_jobs SET status = 'pending' WHERE {key} = $1", job_id)
        found = await a.host.connection.fetchval(f"SELECT status FROM sourcing_jobs WHERE {key} = $1", queued)
        assert found == ("running" if "metadata" in broken else "pending")


async def test_a_lock_on_our_tables_delays_the_host_only_briefly(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        blocker = await asyncpg.connect(database_url)
        try:
            async with blocker.transaction():
                await blocker.execute("LOCK TABLE clay.inbox, clay.mirror IN ACCESS EXCLUSIVE MODE")
                await a.host.connection.execute("SET statement_timeout = '900ms'")
                queued = await a.host_queues(a.installation.lead_ids)
                assert await a.status(queued) == "pending"
        finally:
            await blocker.close()


async def test_objects_with_the_same_names_in_other_schemas_are_not_called(database_url: str) -> None:
    """A SECURITY DEFINER function that resolves names by the caller's search_path could run the caller's code."""
    async with install_attached(database_url, leads=1) as a:
        await a.host.connection.execute(
            "CREATE SCHEMA evil; CREATE TABLE evil.called (by text);"
            "CREATE FUNCTION evil.read(jsonb, text) RETURNS text LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO evil.called VALUES (current_user); RETURN jsonb_extract_path_text($1, $2); END $$;"
            "CREATE OPERATOR evil.->> (leftarg = jsonb, rightarg = text, function = evil.read);"
            "SET search_path = evil, public, pg_catalog"
        )
        queued = await a.host_queues(a.installation.lead_ids)
        assert await a.status(queued) == "running"
        assert await a.host.connection.fetch("SELECT * FROM evil.called") == []


async def test_an_entry_that_fails_repeatedly_ends_and_does_not_block_others(database_url: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        stubborn = await a.host_queues(a.installation.lead_ids[:1], mode="selected")
        await a.installation.fetch("UPDATE clay.inbox SET attempts = 10")
        other = await a.host_queues(a.installation.lead_ids[1:], mode="selected")
        await a.inbox.process_due()
        assert await a.status(stubborn) == "failed"
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert await a.status(other) == "completed"


async def test_a_row_that_the_host_refuses_to_end_does_not_block_others(database_url: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        stubborn = await a.host_queues([], mode="selected")
        other = await a.host_queues([], mode="selected")
        await a.host.connection.execute(
            f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NEW.id = '{stubborn}' AND NEW.status = 'failed' THEN RAISE EXCEPTION 'not this one'; END IF;
                RETURN NEW; END $$;
                CREATE TRIGGER refuse BEFORE UPDATE ON sourcing_jobs FOR EACH ROW EXECUTE FUNCTION refuse()"""
        )
        await a.inbox.process_due()
        assert (await a.status(stubborn), await a.status(other)) == ("running", "failed")
        await a.host.connection.execute("DROP TRIGGER refuse ON sourcing_jobs")
        await a.installation.fetch("UPDATE clay.inbox SET due_at = now()")
        await a.inbox.process_due()
        assert await a.status(stubborn) == "failed"


async def test_below_level_inbox_the_host_processes_its_own_pushes(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=1) as a:
        queued = await a.host_queues(a.installation.lead_ids)
        assert await a.status(queued) == "pending"
        assert (await a.metadata(queued))["lead_ids"]
